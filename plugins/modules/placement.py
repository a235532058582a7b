#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module placement: the documentation; the action plugin of this name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: placement
short_description: Write down on which Docker hosts placed nodes are
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Nodes for which a cluster spec names no Docker host are placed. This writes down where they are, in the file
    C(.<spec>.placement.json) next to the spec, which the inventory plugin P(gravity.cluster.spec#inventory) reads, so that they stay
    there when the spec grows.
  - Fails when a node is on another Docker host than the spec says. The record then says where it is, so that the next run goes on.
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
    description: Shows the record.
options:
  spec:
    description: The cluster spec.
    type: path
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  nodes:
    description: The placed nodes, a mapping of names to the Docker hosts that the spec gives them.
    type: dict
    required: true
  carried:
    description:
      - Of which nodes there is something on a Docker host, a mapping of Docker hosts to lists of names
        (RV(gravity.cluster.cluster_info#module:carried)).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write down where the nodes are
  gravity.cluster.placement:
    spec: "{{ gravity_cluster.spec }}"
    cluster: "{{ gravity_cluster.name }}"
    nodes: {node_0: alpha, node_1: beta}
    carried: {alpha: [node_0], beta: []}
"""

RETURN = r"""
path:
  description: The file that has the record.
  returned: success
  type: str
  sample: /home/ops/.cluster.placement.json
"""
