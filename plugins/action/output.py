# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a file on the controller; see the module gravity.cluster.output."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.gravity.cluster.plugins.plugin_utils import _output as output


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Write the file when it differs."""
        result: t.Dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, given = self.validate_argument_spec(
            {
                "path": {"type": "str", "required": True},
                "content": {"type": "str", "required": True},
                "mode": {"type": "str", "default": "0644"},
                "private": {"type": "bool", "default": False},
            }
        )
        path = output.path_of(given["path"])
        try:
            before = output.read(path)
            result.update(changed=before != given["content"] or (given["private"] and output.is_open(path)), path=path)
            if result["changed"] and not self._task.check_mode:
                output.write(path, given["content"], 0o600 if given["private"] else int(given["mode"], 8), given["private"])
        except OSError as exc:
            reason = exc.strerror or exc
            return {
                **result,
                "failed": True,
                "msg": f"{path} cannot be written: {reason}; name another file, or correct this. All else is done",
            }
        if self._task.diff and not given["private"]:
            result["diff"] = {"before_header": path, "after_header": path, "before": before or "", "after": given["content"]}
        return result
