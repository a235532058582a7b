# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the action plugins that show what a long-running module waits for."""

from __future__ import annotations

import copy
import shlex
import threading
import typing as t
import uuid

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Modules that end sooner print nothing (seconds).
QUIET = 2.0


class FollowedModule(ActionBase):
    """Runs the module of the same name and prints its progress lines, every two seconds, while it runs."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Run the module; its result is returned as it is."""
        result: t.Dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        arguments["progress_path"] = f"/tmp/.gravity-cluster-{uuid.uuid4().hex}"  # noqa: S108 -- a name that nobody can guess, on the Docker host
        ended = threading.Event()
        follower = threading.Thread(target=self._follow, args=(arguments["progress_path"], ended), daemon=True)
        follower.start()
        try:
            result.update(self.work(arguments, task_vars))
        finally:
            ended.set()
            follower.join()
        result.get("invocation", {}).get("module_args", {}).pop("progress_path", None)
        return result

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """Whether the module goes to Python's standard input: always, where the connection can.

        Otherwise it would be a file on the Docker host, with all its arguments, that stays there when the run is killed.
        """
        become = self._connection.become
        can = self._connection.has_pipelining and (not become or become.pipelining) and module_style == "new" and not wrap_async
        return bool(can and not constants.config.get_config_value("DEFAULT_KEEP_REMOTE_FILES")) or bool(
            super()._is_pipelining_enabled(module_style, wrap_async)
        )

    def work(self, arguments: t.Dict[str, t.Any], task_vars: t.Optional[t.Dict[str, t.Any]]) -> t.Dict[str, t.Any]:
        """Run the module with ``arguments``; for plugins that do more around it."""
        result: t.Dict[str, t.Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result

    def _say(self, line: str) -> None:
        Display().display(f"    {line}", color="bright gray")

    def _follow(self, path: str, ended: threading.Event) -> None:
        # The module runs over the connection at the same time, which holds what that command waits for (the success of sudo, for one).
        # So this thread has a connection object of its own, and stays the user who has logged in.
        connection = copy.copy(self._connection)
        connection.become = None
        shown = 0
        while not ended.wait(QUIET):
            # The file appears with the first line, and the module removes it when it ends.
            try:
                _code, read, _error = connection.exec_command(f"tail -n +{shown + 1} {shlex.quote(path)} 2>/dev/null", sudoable=False)
            except (AnsibleError, OSError):
                # If it lasts, the module itself will say so.
                continue
            for line in read.decode("utf-8", "replace").splitlines():
                shown += 1
                self._say(line)
