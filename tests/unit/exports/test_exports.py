# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs get to read of a cluster."""

from __future__ import annotations

import json
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._exports import env_export, nodes_export, targets_export

Data = t.Dict[str, t.Any]
CLUSTER: Data = {"name": "demo", "network": {"name": "demo-net", "chain_id": 1337}}
LOCAL = {"local": "127.0.0.1"}
FAR = {"alpha": "192.0.2.10"}
EXPORTS = (nodes_export, targets_export, env_export)


@dataclass
class NodeInfo:
    """All that the reader of nodes.json takes of a node."""

    node_id: str
    type: str
    role: str
    host: str
    rpc_port: int
    metrics_port: int
    ws_port: t.Optional[int] = None
    p2p_port: t.Optional[int] = None
    description: str = ""
    connected_to: t.Optional[t.List[str]] = None
    capabilities: t.Optional[t.List[str]] = None


def port(host: t.Optional[int], address: str = "127.0.0.1") -> Data:
    return {"container": 8545, "host": host, "address": address, "protocol": "tcp"}


def node(number: int = 0, role: str = "validator", host: str = "local", name: str = "", **ports: t.Any) -> Data:
    """A ``gravity_node``; ``ports`` replace those that it has."""
    known = {"rpc": port(8545 + number), "metrics": port(9001 + number), "p2p": port(None), "ws": port(None), **ports}
    return {"name": name or f"node_{number}", "role": role, "flavor": "toy", "host": host, "ports": known}


def nodes_of(export: Data) -> t.Dict[str, NodeInfo]:
    return {name: NodeInfo(node_id=name, **record) for name, record in json.loads(export["content"])["nodes"].items()}


def lines(export: Data) -> t.List[str]:
    return str(export["content"]).splitlines()


def test_nodes_json_has_the_shape_that_its_reader_takes() -> None:
    made = nodes_export([node(0), node(1), node(2, "vfn")], CLUSTER, LOCAL)
    assert (made["problems"], made["warnings"]) == ([], [])
    document = json.loads(made["content"])
    assert list(document) == ["network", "clusters", "nodes"]
    assert document["network"] == {"name": "demo-net", "chain_id": 1337}
    assert document["clusters"]["demo"]["nodes"] == ["node_0", "node_1", "node_2"]
    assert document["clusters"]["demo"]["test_suites"] == ["all"]
    assert isinstance(document["clusters"]["demo"]["description"], str)
    known = nodes_of(made)
    assert known["node_1"] == NodeInfo("node_1", "validator", "secondary", "127.0.0.1", 8546, 9002, p2p_port=8545)
    assert [(one.type, one.role) for one in known.values()] == [("validator", "primary"), ("validator", "secondary"), ("vfn", "read_only")]
    assert made["content"].endswith("}\n")


def test_nodes_json_knows_two_types() -> None:
    known = nodes_of(nodes_export([node(0), node(1, "candidate"), node(2, "pfn"), node(3, "fullnode")], CLUSTER, LOCAL))
    assert [one.type for one in known.values()] == ["validator", "validator", "vfn", "vfn"]
    assert [one.role for one in known.values()] == ["primary", "read_only", "read_only", "read_only"]


def test_the_first_of_the_chosen_validators_is_primary() -> None:
    known = nodes_of(nodes_export([node(3, "vfn"), node(1), node(2)], CLUSTER, LOCAL))
    assert [one.role for one in known.values()] == ["read_only", "primary", "secondary"]


def test_ports_that_are_published_are_named_and_p2p_is_the_containers_otherwise() -> None:
    one = nodes_of(nodes_export([node(ws=port(8746))], CLUSTER, LOCAL))["node_0"]
    assert (one.ws_port, one.p2p_port) == (8746, 8545)
    del (bare := node())["ports"]["ws"], bare["ports"]["p2p"]
    one = nodes_of(nodes_export([bare], CLUSTER, LOCAL))["node_0"]
    assert (one.ws_port, one.p2p_port) == (None, None)


