#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_storage: the data of nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_storage
short_description: Clear the data of stopped nodes
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Removes what nodes have stored, and leaves their keys and their configuration. A node that is started afterwards gets its data from
    its peers again.
  - A node that runs is refused. When one node is refused, nothing is changed on any.
  - The work is done by the program C(find) in a one-off container of the node's image, with the node's volumes and without network.
    Where that does not know C(-delete), as in some builds of busybox, it calls C(rm) and C(rmdir).
  - A run that is killed may leave a part of the data; the next one removes it.
extends_documentation_fragment:
  - gravity.cluster.engine
attributes:
  check_mode:
    support: full
    description: Says what would go. The one-off container then only looks.
  diff_mode:
    support: none
    description: RV(removed) counts what went.
options:
  cluster:
    description: Name of the cluster. Only containers with its label are touched.
    type: str
    required: true
  nodes:
    description: The nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      container:
        description: Name of its container.
        type: str
        required: true
      clear:
        description: Folders in the container whose content is removed. They have to be on volumes that the container may write to.
        type: list
        elements: str
        default: []
      keep:
        description: Paths in these folders that stay.
        type: list
        elements: str
        default: []
  state:
    description: V(cleared) removes the data.
    type: str
    choices: [cleared]
    default: cleared
"""

EXAMPLES = r"""
- name: Let a node start from nothing, with its keys
  gravity.cluster.node_storage:
    cluster: demo
    nodes:
      - name: node_1
        container: demo_node_1
        clear: [/data]
        keep: [/data/config, /data/signed.json]
"""

RETURN = r"""
removed:
  description: How many files and folders were removed, by node.
  returned: success
  type: dict
  sample: {node_1: 214}
reasons:
  description: What was done, one line each.
  returned: success
  type: list
  elements: str
  sample: ['node_1: 214 files and folders of its data']
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._storage import work

NODE: t.Dict[str, t.Dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "container": {"type": "str", "required": True},
    "clear": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "list", "elements": "str", "default": []},
}

ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "dict", "required": True, "options": NODE},
    "state": {"type": "str", "choices": ["cleared"], "default": "cleared"},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
