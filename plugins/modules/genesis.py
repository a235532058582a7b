#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: genesis
short_description: Give birth to the nodes of a chain, once
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Makes the keys of every node and one genesis document by the chain's own tool, in a one-off container of the node image,
    and writes them into one volume per node.
  - The module knows nothing of chains; the options say which commands to run and how the document is put together.
  - The volumes' labels are the genesis lock. When all nodes have their volume, nothing is started and nothing changes.
    A node that does not vote can be added at any time. What a chain cannot change after its birth is refused with the remedy.
  - A run that is killed leaves a container that names the volumes it was making; the next run removes them and starts over.
    While that container exists, its volumes are not valid.
  - Keys stay in memory on their way from the container to the volumes. They appear in no result, log, label, diff or file
    of the Docker host.
extends_documentation_fragment:
  - gravity.cluster.engine
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  flavor:
    description: Name of the flavor. Each flavor of a cluster has a genesis of its own.
    type: str
    default: ''
  image:
    description: The node image; it holds the chain's tool. It must be on the Docker host.
    type: str
    required: true
  user:
    description: Numeric C(uid:gid) of the nodes. The tool runs as this user, and it owns everything in the volumes.
    type: str
    default: 10001:10001
  chain_id:
    description: Chain id of the network. It is part of the lock; put it into the commands or into O(document.merge).
    type: int
    required: true
  origin:
    description: Label of the spec, for new volumes; see O(gravity.cluster.containers#module:origin).
    type: str
    default: ''
  phase:
    description:
      - V(all) makes the genesis on this Docker host alone.
      - "With several Docker hosts, every one of them does V(look), then V(make), then V(share), then V(fill), then V(commit), and no host
        begins a phase before all have ended the one before. Keys never leave the Docker host that they are made on. The role
        C(cluster_genesis) does all this."
    type: str
    choices: [all, look, make, share, fill, commit]
    default: all
  host:
    description: The Docker host's name in O(hosts) and in O(nodes[].host). Not for O(phase=all).
    type: str
    default: ''
  hosts:
    description:
      - What each Docker host that takes part returned in the phase before, by its name. Not for O(phase=all) and O(phase=look).
      - When some do not take part, nothing can be made that all must know of.
    type: dict
    default: {}
  nodes:
    description: All nodes of the chain.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The node's name.
        type: str
        required: true
      role:
        description: The node's role.
        type: str
        required: true
      host:
        description: The Docker host that carries the node, when there are several.
        type: str
        default: ''
      volume:
        description: Name of the Docker volume with the node's data.
        type: str
        required: true
      voting_power:
        description: The node's power in consensus; V(0) for a node that does not vote.
        type: int
        default: 0
      commands:
        description: Commands that make the node, run in order. Different nodes are made side by side.
        type: list
        elements: dict
        default: []
        suboptions:
          argv:
            description: Program and arguments. The tool may write below C(/birth) only.
            type: list
            elements: str
            required: true
          quiet:
            description: Whether the output may hold secrets; it is then not shown even when the command fails.
            type: bool
            default: false
      identity:
        description: Command whose standard output is the node's public identity, by which its peers know it.
        type: list
        elements: str
        default: []
      known_as:
        description: The node's public identity, when its keys are brought in O(nodes[].files[].content). A node keeps its keys.
        type: str
        default: ''
      needs_keys:
        description: Whether the node must not be born with keys of its own, as a genesis that is brought names them.
        type: bool
        default: false
      files:
        description: Files that go into the volume. They belong to O(user).
        type: list
        elements: dict
        default: []
        suboptions:
          source:
            description: Absolute path in the one-off container. With a V(/) at its end, all files of that folder.
            type: str
          content:
            description: Content of a file that is brought, instead of O(nodes[].files[].source). It may be a secret.
            type: str
          path:
            description: Path in the volume, relative to its root.
            type: str
            required: true
          mode:
            description: File mode in octal.
            type: str
            default: '0400'
  document:
    description:
      - How the genesis document, a JSON object, is put together, and what else all nodes share. C({node}) in a path stands for the name
        of each voting node.
      - With neither O(document.base) nor O(document.start) no document is put together, as O(document.given) brings what is needed.
    type: dict
    required: true
    suboptions:
      base:
        description: Path in the one-off container of every voting node's own document. The first node's is the base.
        type: str
        default: ''
      start:
        description: What the document starts from when no tool makes a base.
        type: dict
      append:
        description: Lists, as dotted paths, to which the entries of the other nodes' documents are appended.
        type: list
        elements: str
        default: []
      collect:
        description: JSON files of every voting node that are gathered in a list of the document.
        type: list
        elements: dict
        default: []
        suboptions:
          source:
            description: Path in the one-off container.
            type: str
            required: true
          into:
            description: The list, as a dotted path.
            type: str
            required: true
      merge:
        description: Settings laid over the document. Objects are merged, everything else is replaced.
        type: dict
        default: {}
      validate:
        description: Command that judges the document; C({document}) stands for its path. A failure ends the birth.
        type: list
        elements: str
        default: []
      path:
        description: Path of the document in every volume. Without it, the document only serves to make O(document.products).
        type: str
        default: ''
      mode:
        description: Its mode in octal.
        type: str
        default: '0444'
      given:
        description: Public files that every node gets and that are brought.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path in every volume.
            type: str
            required: true
          content:
            description: The text.
            type: str
            required: true
          mode:
            description: File mode in octal.
            type: str
            default: '0444'
      products:
        description: Public files that every node gets and that commands make from the document, in order.
        type: list
        elements: dict
        default: []
        suboptions:
          argv:
            description: Program and arguments. C({document}) stands for the document's path, C({output}) for O(document.products[].source).
            type: list
            elements: str
            default: []
          image:
            description:
              - Image in which the file is made, by its own entry point with O(document.products[].argv) as arguments, without network.
              - The default is the one-off container of the node image.
            type: str
            default: ''
          source:
            description: Absolute path of what was made.
            type: str
            required: true
          path:
            description: Path in every volume.
            type: str
            required: true
          mode:
            description: File mode in octal.
            type: str
            default: '0444'
      genesis:
        description: Path of the file whose digest locks the genesis. The default is O(document.path).
        type: str
        default: ''
  hold:
    description: Command that keeps the one-off container alive; C({lease}) stands for O(lease).
    type: list
    elements: str
    default: [sleep, '{lease}']
  lease:
    description: Seconds after which the one-off container ends by itself, whatever happened to this module.
    type: int
    default: 600
  concurrency:
    description: How many nodes are made side by side; V(0) stands for the number of the Docker host's processors.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Says what would be made; identities and digest that do not exist yet are placeholders that start with C(made-at-birth).
  diff_mode:
    support: full
    description: Shows the genesis and the volumes before and after. Never keys.
  idempotent:
    support: full
    description: Keys are never made twice.
"""

EXAMPLES = r"""
- name: Make the genesis of a chain with two validators
  gravity.cluster.genesis:
    cluster: demo
    image: node:1.0
    chain_id: 1337
    nodes:
      - name: node_0
        role: validator
        volume: demo_node_0-data
        voting_power: 1
        commands:
          - argv: [noded, init, node_0, --home, /birth/node_0]
        identity: [noded, show-id, --home, /birth/node_0]
        files:
          - source: /birth/node_0/key.json
            path: config/key.json
      - name: node_1
        role: validator
        volume: demo_node_1-data
        voting_power: 1
        commands:
          - argv: [noded, init, node_1, --home, /birth/node_1]
        identity: [noded, show-id, --home, /birth/node_1]
        files:
          - source: /birth/node_1/key.json
            path: config/key.json
    document:
      base: /birth/{node}/genesis.json
      append: [validators]
      merge:
        chain_id: 1337
      path: config/genesis.json
"""

RETURN = r"""
digest:
  description: The sha256 of the genesis document.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
chain_id:
  description: Chain id that the genesis was made for.
  returned: success
  type: int
  sample: 1337
validators:
  description: Voting power in the genesis by node.
  returned: success
  type: dict
  sample: {node_0: 1, node_1: 1}
identities:
  description: Public identity by node.
  returned: success
  type: dict
  sample: {node_0: 3f9a6e0c5f8f21c9a0d1a7b52a4e6a1f9f0c7d11}
volumes:
  description: Volume by node.
  returned: success, unless O(phase) is V(look) or V(commit)
  type: dict
  sample: {node_0: demo_node_0-data}
valid:
  description: Volumes of this Docker host that hold a valid genesis, with their labels.
  returned: phases V(look) and V(make)
  type: list
  elements: dict
  sample: [{Name: demo_node_0-data, Labels: {gravity.cluster.node: node_0}}]
filled:
  description: Volumes of this Docker host that only wait for those of other hosts, by the beginning of their digest.
  returned: phase V(look)
  type: dict
  sample: {}
newborn:
  description: Nodes that are to be born, on any Docker host.
  returned: phase V(make)
  type: list
  elements: str
  sample: [node_0]
parts:
  description: What each new voting node gives to the genesis document, as text. It is public.
  returned: phases V(make) and V(share)
  type: dict
  sample: {node_0: '{"base": null, "append": {"accounts": []}, "collect": []}'}
shared:
  description: The public files that all nodes have, by path, as text; on one of the Docker hosts.
  returned: phases V(make) and V(share)
  type: dict
  sample: {config/genesis.json: '{"chain": 7}'}
reasons:
  description: What was done, one line each.
  returned: success
  type: list
  elements: str
  sample: ['node_4: joins the genesis']
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._birth import ensure
from ansible_collections.gravity.cluster.plugins.module_utils._birth_hosts import PHASES
from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module

TEXT: t.Dict[str, t.Any] = {"type": "str", "required": True}
TEXTS: t.Dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}

