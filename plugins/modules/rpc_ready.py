#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module rpc_ready: wait until nodes are ready."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rpc_ready
short_description: Wait until the nodes of a cluster are ready
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Asks all nodes at the same time, again and again, until every one of them fulfils its conditions or the time is over.
  - A node that hangs does not delay the observation of the others. Proxies in the environment are ignored.
  - When a container ends or cannot be started, the wait ends at once; when it restarts again and again, as O(nodes[].crash_loop) says.
  - On failure the message names the nodes, the likely cause and what was seen last; the result has the last log lines.
extends_documentation_fragment:
  - gravity.cluster.engine
attributes:
  check_mode:
    support: full
    description:
      - Nothing is ever changed.
      - In check mode the module waits for at most ten seconds, and only when all containers run. It never fails because a node
        is not ready; RV(ready) and RV(note) say how it is.
  diff_mode:
    support: none
    description: Nothing is ever changed.
options:
  cluster:
    description: Name of the cluster. Only containers with its label are looked at.
    type: str
    required: true
  nodes:
    description:
      - The nodes to wait for, as made by the filter P(gravity.cluster.probe_targets#filter).
      - A node without probes and conditions is ready when its container is healthy; without a health check, when it has been running
        for two seconds, or for ten when the Docker Engine had to restart it. O(nodes[].stable) sets another time, for every node.
      - A node with probes but without conditions is ready when every probe succeeds.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      container:
        description: Name of its container. Leave it out for a node on another Docker host; then only its probes count.
        type: str
      probes:
        description:
          - What to ask the node, by name. Each probe is a mapping with C(type) and the keys of that type.
          - C(eth) with C(url) asks for chain id, height, peers and sync state by Ethereum JSON-RPC.
          - C(cometbft) with C(url) asks CometBFT for the same.
          - C(http) with C(url) makes a GET request and expects C(status) (default 200); redirects are not followed.
          - C(tcp) with C(host) and C(port) opens a connection, which must stay open for a moment.
          - C(exec) with C(command) (a list, or a string for C(sh -c)) runs a command in the container.
          - Every probe takes C(timeout), the seconds that a request may take (default 2).
        type: dict
        default: {}
      conditions:
        description:
          - What must hold, each a mapping with C(is) and, where needed, C(value) and C(probe).
          - C(is) is one of C(chain_id), C(height_at_least), C(advancing) (the height grew during this wait), C(peers_at_least),
            C(not_syncing), C(caught_up) (at most C(value), default 2, blocks behind the highest node), C(http_status), C(tcp_open),
            C(exec_ok), C(answers), C(running), C(healthy).
        type: list
        elements: dict
        default: []
      stable:
        description:
          - Seconds that the container must have been running without an end to count as ready, on top of what else must hold.
          - By default 2 for a node without probes, conditions and health check (10 after a restart), and 0 for others.
        type: float
      crash_loop:
        description:
          - Seconds that a container may restart again and again, for example until a server that it needs is up.
          - When it has restarted three times, and that many seconds have passed since this wait saw it restart first, the wait ends.
        type: float
        default: 10
      log_files:
        description: Paths of log files in the container, whose last lines a failure shows beside the container's output.
        type: list
        elements: str
        default: []
  together:
    description: Conditions over all nodes. V(same_block_hash) holds when all have the same block at the lowest of their heights.
    type: list
    elements: dict
    default: []
    suboptions:
      is:
        description: Name of the condition.
        type: str
        choices: [same_block_hash]
        required: true
  validators:
    description: Voting power of each validator, if there are any. With it, a failure says whether the quorum is missing.
    type: dict
    default: {}
  timeout:
    description: Seconds until the wait is given up, for all nodes together.
    type: int
    default: 120
  interval:
    description:
      - Milliseconds between two questions to the same node.
      - A node that is ready is asked five times less often; a port at which nothing listens yet is tried twice as often.
    type: int
    default: 200
  fail_fast:
    description: Stop waiting as soon as a container ended, cannot be started, or restarts in a loop; see O(nodes[].crash_loop).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Wait until two validators agree on the chain
  gravity.cluster.rpc_ready:
    cluster: demo
    timeout: 60
    nodes:
      - name: node_0
        container: demo_node_0
        probes:
          rpc: {type: eth, url: "http://127.0.0.1:8545"}
        conditions:
          - {is: chain_id, value: 1337}
          - {is: height_at_least, value: 2}
          - {is: advancing}
      - name: node_1
        container: demo_node_1
        probes:
          rpc: {type: eth, url: "http://127.0.0.1:8546"}
        conditions:
          - {is: chain_id, value: 1337}
          - {is: caught_up, value: 1}
    together:
      - is: same_block_hash

- name: Wait for a web server
  gravity.cluster.rpc_ready:
    cluster: demo
    nodes:
      - name: web
        container: demo_web
        probes:
          health: {type: http, url: "http://127.0.0.1:8080/health"}
"""

RETURN = r"""
ready:
  description: Whether all nodes are ready. Not true only in check mode; otherwise the module fails.
  returned: always
  type: bool
seconds:
  description: How long the wait took.
  returned: always
  type: float
note:
  description: Why nodes are not ready, or were not waited for.
  returned: in check mode, when not ready
  type: str
nodes:
  description: What was seen of each node, by its name.
  returned: always
  type: dict
  contains:
    ready:
      description: Whether the node is ready.
      type: bool
      returned: always
    seconds:
      description: Seconds from the start of the wait until the node was ready.
      type: float
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
    state:
      description: State of its container (V(stopped), V(starting), V(running), V(unhealthy), V(error) or V(absent)).
      type: str
      returned: always
    reason:
      description: Why it is not ready.
      type: str
      returned: always
failures:
  description: What is wrong with the nodes that are not ready, by name.
  returned: on failure
  type: dict
  contains:
    cause:
      description:
        - One word, such as V(exited), V(oom), V(restart_loop), V(absent), V(start_failed), V(port_closed), V(no_answer), V(wrong_chain_id),
          V(genesis_mismatch), V(no_peers), V(syncing), V(stuck), V(http_status), V(exec_failed) or V(waiting).
      type: str
      returned: always
    reason:
      description: The same in words.
      type: str
      returned: always
    last:
      description: What was seen last.
      type: str
      returned: always
    log:
      description: The last lines of the container's log.
      type: list
      elements: str
      returned: always
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._readiness import work

NODE: t.Dict[str, t.Dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "container": {"type": "str"},
    "probes": {"type": "dict", "default": {}},
    "conditions": {"type": "list", "elements": "dict", "default": []},
    "stable": {"type": "float"},
    "crash_loop": {"type": "float", "default": 10},
    "log_files": {"type": "list", "elements": "str", "default": []},
}

ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "dict", "required": True, "options": NODE},
    "together": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"is": {"type": "str", "required": True, "choices": ["same_block_hash"]}},
    },
    "validators": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 120},
    "interval": {"type": "int", "default": 200},
    "fail_fast": {"type": "bool", "default": True},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
