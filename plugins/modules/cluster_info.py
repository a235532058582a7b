#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module cluster_info: the state of every node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Tell how the nodes of a cluster are
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Returns what the Docker Engine knows of each node's container, and what the node itself answers, without changing anything.
  - All nodes are asked at the same time. One that does not answer has RV(nodes.rpc_error) set; this is not a failure.
extends_documentation_fragment:
  - gravity.cluster.engine
  - gravity.cluster.info_module
options:
  cluster:
    description: Name of the cluster. Only containers with its label are looked at.
    type: str
    required: true
  nodes:
    description:
      - The nodes to look at, as made by the filter P(gravity.cluster.probe_targets#filter).
      - Without it, all containers of the cluster on this Docker host are reported, without being asked anything themselves.
    type: list
    elements: dict
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      container:
        description: Name of its container. Leave it out for a node on another Docker host; then only its probes count.
        type: str
      probes:
        description: What to ask the node; see M(gravity.cluster.rpc_ready). Probes of type C(exec) are left out.
        type: dict
        default: {}
      conditions:
        description: Ignored; here so that the same list serves both modules.
        type: list
        elements: dict
        default: []
      stable:
        description: Ignored, as O(nodes[].conditions).
        type: float
      crash_loop:
        description: Ignored, as O(nodes[].conditions).
        type: float
      log_files:
        description: Ignored, as O(nodes[].conditions).
        type: list
        elements: str
        default: []
  rpc_timeout:
    description: Seconds that a node may take to answer.
    type: float
    default: 2
  drift:
    description:
      - Whether to compare the files that were written for each node with what is there; see RV(nodes.drift).
      - Of a node that runs, only files that were written later are read.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See how a node is
  gravity.cluster.cluster_info:
    cluster: demo
    nodes:
      - name: node_0
        container: demo_node_0
        probes:
          rpc: {type: eth, url: "http://127.0.0.1:8545"}
  register: seen

- name: Show all heights
  gravity.cluster.show:
    lines:
      - "node_0 is at {{ seen.nodes.node_0.height }}"
"""

RETURN = r"""
carried:
  description: Names of the nodes that have a container or a volume on this Docker host.
  returned: when O(nodes) is not given
  type: list
  elements: str
validators:
  description:
    - Voting power of every validator of the genesis, by node name, as the volumes on this Docker host say.
    - Without a genesis, 1 for every node here whose role is V(validator).
  returned: always
  type: dict
nodes:
  description: What is known of each node, by its name.
  returned: always
  type: dict
  contains:
    container:
      description: Name of its container.
      type: str
      returned: always
    state:
      description: V(stopped), V(starting), V(running), V(unhealthy), V(error) or V(absent); null without O(nodes[].container).
      type: str
      returned: always
    health:
      description: What the container's own health check says (V(healthy), V(unhealthy) or V(starting)), if it has one.
      type: str
      returned: always
    image:
      description: Image that the container was made from.
      type: str
      returned: always
    image_id:
      description: Id of that image.
      type: str
      returned: always
    started_at:
      description: When the container was last started (RFC 3339).
      type: str
      returned: always
    uptime_seconds:
      description: For how long it has been running.
      type: int
      returned: always
    restarts:
      description: How often the Engine restarted it by itself.
      type: int
      returned: always
    exit_code:
      description: Exit code of the last run, when it does not run.
      type: int
      returned: always
    address:
      description: Its address in the cluster's network.
      type: str
      returned: always
    height:
      description: Number of its latest block.
      type: int
      returned: always
    peers:
      description: How many others it is connected to.
      type: int
      returned: always
    syncing:
      description: Whether it is catching up.
      type: bool
      returned: always
    chain_id:
      description: Chain id of the EVM; the network's name when the node only speaks CometBFT.
      type: raw
      returned: always
    block_hash:
      description: Hash of its latest block.
      type: str
      returned: always
    rpc_error:
      description: Why a probe has no answer, or not the expected HTTP status (one line); null when all is well or there are no probes.
      type: str
      returned: always
    drift:
      description: Config files, files of the genesis and keys that are not what was written for the node, one line each.
      type: list
      elements: str
      returned: with O(drift)
      sample: [file /data/config/app.toml was changed]
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._info import work

NODE: t.Dict[str, t.Dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "container": {"type": "str"},
    "probes": {"type": "dict", "default": {}},
    "conditions": {"type": "list", "elements": "dict", "default": []},
    "stable": {"type": "float"},
    "crash_loop": {"type": "float"},
    "log_files": {"type": "list", "elements": "str", "default": []},
}

ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "dict", "options": NODE},
    "rpc_timeout": {"type": "float", "default": 2},
    "drift": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
