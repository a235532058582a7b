# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors, records, the inventory, and the environment that Ansible gets."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path

import pytest
from gravity_cluster import Cluster, ClusterError, NodeHealth, NodeUnknown, RpcError, RpcUnreachable, SpecError
from gravity_cluster.environment import NEEDED, environment, find_collection, link
from gravity_cluster.inventory import parse

ROOT = Path(__file__).parents[3]
RECORD = {
    "node": "node_1",
    "role": "validator",
    "flavor": "injective",
    "host": "local",
    "container": "c",
    "address": "172.20.0.11",
    "rpc_url": "http://127.0.0.1:8546",
    "state": "running",
    "height": 7,
    "peers": 3,
    "syncing": False,
    "chain_id": 1337,
    "block_hash": "0xab",
    "rpc_error": None,
    "restarts": 0,
    "something_new": 1,
}


def test_an_error_says_everything() -> None:
    error = ClusterError("stop: no", playbook="stop", failures={"node_0": "no"}, stdout="all")
    assert (str(error), error.message, error.playbook, error.failures, error.stdout) == (
        "stop: no",
        "stop: no",
        "stop",
        {"node_0": "no"},
        "all",
    )
    assert (ClusterError("x").playbook, ClusterError("x").failures, ClusterError("x").stdout) == (None, {}, "")


def test_all_errors_are_one_tree() -> None:
    for error in (SpecError(["a"]), NodeUnknown("x", ["y"]), RpcError("m", 1, "t"), RpcUnreachable("t")):
        assert isinstance(error, ClusterError)


def test_a_spec_error_has_all_problems() -> None:
    error = SpecError(["a.yml: x", "a.yml: y"])
    assert error.problems == ("a.yml: x", "a.yml: y")
    assert str(error) == "a.yml: x; a.yml: y"


def test_an_unknown_node_is_a_key_error_that_can_be_read() -> None:
    error = NodeUnknown("nod_1", ["node_0", "node_1"])
    assert isinstance(error, KeyError)
    assert str(error) == "there is no node 'nod_1'; the cluster has node_0, node_1"


def test_an_rpc_error_has_code_and_message() -> None:
    error = RpcError("eth_nope", -32601, "not available", {"a": 1})
    assert (error.code, error.message, error.data) == (-32601, "not available", {"a": 1})
    assert str(error) == "eth_nope: not available (code -32601)"


def test_health_is_a_frozen_value() -> None:
    health = NodeHealth.from_record(RECORD)
    assert (health.name, health.state, health.height, health.block_hash, health.error) == ("node_1", "running", 7, "0xab", None)
    assert NodeHealth.from_record({**RECORD, "rpc_error": "refused"}).error == "refused"
    assert NodeHealth.from_record({"node": "n", "state": "unknown"}) == NodeHealth("n", "unknown")
    assert pickle.loads(pickle.dumps(health)) == health
    with pytest.raises(dataclasses.FrozenInstanceError):
        health.height = 8  # type: ignore[misc]


def listed(name: str) -> str:
    """What `ansible-inventory --list` writes for a cluster of two nodes and a Docker host."""
    safe = {"__ansible_unsafe": name}
    fields = {"role": "validator", "flavor": "generic", "host": "local", "network_ip": "10.0.0.1"}
    nodes = {
        node: {
            "gravity_cluster": {"name": safe},
            "gravity_node": {**fields, "name": {"__ansible_unsafe": node}, "container_name": f"c-{node}", "rpc_url": url},
        }
        for node, url in (("b", {"__ansible_unsafe": "http://127.0.0.1:1"}), ("a", None))
    }
    hosts = {**nodes, "local": {"gravity_cluster": {"name": safe}}}
    return json.dumps({"_meta": {"hostvars": hosts}, "nodes": {"hosts": ["b", "a"]}, "docker_hosts": {"hosts": ["local"]}})


def test_the_inventory_has_the_nodes_in_the_order_of_the_spec() -> None:
    inventory = parse(listed("{{ demo }}"), "cluster.yml")
    assert inventory.name == "{{ demo }}"
    assert list(inventory.nodes) == ["b", "a"]
    assert inventory.node("b").rpc_url == "http://127.0.0.1:1"
    assert inventory.node("a").rpc_url is None
    with pytest.raises(NodeUnknown, match="the cluster has b, a"):
        inventory.node("c")
    with pytest.raises(TypeError):
        inventory.nodes["c"] = inventory.nodes["a"]  # type: ignore[index]


LOCAL = {"ansible_connection": "local"}


