#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_logs_info: the logs of nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_logs_info
short_description: Read the logs of nodes
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Returns the last lines that the containers of nodes wrote, standard output and standard error together, and the last lines of log
    files in them. Containers need not run.
extends_documentation_fragment:
  - gravity.cluster.engine
  - gravity.cluster.info_module
options:
  cluster:
    description: Name of the cluster. Only containers with its label are looked at.
    type: str
    required: true
  nodes:
    description: Names of the nodes. Without it, all nodes of the cluster that have a container on this Docker host.
    type: list
    elements: str
  tail:
    description:
      - How many lines to return of each node, counted from the end; V(-1) returns all.
      - Of lines longer than 64 KB, the beginning is returned. When all logs of a Docker host are longer than 32 MB, the earliest lines are
        left out; the first line says how many.
    type: int
    default: 100
  since:
    description:
      - Only lines that are not older than this.
      - A time span such as V(90s), V(5m), V(1h30m) or V(2d), a number of seconds, an RFC 3339 time such as V(2026-01-31T12:00:00Z)
        (UTC unless it says otherwise), or a Unix time.
    type: str
  until:
    description: Only lines that are not newer than this, a time in the forms of O(since).
    type: str
  grep:
    description:
      - Only lines in which this regular expression of Python is found, V((?i\)error|panic) for example.
      - O(tail) counts those lines.
    type: str
  timestamps:
    description: Put the time at which it was written before each line of the containers' output.
    type: bool
    default: false
  files:
    description:
      - Paths of log files in the containers, by the name of the node. One that is not there is left out; links are followed.
      - With O(since) and O(until), lines count that start with a time (UTC unless it says otherwise), and those that follow one.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Read what a node wrote in the last five minutes
  gravity.cluster.node_logs_info:
    cluster: demo
    nodes: [node_1]
    tail: 50
    since: 5m
  register: seen

- name: Show it
  gravity.cluster.show:
    lines: "{{ seen.logs.node_1 }}"
"""

RETURN = r"""
logs:
  description: Lines by the name of the node; empty for a node without container.
  returned: success
  type: dict
files:
  description: Lines by path by the name of the node, of the log files that are there.
  returned: success
  type: dict
absent:
  description: Names of the nodes that have no container.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._logs import read_logs

ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str"},
    "tail": {"type": "int", "default": 100},
    "since": {"type": "str"},
    "until": {"type": "str"},
    "grep": {"type": "str"},
    "timestamps": {"type": "bool", "default": False},
    "files": {"type": "dict", "default": {}},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, read_logs)


if __name__ == "__main__":
    main()
