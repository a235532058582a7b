# SPDX-License-Identifier: GPL-3.0-or-later
"""The config files of flavor gravity are those that Gravity's own tooling renders for the same input.

Each file in golden/ holds the files of one node as data, as ``envsubst`` made them of Gravity's templates.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parent / "golden"

SPEC = """
plugin: gravity.cluster.spec
cluster_name: rendering
flavor: gravity
nodes:
  node_0: {}
  node_1:
    ports:
      p2p: {container: 6181}
      vfn: {container: 6191}
      rpc: {container: 8546}
      metrics: {container: 9002}
      inspection: {container: 10001}
      https: {container: 1025}
      authrpc: {container: 8552}
      reth_p2p: {container: 12025}
    config:
      vfn_discovery_method: none
      http_corsdomain: https://example.org
      http_api: eth,net
      txpool_max_account_slots: 10000
      relayer_rpc_url: https://rpc.example.org
  vfn_0:
    role: vfn
    ports: {public: {}, ws: {}}
    config:
      seeds: [{from: node_0}]
  pfn_0:
    role: pfn
    config:
      prune_transactionlookup_distance: 10064
      seeds:
        - from: vfn_0
        - {peer_id: '0x%064d', host: seed.example.org, port: 6180, network_pk: '0x%064d', role: PreferredUpstream}
  pfn_1: {role: pfn}
  pfn_2: {role: pfn, config: {seeds: [{peer_id: '0xab', address: /dns/seed.example.org/tcp/1/noise-ik/cd/handshake/0, role: Downstream}]}}
  node_9:
    role: candidate
    config:
      peer_hosts: name
      config_path: /etc/gravity
      storage_path: /fast/db
      log_path: /var/log/gravity
      reth_args: {rpc.gascap: 50000000, full: '', http.api: eth}
      env_vars: {MALLOC_CONF: 'thp:always'}
      node_config: {mempool: {capacity_per_user: 7}, consensus: {quorum_store: {db_quota: 9}}, api: {enabled: true}}
  vfn_1: {role: vfn, config: {seeds: [{from: node_9, role: Downstream}]}}
""" % (5, 6)

PLAY = """
- hosts: node_0
  gather_facts: false
  vars:
    nodes: "{{ groups['nodes'] | map('extract', hostvars, 'gravity_node') | list }}"
    cluster_nodes_here: "{{ nodes }}"
    cluster_nodes_all: "{{ nodes }}"
    cluster_genesis_made: {digest: abc, identities: {node_0: '%064d:%064d', vfn_0: '%064d:%064d', node_9: 'aa:bb'}}
    __flavor_gravity_brought: {folders: {}, identities: {}, genesis: null, waypoint: null}
  tasks:
    - ansible.builtin.include_role:
        name: gravity.cluster.flavor_gravity
        tasks_from: define
        public: true
    - ansible.builtin.copy:
        content: "{{ flavor_gravity_containers | to_json }}"
        dest: "{{ target }}"
        mode: '0644'
""" % (1, 2, 3, 4)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The partial container definition of each node."""
    folder = tmp_path_factory.mktemp("rendering")
    (folder / "cluster.yml").write_text(SPEC, encoding="utf-8")
    (folder / "play.yml").write_text(PLAY, encoding="utf-8")
    target = folder / "containers.json"
    subprocess.run(
        [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(folder / "cluster.yml"), str(folder / "play.yml"), "-e", f"target={target}"],
        check=True, capture_output=True, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    return {one["node"]: one for one in json.loads(target.read_text(encoding="utf-8"))}


def files(definition: dict[str, Any], folder: str = "/gravity/config") -> dict[str, Any]:
    """The config files of a node as data, by name."""
    found = {}
    for file in definition["files"]:
        parent, name = file["path"].rsplit("/", 1)
        assert parent == folder
        found[name] = json.loads(file["content"]) if name.endswith(".json") else yaml.safe_load(file["content"])
    return found


def typed(value: Any) -> Any:
    """``value`` with the type of everything in it, for which 1, 1.0 and true are not the same."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


@pytest.mark.parametrize("node", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_files_are_those_of_the_tooling(rendered: dict[str, dict[str, Any]], node: str) -> None:
    golden = json.loads((GOLDEN / f"{node}.json").read_text(encoding="utf-8"))
    assert typed(files(rendered[node])) == typed(golden)


def test_more_keys_and_other_paths(rendered: dict[str, dict[str, Any]]) -> None:
    found = files(rendered["node_9"], "/etc/gravity")
    document, arguments = found["validator.yaml"], found["reth_config.json"]["reth_args"]
    assert document["mempool"] == {"capacity_per_user": 7}
    assert document["api"] == {"enabled": True}
    assert document["consensus"]["quorum_store"]["db_quota"] == 9
    assert document["consensus"]["quorum_store"]["memory_quota"] == 1073741824
    assert document["storage"] == {"dir": "/fast/db"}
    assert document["base"]["waypoint"] == {"from_file": "/etc/gravity/waypoint.txt"}
    assert document["log_file_path"] == "/var/log/gravity/consensus_log/validator.log"
    assert (arguments["rpc.gascap"], arguments["full"], arguments["http.api"]) == (50000000, "", "eth")
    assert arguments["chain"] == "/etc/gravity/genesis.json"
    assert arguments["datadir"] == "/fast/db/reth"
    assert found["reth_config.json"]["env_vars"] == {"BATCH_INSERT_TIME": 20, "MALLOC_CONF": "thp:always"}
    assert {volume["target"] for volume in rendered["node_9"]["volumes"]} == {"/etc/gravity", "/gravity/data"}


def test_a_seed_with_an_address(rendered: dict[str, dict[str, Any]]) -> None:
    networks = files(rendered["pfn_2"])["public_full_node.yaml"]["full_node_networks"]
    assert networks[0]["seeds"] == {"0xab": {"addresses": ["/dns/seed.example.org/tcp/1/noise-ik/cd/handshake/0"], "role": "Downstream"}}


def test_a_peer_that_is_named(rendered: dict[str, dict[str, Any]]) -> None:
    networks = files(rendered["vfn_1"])["validator_full_node.yaml"]["full_node_networks"]
    assert networks[0]["seeds"] == {"0xaa": {"addresses": ["/dns/node_9/tcp/6190/noise-ik/bb/handshake/0"], "role": "Downstream"}}
