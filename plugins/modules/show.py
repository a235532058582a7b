#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin show; all of it happens on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Print lines or a table, whatever the stdout callback
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Prints plain lines or an aligned table on the controller, once for all hosts of the play. It never changes anything.
  - Control characters in what is printed are left out, save for colours.
attributes:
  check_mode:
    support: full
    description: Prints in check mode too.
  diff_mode:
    support: none
    description: Nothing is ever changed.
  action:
    support: full
    description: Runs on the controller only; no connection is made.
  bypass_host_loop:
    support: full
    description: Runs once for all hosts of the play, with the variables of the first.
options:
  lines:
    description: Lines to print.
    type: list
    elements: str
  table:
    description:
      - A table to print, as made by the filter P(gravity.cluster.status_rows#filter).
      - In a column called C(state), good states are green, passing ones yellow and bad ones red.
    type: dict
    suboptions:
      columns:
        description: Titles of the columns.
        type: list
        elements: str
        required: true
      rows:
        description: The rows, each a list with one value per column; a null is printed as V(-).
        type: list
        elements: list
        required: true
  width:
    description: Columns of the terminal to stay within; the longest cells are shortened when a table does not fit.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Show a table
  gravity.cluster.show:
    table:
      columns: [node, state, height]
      rows:
        - [node_0, running, 12]
        - [node_1, stopped, null]
"""

RETURN = r"""
lines:
  description: What was printed, without colours.
  returned: always
  type: list
  elements: str
"""
