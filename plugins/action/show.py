# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints lines or a table on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.color import stringc
from ansible.utils.display import Display

from ansible_collections.gravity.cluster.plugins.plugin_utils._table import Cell, lay_out, plain, printable


class ActionModule(ActionBase):
    """Prints once for all hosts of the play."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Print, and return the printed lines."""
        result: t.Dict[str, t.Any] = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            {
                "lines": {"type": "list", "elements": "str"},
                "table": {
                    "type": "dict",
                    "options": {
                        "columns": {"type": "list", "elements": "str", "required": True},
                        "rows": {"type": "list", "elements": "list", "required": True},
                    },
                },
                "width": {"type": "int", "default": 120},
            },
            required_one_of=[["lines", "table"]],
        )
        display = Display()
        printed = []
        for line in arguments["lines"] or []:
            printed.append(printable(line))
            display.display(printed[-1])
        if arguments["table"]:
            for cells in lay_out(arguments["table"]["columns"], arguments["table"]["rows"], arguments["width"]):
                printed.append(plain(cells))
                display.display("".join(_coloured(cell) for cell in cells).rstrip())
        result.update(changed=False, lines=printed)
        return result


def _coloured(cell: Cell) -> str:
    return stringc(cell.text, cell.colour) + cell.padding if cell.colour else cell.text + cell.padding
