# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the command line of the run; see the module gravity.cluster.invocation."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.gravity.cluster.plugins.plugin_utils._invocation import problems


class ActionModule(ActionBase):
    """Runs on the controller alone."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Fail with every problem of the call in one line."""
        result: t.Dict[str, t.Any] = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        lines = problems(
            load_extra_vars(self._loader),
            context.CLIARGS.get("tags") or (),
            context.CLIARGS.get("skip_tags") or (),
            set(self._task.tags) - {"always"},
        )
        result.update(changed=False, problems=lines)
        if lines:
            result.update(failed=True, msg=f"{' -- '.join(lines)}. Nothing was changed.")
        return result