@pytest.mark.parametrize(
    ("address", "where", "reached"),
    [
        ("127.0.0.1", LOCAL, "127.0.0.1"),
        ("0.0.0.0", LOCAL, "127.0.0.1"),
        ("192.0.2.77", LOCAL, "192.0.2.77"),
        ("0.0.0.0", FAR, "192.0.2.10"),
        ("198.51.100.1", FAR, "198.51.100.1"),
    ],
)
def test_a_node_is_reached_where_its_ports_are_published(address: str, where: t.Dict[str, str], reached: str) -> None:
    one = node(host=next(iter(where)), rpc=port(8545, address), metrics=port(9001, address))
    assert nodes_of(nodes_export([one], CLUSTER, where))["node_0"].host == reached
    assert json.loads(targets_export([one], CLUSTER, where)["content"])[0]["targets"] == [f"{reached}:9001"]
    assert f"RPC_URL=http://{reached}:8545" in lines(env_export([one], CLUSTER, where))


def test_what_is_on_the_loopback_of_another_machine_is_not_told_as_if_it_were_here() -> None:
    hidden = [node(host="alpha"), node(1, host="alpha")]
    (problem,) = nodes_export(hidden, CLUSTER, FAR)["problems"]
    assert problem.startswith("node_0, node_1: published on 127.0.0.1 of another machine, open it to this machine with ports: ")
    assert env_export(hidden, CLUSTER, FAR)["problems"] == [problem]
    (warning,) = targets_export(hidden, CLUSTER, FAR)["warnings"]
    assert warning.startswith("node_0, node_1: published on 127.0.0.1 of another machine, left out: ")
    assert targets_export(hidden, CLUSTER, FAR)["content"] == "[]\n"
    some = env_export([*hidden, node(2)], CLUSTER, {**LOCAL, **FAR})
    assert lines(some)[2:] == ["RPC_URL=http://127.0.0.1:8547", "RPC_URLS=http://127.0.0.1:8547", "RPC_URL_NODE_2=http://127.0.0.1:8547"]
    assert some["warnings"] == [warning.replace("metrics", "rpc")]


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ({"metrics": port(None)}, "node_1: no published port metrics, which nodes.json must have: set metrics_port in the spec"),
        ({"rpc": port(None), "metrics": port(None)}, "node_1: no published port rpc and metrics, which"),
        ({"rpc": port(None)}, "--limit 'nodes:!node_1'"),
    ],
)
def test_a_node_without_a_needed_port_is_refused_with_the_remedy(ports: Data, words: str) -> None:
    made = nodes_export([node(0), node(1, **ports)], CLUSTER, LOCAL)
    (problem,) = made["problems"]
    assert words in problem
    assert "\n" not in problem
    assert made["content"] == ""


def test_nodes_that_lack_the_same_share_a_line() -> None:
    lacking = [node(number, metrics=port(None)) for number in range(3)]
    (problem,) = nodes_export(lacking, CLUSTER, LOCAL)["problems"]
    assert problem.startswith("node_0, node_1, node_2: ")
    assert "'nodes:!node_0:!node_1:!node_2'" in problem


def test_one_host_must_do_for_both_needed_ports() -> None:
    one = node(host="alpha", metrics=port(9001, "0.0.0.0"))
    problem = nodes_export([one], CLUSTER, FAR)["problems"][0]
    assert "rpc is published at 127.0.0.1 and metrics is published at 192.0.2.10" in problem
    assert problem.endswith("or leave it out with --limit 'nodes:!node_0'")
    # On this machine both are the same.
    assert nodes_export([node(metrics=port(9001, "0.0.0.0"))], CLUSTER, LOCAL)["problems"] == []


def test_a_port_that_is_published_elsewhere_is_not_reached_at_the_nodes_host() -> None:
    one = node(p2p=port(26656, "192.0.2.99"))
    assert nodes_of(nodes_export([one], CLUSTER, LOCAL))["node_0"].p2p_port is None