NODE: t.Dict[str, t.Any] = {
    "name": TEXT,
    "role": TEXT,
    "host": {"type": "str", "default": ""},
    "volume": TEXT,
    "voting_power": {"type": "int", "default": 0},
    "commands": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"argv": {"type": "list", "elements": "str", "required": True}, "quiet": {"type": "bool", "default": False}},
    },
    "identity": TEXTS,
    "known_as": {"type": "str", "default": ""},
    "needs_keys": {"type": "bool", "default": False},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "required_one_of": [("source", "content")],
        "options": {
            "source": {"type": "str"},
            "content": {"type": "str", "no_log": True},
            "path": TEXT,
            "mode": {"type": "str", "default": "0400"},
        },
    },
}

PUBLIC: t.Dict[str, t.Any] = {"path": TEXT, "mode": {"type": "str", "default": "0444"}}

DOCUMENT: t.Dict[str, t.Any] = {
    "base": {"type": "str", "default": ""},
    "start": {"type": "dict"},
    "append": TEXTS,
    "collect": {"type": "list", "elements": "dict", "default": [], "options": {"source": TEXT, "into": TEXT}},
    "merge": {"type": "dict", "default": {}},
    "validate": TEXTS,
    "path": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0444"},
    "given": {"type": "list", "elements": "dict", "default": [], "options": {"content": TEXT, **PUBLIC}},
    "products": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"argv": TEXTS, "image": {"type": "str", "default": ""}, "source": TEXT, **PUBLIC},
    },
    "genesis": {"type": "str", "default": ""},
}

ARGUMENTS: t.Dict[str, t.Any] = {
    "cluster": TEXT,
    "flavor": {"type": "str", "default": ""},
    "image": TEXT,
    "user": {"type": "str", "default": "10001:10001"},
    "chain_id": {"type": "int", "required": True},
    "phase": {"type": "str", "choices": ["all", "look", "make", "share", "fill", "commit"], "default": "all"},
    "host": {"type": "str", "default": ""},
    "hosts": {"type": "dict", "default": {}},
    "nodes": {"type": "list", "elements": "dict", "required": True, "options": NODE},
    "document": {"type": "dict", "required": True, "options": DOCUMENT},
    "hold": {"type": "list", "elements": "str", "default": ["sleep", "{lease}"]},
    "lease": {"type": "int", "default": 600},
    "origin": {"type": "str", "default": ""},
    "concurrency": {"type": "int", "default": 0},
}


def run(params: t.Mapping[str, t.Any], *others: t.Any) -> t.Dict[str, t.Any]:
    """The phase that is asked for."""
    return PHASES.get(params["phase"], ensure)(params, *others)


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
