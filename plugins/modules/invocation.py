#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module invocation: the documentation; the action plugin of this name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: invocation
short_description: Refuse calls of a playbook that would do something else than was meant
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Looks at the command line of the run, and fails when a word of C(-e) belongs to no variable, when the name of a variable looks like a
    misspelt option of this collection's playbooks, or when C(--tags) or C(--skip-tags) would leave nothing to do.
  - Other variables are the user's own and pass.
  - Runs on the controller. The role P(gravity.cluster.cluster_scope#role) calls it at the begin of every playbook.
attributes:
  action:
    support: full
    description: Runs on the controller only; no connection is made.
  check_mode:
    support: full
    description: Nothing is changed.
  diff_mode:
    support: none
    description: There is nothing to show.
options: {}
"""

EXAMPLES = r"""
- name: Check how the playbook was called
  gravity.cluster.invocation:
  run_once: true
  tags: always
"""

RETURN = r"""
problems:
  description: What is wrong, one line each.
  returned: always
  type: list
  elements: str
"""