@pytest.mark.parametrize(
    ("host", "engine", "docker_host", "published", "expected"),
    [
        (LOCAL, None, "", "127.0.0.1", "http://127.0.0.1:8545"),
        (LOCAL, None, "", "0.0.0.0", "http://127.0.0.1:8545"),
        (LOCAL, "tcp://192.0.2.5:2376", "", "0.0.0.0", "http://192.0.2.5:8545"),
        (LOCAL, "tcp://[2001:db8::7]:2376", "", "0.0.0.0", "http://[2001:db8::7]:8545"),
        ({**LOCAL, "engine_url": "ssh://me@far"}, None, "", "127.0.0.1", None),
        (LOCAL, None, "tcp://far:2375", "127.0.0.1", None),
        ({}, None, "tcp://near:2375", "0.0.0.0", "http://alpha:8545"),
        ({"ansible_host": "192.0.2.6"}, None, "", "127.0.0.1", None),
    ],
)
def test_the_rpc_url_works_from_here_or_there_is_none(
    host: dict[str, str], engine: str | None, docker_host: str, published: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    node = {
        "name": "a",
        "role": "validator",
        "flavor": "generic",
        "host": "alpha",
        "network_ip": "10.0.0.1",
        "container_name": "c",
        "rpc_url": "http://127.0.0.1:8545",
        "ports": {"rpc": {"container": 8545, "host": 8545, "address": published}},
        "ready": {"conditions": [{"is": "chain_id", "value": 1337}]},
    }
    variables = {"a": {"gravity_cluster": {"name": "demo", "hosts": ["alpha"]}, "gravity_node": node}, "alpha": host}
    found = parse(json.dumps({"_meta": {"hostvars": variables}, "nodes": {"hosts": ["a"]}}), "cluster.yml", engine).node("a")
    assert (found.rpc_url, found.chain_id) == (expected, 1337)
    assert (found.rpc_problem is None) == (expected is not None)


@pytest.mark.parametrize("text", ["{}", '{"_meta": {"hostvars": {"x": {}}}, "nodes": {"hosts": ["x"]}}'])
def test_an_inventory_without_nodes_is_no_spec(text: str) -> None:
    with pytest.raises(SpecError, match=r"hosts.yml: holds no cluster"):
        parse(text, "hosts.yml")


def test_what_is_needed_wins_and_what_is_preferred_does_not() -> None:
    caller = {"ANSIBLE_TIMEOUT": "5", "ANSIBLE_STDOUT_CALLBACK": "json", "PATH": "/usr/bin"}
    found = environment(caller, "/t", None)
    assert "ANSIBLE_TIMEOUT" not in found
    assert found["ANSIBLE_FORKS"] == "20"
    assert found["ANSIBLE_STDOUT_CALLBACK"] == NEEDED["ANSIBLE_STDOUT_CALLBACK"]
    assert found["PATH"].endswith(f"{os.pathsep}/usr/bin")
    assert "ANSIBLE_COLLECTIONS_PATH" not in found
    assert found["TMPDIR"] == "/t"


def test_our_collection_is_searched_first_and_the_callers_still_are() -> None:
    assert environment({"ANSIBLE_COLLECTIONS_PATH": "/theirs"}, "/t", "/ours")["ANSIBLE_COLLECTIONS_PATH"] == "/ours:/theirs"
    assert "~/.ansible/collections" in environment({}, "/t", "/ours")["ANSIBLE_COLLECTIONS_PATH"]


def test_the_repository_around_the_package_is_the_collection(tmp_path: Path) -> None:
    assert find_collection(None, ROOT / "testing/src/gravity_cluster/cluster.py") == ROOT
    (tmp_path / "galaxy.yml").write_text("namespace: other\nname: cluster\n", encoding="utf-8")
    assert find_collection(None, tmp_path / "site-packages" / "gravity_cluster" / "cluster.py") is None
    assert find_collection(ROOT, tmp_path) == ROOT


def test_a_folder_that_is_not_the_collection(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"it has no playbooks/deploy.yml"):
        Cluster("cluster.yml", collection=tmp_path)


def test_the_link_makes_the_collection_known_by_its_name(tmp_path: Path) -> None:
    first = Path(link(ROOT, tmp_path / "collections").split(os.pathsep)[0])
    assert (first / "ansible_collections/gravity/cluster/playbooks/deploy.yml").is_file()


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file"):
        list(Cluster(tmp_path / "cluster.yml").nodes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("plugin: gravity.cluster.spec\nnodes: [\n", "not YAML"),
        ("plugin: gravity.cluster.spec\nnodez: {}\n", "nodez: unknown key; did you mean 'nodes'?"),
        ("group: {hosts: {a: {}}}\n", "holds no cluster"),
    ],
)
def test_what_ansible_refuses_is_a_spec_error(tmp_path: Path, text: str, problem: str) -> None:
    """These ask Ansible."""
    spec = tmp_path / "cluster.yml"
    spec.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        list(Cluster(spec, collection=ROOT).nodes)
    assert caught.value.problems[0].startswith(f"{spec}: {problem}")
