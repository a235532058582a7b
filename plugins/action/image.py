# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module gravity.cluster.image, and brings what lies on the controller to Docker hosts elsewhere."""

from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils._context import Context
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.plugin_utils._drafts import draft
from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule

Data = t.Dict[str, t.Any]


class ActionModule(FollowedModule):
    """Sends a wheel, so that a Docker host need not reach a package index, and the context of a build."""

    TRANSFERS_FILES = True

    def work(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        """Run the module, with a file of the controller beside it when it needs one."""
        sender = {"assemble": self._with_wheel, "build": self._with_context}.get(str(arguments.get("source")))
        if sender is None or self._connection.transport == "local":
            return super().work(arguments, task_vars)
        return sender(arguments, task_vars)

    def _with_wheel(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        wheel = self._wheel(arguments, task_vars) if (arguments.get("assemble") or {}).get("wheel") and not self._task.check_mode else None
        if wheel is None:
            return super().work(arguments, task_vars)
        return self._beside(wheel, lambda path: {**arguments, "cache": os.path.dirname(path)}, task_vars)

    def _with_context(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        """A context that lies on the controller is sent when the image has to be built."""
        folder = str(arguments.get("context") or "")
        if not folder or not os.path.isdir(os.path.expanduser(folder)):
            return super().work(arguments, task_vars)
        try:
            context = Context(folder, arguments.get("dockerfile") or "Dockerfile", str(arguments.get("name")), "the controller")
        except ClusterError as exc:
            raise AnsibleActionFail(exc.message) from exc
        arguments = {**arguments, "context_digest": context.digest()}
        planned = self._planned(arguments, task_vars)
        if self._task.check_mode or not planned.get("changed"):
            return planned
        if planned["action"] != "build":
            return super().work(arguments, task_vars)
        with draft(tempfile.gettempdir(), "gravity-cluster-", ".tar") as (packed, name):
            context.pack(packed)
            packed.flush()
            return self._beside(Path(name), lambda path: {**arguments, "context_archive": path}, task_vars)

    def _planned(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        """What the module would do."""
        before, self._task.check_mode = self._task.check_mode, True
        try:
            return super().work(arguments, task_vars)
        finally:
            self._task.check_mode = before

    def _beside(self, file: Path, arguments: t.Callable[[str], Data], task_vars: t.Optional[Data]) -> Data:
        """Run the module with ``arguments(path)``, while ``path`` on the Docker host is a copy of ``file``."""
        folder = self._make_tmp_path()
        try:
            path = self._connection._shell.join_path(folder, file.name)  # noqa: SLF001 -- as ansible-core's own action plugins do
            self._say(f"sending {file.name}: {file.stat().st_size // 1_000_000} MB")
            self._connection.put_file(str(file), path)
            self._fixup_perms2((folder, path), execute=False)
            return super().work(arguments(path), task_vars)
        finally:
            self._remove_tmp_path(folder)

    def _wheel(self, arguments: Data, task_vars: t.Optional[Data]) -> t.Optional[Path]:
        """The verified wheel on the controller; None when it is not needed, or when the Docker host has to get it by itself."""
        planned = self._planned(arguments, task_vars)
        made_from = ((planned.get("diff") or {}).get("after") or {}).get("made_from") or {}
        # A wheel of another architecture cannot be told by this machine's pip.
        if planned.get("action") != "assemble" or made_from.get("architecture") != assemble.machine():
            return None
        cache = Path(os.path.expanduser(str(arguments.get("cache") or assemble.DEFAULT_CACHE)))
        try:
            wheel = t.cast(assemble.Wheel, assemble.recipe_from(arguments["assemble"]).wheel)
            with assemble.workroom(cache) as work:
                return assemble.wheel_file(wheel, cache, work, Progress(None))
        except ClusterError as exc:
            self._say(f"{exc.message}; the Docker host tries it by itself")
            return None
