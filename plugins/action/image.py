# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module gravity.cluster.image, and brings a wheel to Docker hosts that need not reach a package index."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.module_utils._image import DEFAULT_CACHE
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule

Data = t.Dict[str, t.Any]


class ActionModule(FollowedModule):
    """Where the controller has the wheel, or can get it, a Docker host elsewhere is given it."""

    TRANSFERS_FILES = True

    def work(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        """Run the module, with the wheel beside it when it is needed."""
        needed = (arguments.get("assemble") or {}).get("wheel") if arguments.get("source") == "assemble" else None
        if not needed or self._connection.transport == "local" or self._task.check_mode:
            return super().work(arguments, task_vars)
        wheel = self._wheel(arguments, task_vars)
        if wheel is None:
            return super().work(arguments, task_vars)
        folder = self._make_tmp_path()
        try:
            path = self._connection._shell.join_path(folder, wheel.name)  # noqa: SLF001 -- as ansible-core's own action plugins do
            self._say(f"sending {wheel.name}: {wheel.stat().st_size // 1_000_000} MB")
            self._connection.put_file(str(wheel), path)
            self._fixup_perms2((folder, path), execute=False)
            return super().work({**arguments, "cache": folder}, task_vars)
        finally:
            self._remove_tmp_path(folder)

    def _wheel(self, arguments: Data, task_vars: t.Optional[Data]) -> t.Optional[Path]:
        """The verified wheel on the controller; None when it is not needed, or when the Docker host has to get it by itself."""
        self._task.check_mode = True
        try:
            planned = super().work(arguments, task_vars)
        finally:
            self._task.check_mode = False
        made_from = ((planned.get("diff") or {}).get("after") or {}).get("made_from") or {}
        # A wheel of another architecture cannot be told by this machine's pip.
        if planned.get("action") != "assemble" or made_from.get("architecture") != assemble.machine():
            return None
        cache = Path(os.path.expanduser(str(arguments.get("cache") or DEFAULT_CACHE)))
        try:
            wheel = t.cast(assemble.Wheel, assemble.recipe_from(arguments["assemble"]).wheel)
            with assemble.workroom(cache) as work:
                return assemble.wheel_file(wheel, cache, work, Progress(None))
        except ClusterError as exc:
            self._say(f"{exc.message}; the Docker host tries it by itself")
            return None