def test_targets_say_whose_metrics_they_are() -> None:
    made = targets_export([node(0), node(1, "vfn", "alpha", metrics=port(9002, "0.0.0.0"))], CLUSTER, {**LOCAL, **FAR})
    labels = {"cluster": "demo", "node": "node_1", "role": "vfn", "flavor": "toy", "docker_host": "alpha"}
    assert json.loads(made["content"])[1] == {"targets": ["192.0.2.10:9002"], "labels": labels}
    assert made["warnings"] == []


def test_a_node_without_metrics_is_left_out_with_a_warning() -> None:
    made = targets_export([node(0), node(1, metrics=port(None)), node(2)], CLUSTER, LOCAL)
    assert [target["labels"]["node"] for target in json.loads(made["content"])] == ["node_0", "node_2"]
    assert made["warnings"] == ["node_1: no published port metrics, left out: set metrics_port in the spec to have it"]
    assert json.loads(targets_export([node(metrics=port(None))], CLUSTER, LOCAL)["content"]) == []


def test_addresses_of_ip_version_6_stand_in_brackets() -> None:
    one = node(rpc=port(8545, "::1"), metrics=port(9001, "::1"))
    assert json.loads(targets_export([one], CLUSTER, LOCAL)["content"])[0]["targets"] == ["[::1]:9001"]
    assert "RPC_URL=http://[::1]:8545" in lines(env_export([one], CLUSTER, LOCAL))


def test_the_environment_names_every_node() -> None:
    made = env_export([node(5, "vfn", name="full-node.5"), node(0), node(1)], CLUSTER, LOCAL)
    assert lines(made) == [
        "GRAVITY_CLUSTER=demo",
        "GRAVITY_CHAIN_ID=1337",
        "RPC_URL=http://127.0.0.1:8545",
        "RPC_URLS=http://127.0.0.1:8550,http://127.0.0.1:8545,http://127.0.0.1:8546",
        "RPC_URL_FULL_NODE_5=http://127.0.0.1:8550",
        "RPC_URL_NODE_0=http://127.0.0.1:8545",
        "RPC_URL_NODE_1=http://127.0.0.1:8546",
    ]


def test_without_a_validator_the_first_node_answers() -> None:
    made = env_export([node(0, rpc=port(None)), node(1, "vfn"), node(2, "pfn")], CLUSTER, LOCAL)
    assert "RPC_URL=http://127.0.0.1:8546" in lines(made)
    assert made["warnings"] == ["node_0: no published port rpc, left out: set rpc_port in the spec to have it"]


def test_no_url_at_all_is_refused() -> None:
    made = env_export([node(0, rpc=port(None)), node(1, rpc=port(None))], CLUSTER, LOCAL)
    assert made["problems"] == ["node_0, node_1: no published port rpc, so there are no URLs: set rpc_port in the spec"]


def test_two_nodes_with_one_variable_are_refused() -> None:
    (problem,) = env_export([node(name="a-1"), node(name="a.1")], CLUSTER, LOCAL)["problems"]
    assert problem.startswith("a.1: RPC_URL_A_1 would be that of a-1 too: ")


@pytest.mark.parametrize("name", ["$HOME", "a b", "it's", 'a"b', "a#b", "`id`", "a\nB=1"])
def test_what_a_shell_and_docker_read_differently_is_refused(name: str) -> None:
    made = env_export([node()], {**CLUSTER, "name": name}, LOCAL)
    (problem,) = made["problems"]
    assert problem.startswith("GRAVITY_CLUSTER: ")
    assert "\n" not in problem
    assert made["content"] == ""


def test_a_shell_reads_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "cluster.env"
    made = env_export([node(0), node(1, rpc=port(8546, "::1"))], {**CLUSTER, "name": "My_cluster-1.x"}, LOCAL)
    file.write_text(made["content"], encoding="utf-8")
    shown = subprocess.run(["sh", "-c", f"set -a; . {file}; env"], capture_output=True, text=True, check=True, env={}).stdout
    assert set(lines(made)) <= set(shown.splitlines())


def test_all_exports_are_alike() -> None:
    for export in EXPORTS:
        assert list(export([node()], CLUSTER, LOCAL)) == ["content", "problems", "warnings"]
