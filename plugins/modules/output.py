#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module output: the documentation; the action plugin of this name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: output
short_description: Write a file that the user has asked for on the controller
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - A relative path counts from where the user stands, not from the playbook. Folders that are missing are made.
  - A regular file is replaced in one step, and only when its content differs. Anything else (a pipe, C(/dev/stdout)) is written to.
  - Runs on the controller.
attributes:
  action:
    support: full
    description: Runs on the controller only; no connection is made.
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: full
    description: Shows the lines that change, unless the file is private.
options:
  path:
    description: The file.
    type: str
    required: true
  content:
    description: Its text.
    type: str
    required: true
  mode:
    description: Mode of a new file, octal. A file that is there keeps its own.
    type: str
    default: '0644'
  private:
    description: Whether it may hold secrets. A new file has mode V(0600), one that is there is closed to all others, and no diff shows it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write the report
  gravity.cluster.output:
    path: reports/status.json
    content: "{{ report | to_nice_json }}\n"
  run_once: true
"""

RETURN = r"""
path:
  description: The absolute path of the file.
  returned: success
  type: str
  sample: /home/ops/reports/status.json
"""
