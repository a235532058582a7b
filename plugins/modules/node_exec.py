#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_exec: run a command in nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_exec
short_description: Run a command in nodes
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Runs one command in the containers of nodes, in all of them at the same time.
  - Fails when it ends with anything but 0 in any of them; the result then still has what every node said.
  - Don't put secrets into O(command), it is visible in the process list of the Docker host.
extends_documentation_fragment:
  - gravity.cluster.engine
attributes:
  check_mode:
    support: full
    description: In check mode the command is not run.
  diff_mode:
    support: none
    description: What a command changes is not known.
options:
  cluster:
    description: Name of the cluster. Only containers with its label are used.
    type: str
    required: true
  nodes:
    description: Names of the nodes. Without it, all nodes of the cluster that have a container on this Docker host.
    type: list
    elements: str
  command:
    description:
      - The command, as a list of words or as a string with the quoting of a shell.
      - No shell is started. For pipes and the like, give V([sh, -c, ...]) if the image has a shell.
    type: raw
    required: true
  user:
    description: User, or C(uid:gid), that runs the command; by default the user of the container.
    type: str
  timeout:
    description: Seconds after which a command is given up. It may go on in the container.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: See the disk use of all nodes
  gravity.cluster.node_exec:
    cluster: demo
    command: df -h /data

- name: Ask one node for its identity
  gravity.cluster.node_exec:
    cluster: demo
    nodes: [node_1]
    command: [injectived, comet, show-node-id, --home, /data]
  register: asked
"""

RETURN = r"""
nodes:
  description: What came of it, by the name of the node.
  returned: always, empty in check mode
  type: dict
  contains:
    rc:
      description: Exit code; null when there is none.
      type: int
      returned: always
    stdout:
      description: Standard output; of more than 1 MB, the beginning and the end.
      type: str
      returned: always
    stderr:
      description: Standard error; of more than 1 MB, the beginning and the end.
      type: str
      returned: always
    error:
      description: Why there is no exit code.
      type: str
      returned: always
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._commands import execute
from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module

ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str"},
    "command": {"type": "raw", "required": True},
    "user": {"type": "str"},
    "timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, execute)


if __name__ == "__main__":
    main()
