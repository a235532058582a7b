#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_lock, which judges on the controller and has the Docker host do the rest."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_lock
short_description: Be the only operation on a cluster
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Takes the lock of a cluster on one Docker host, and gives it back. The lock is a volume with a label that tells who holds it.
  - The holder is the process C(ansible-playbook), so that all playbooks of one call share it.
  - A holder that has died on this machine is replaced at once. One on another machine cannot be seen, and is replaced when its lease
    has ended.
  - Where no Docker Engine answers, nothing is locked.
attributes:
  check_mode:
    support: full
    description: No lock is taken in check mode.
  diff_mode:
    support: none
    description: A lock is no change.
  action:
    support: full
    description: Tells on the controller whether a holder lives.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  state:
    description: Whether to take the lock or to give it back.
    type: str
    choices: [held, free]
    default: held
  operation:
    description: What the lock is for, as others are told.
    type: str
    default: ''
  lease:
    description: Seconds after which others who cannot see this process may take its place.
    type: int
    default: 7200
  timeout:
    description: Seconds to wait for another operation to end.
    type: int
    default: 0
  force:
    description: Take the place of another operation, and go on where no lock can be taken.
    type: bool
    default: false
extends_documentation_fragment:
  - gravity.cluster.engine
"""

EXAMPLES = r"""
- name: Take the lock
  gravity.cluster.cluster_lock:
    cluster: demo
    operation: stop

- name: Give it back
  gravity.cluster.cluster_lock:
    cluster: demo
    state: free
"""

RETURN = r"""
held:
  description: Whether the lock is held now.
  returned: always
  type: bool
refusal:
  description: Why the lock was not taken, and what to do; empty when it was. The task itself does not fail.
  returned: always
  type: str
note:
  description: Why there is no lock although nothing was refused, for example that no Docker Engine answers.
  returned: always
  type: str
"""
