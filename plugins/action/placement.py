# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down where placed nodes are; see the module gravity.cluster.placement."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.plugin_utils import _record as record


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Compare what the spec says with what the Docker hosts carry, and write the record."""
        result: t.Dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, given = self.validate_argument_spec(
            argument_spec={
                "spec": {"type": "path", "required": True},
                "cluster": {"type": "str", "required": True},
                "nodes": {"type": "dict", "required": True},
                "carried": {"type": "dict", "required": True},
            }
        )
        try:
            old = record.read(given["spec"], given["cluster"])
            new, moved = record.settled(given["nodes"], given["carried"])
            # Nodes that left the spec keep their place: their data do.
            nodes = {**old, **new}
            path = record.path_of(given["spec"])
            result.update(changed=nodes != old, path=path)
            if result["changed"] and not self._task.check_mode:
                record.write(given["spec"], given["cluster"], nodes)
        except (ClusterError, OSError) as exc:
            return {**result, "failed": True, "msg": f"placement: {exc}"}
        if self._task.diff:
            result["diff"] = {
                "before_header": path, "after_header": path,
                "before": record.text_of(given["cluster"], old) if old else "", "after": record.text_of(given["cluster"], nodes),
            }  # fmt: skip
        if moved:
            names = ", ".join(f"{name} on {new[name]} (the spec would put it on {given['nodes'][name]})" for name in moved)
            done = (
                "nothing was written, as this is a check"
                if self._task.check_mode
                else f"this is now written down in {os.path.basename(path)}"
            )
            result.update(
                failed=True, msg=f"nodes of {given['cluster']} are there already: {names}; {done}: run again. Nothing else was changed"
            )
        return result
