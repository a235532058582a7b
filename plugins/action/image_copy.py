# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of the module gravity.cluster.image_copy: the archive, and its way over the connection."""

from __future__ import annotations

import contextlib
import glob
import os
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.module_utils._image import archive_ids
from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule

Data = t.Dict[str, t.Any]


class ActionModule(FollowedModule):
    """Looks which image is there, and sends the archive when it is another one."""

    TRANSFERS_FILES = True

    def work(self, arguments: Data, task_vars: t.Optional[Data]) -> Data:
        """See the module's documentation for the result."""
        found: Data = self._execute_module(module_args=arguments, task_vars=task_vars)
        if found.get("failed"):
            return found
        archive = os.path.expanduser(str(arguments["archive"]))
        saves, wanted = arguments.get("state") == "saved", arguments.get("id")
        same = found["id"] is not None and found["id"] == wanted
        # Engines that keep images in another way have other ids: an archive of the image knows them all, an older archive does not.
        held = frozenset() if same else self._ids(archive, found["name"], missing_ok=saves or self._task.check_mode)
        if same or (found["id"] in held and (wanted is None or wanted in held)):
            return {**found, "present": True, "sent": 0}
        if self._task.check_mode:
            return {**found, "changed": True, "id": found["id"] if saves else wanted, "present": False, "sent": 0}
        folder = self._make_tmp_path()
        path = self._connection._shell.join_path(folder, "image.tar")  # noqa: SLF001 -- as ansible-core's own action plugins do
        try:
            if saves:
                return self._save(arguments, task_vars, path, archive)
            return self._load(arguments, task_vars, path, archive)
        finally:
            self._remove_tmp_path(folder)

    def _save(self, arguments: Data, task_vars: t.Optional[Data], path: str, archive: str) -> Data:
        saved: Data = self._execute_module(module_args={**arguments, "path": path}, task_vars=task_vars)
        if saved.get("failed"):
            return saved
        self._say(f"fetching {saved['name']}: {saved['size'] // 1_000_000} MB")
        part = f"{archive}.{os.getpid()}.part"
        os.makedirs(os.path.dirname(archive) or ".", exist_ok=True)
        drop_parts(archive)
        try:
            self._connection.fetch_file(path, part)
            os.replace(part, archive)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
        return {**saved, "changed": True, "present": False, "sent": saved["size"]}

    def _load(self, arguments: Data, task_vars: t.Optional[Data], path: str, archive: str) -> Data:
        size = os.path.getsize(archive)
        self._say(f"sending {arguments['name']} to {(task_vars or {}).get('inventory_hostname')}'s Docker host: {size // 1_000_000} MB")
        self._connection.put_file(archive, path)
        self._fixup_perms2((os.path.dirname(path), path), execute=False)
        loaded = self._execute_module(module_args={**arguments, "path": path}, task_vars=task_vars)
        return {**loaded, "present": False, "sent": size}

    def _ids(self, archive: str, name: str, missing_ok: bool) -> t.FrozenSet[str]:
        """The ids that the image has in the archive."""
        if missing_ok and not os.path.exists(archive):
            return frozenset()
        try:
            return archive_ids(archive, name, "the controller")
        except ClusterError as exc:
            if missing_ok:
                return frozenset()
            raise AnsibleError(exc.message) from exc


def drop_parts(archive: str) -> None:
    """Remove what runs that were killed have left beside ``archive``: parts whose process is gone."""
    for part in glob.glob(f"{glob.escape(archive)}.*.part"):
        try:
            os.kill(int(part.split(".")[-2]), 0)
        except ProcessLookupError:
            os.unlink(part)
        except (ValueError, PermissionError):
            continue
