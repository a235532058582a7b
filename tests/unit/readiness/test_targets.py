# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Condition, Probe, parse_targets, parse_together

ETH = {"type": "eth", "url": "http://127.0.0.1:8545/"}


def test_a_target_is_read_as_the_filter_makes_it() -> None:
    raw = {
        "name": "node_0",
        "container": "gravity_node_0",
        "probes": {"rpc": ETH, "web": {"type": "http", "url": "http://h:1/x/", "status": "204", "timeout": "0.5"}},
        "conditions": [{"is": "chain_id", "value": "1337"}, {"is": "advancing"}, {"is": "http_status", "probe": "web"}],
    }
    target = parse_targets([raw])[0]
    assert target.probes == (Probe("rpc", "eth", "http://127.0.0.1:8545"), Probe("web", "http", "http://h:1/x/", status=204, timeout=0.5))
    assert target.conditions == (Condition("chain_id", 1337), Condition("advancing"), Condition("http_status", 204, "web"))


@pytest.mark.parametrize(
    ("engine", "place"),
    [
        ("tcp://192.0.2.7:2376", "192.0.2.7"),
        ("tcp://docker.example:2376", "docker.example"),
        ("tcp://127.0.0.1:2376", "127.0.0.1"),
        ("unix:///var/run/docker.sock", "127.0.0.1"),
    ],
)
def test_published_ports_are_asked_where_the_engine_is(engine: str, place: str) -> None:
    probes = {
        "rpc": ETH,
        "port": {"type": "tcp", "host": "127.0.0.1", "port": 9000},
        "web": {"type": "http", "url": "http://172.20.0.10:80/x"},
    }
    found = {probe.name: probe for probe in parse_targets([{"name": "n", "probes": probes}], engine)[0].probes}
    assert (found["rpc"].url, found["port"].host, found["web"].url) == (f"http://{place}:8545", place, "http://172.20.0.10:80/x")


def test_a_chain_id_of_cometbft_stays_a_name() -> None:
    assert parse_targets([{"name": "n", "conditions": [{"is": "chain_id", "value": "gravity-1"}]}])[0].conditions[0].value == "gravity-1"


def test_the_only_probe_of_a_type_needs_not_be_named() -> None:
    raw = {"name": "n", "probes": {"t": {"type": "tcp", "host": "h", "port": "80"}}, "conditions": [{"is": "tcp_open"}]}
    assert parse_targets([raw])[0].conditions == (Condition("tcp_open", None, "t"),)


def test_a_probe_command_may_be_a_string_for_a_shell() -> None:
    probe = {"type": "exec", "command": "test -f /x && y"}
    assert parse_targets([{"name": "n", "probes": {"e": probe}}])[0].probes[0].command == ("sh", "-c", "test -f /x && y")


def test_probes_without_conditions_imply_them() -> None:
    probes = {
        "rpc": ETH,
        "bft": {"type": "cometbft", "url": "http://h"},
        "web": {"type": "http", "url": "http://h"},
        "port": {"type": "tcp", "host": "h", "port": 1},
        "cmd": {"type": "exec", "command": ["x"]},
    }
    assert [(one.name, one.value, one.probe) for one in parse_targets([{"name": "n", "probes": probes}])[0].conditions] == [
        ("answers", None, "rpc"),
        ("answers", None, "bft"),
        ("http_status", 200, "web"),
        ("tcp_open", None, "port"),
        ("exec_ok", None, "cmd"),
    ]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "nodes[0]: a node needs a name"),
        ("x", "nodes[0]: a node needs a name"),
        ({"name": "n", "probes": [1]}, "n: probes is not a mapping"),
        ({"name": "n", "probes": {"x": "y"}}, "n: probes.x: not a mapping"),
        ({"name": "n", "probes": {"x": {"type": "htpp"}}}, "n: probes.x: unknown probe type 'htpp': did you mean http?"),
        ({"name": "n", "probes": {"x": {**ETH, "uri": 1}}}, "n: probes.x: unknown key 'uri': did you mean url?"),
        ({"name": "n", "probes": {"x": {"type": "tcp", "host": "h"}}}, "n: probes.x: a probe of type tcp needs port: add it"),
        ({"name": "n", "probes": {"x": {"type": "tcp", "host": "h", "port": "http"}}}, "n: probes.x: port 'http' is not a whole number"),
        (
            {"name": "n", "probes": {"x": {"type": "eth", "url": "127.0.0.1:8545"}}},
            "n: probes.x: url 127.0.0.1:8545 is not an HTTP address",
        ),
        ({"name": "n", "probes": {"x": {**ETH, "timeout": -1}}}, "n: probes.x: timeout -1 is not a time"),
        ({"name": "n", "probes": {"x": {**ETH, "timeout": "soon"}}}, "n: probes.x: timeout 'soon' is not a time"),
        ({"name": "n", "conditions": ["advancing"]}, "n: conditions[0]: not a mapping"),
        ({"name": "n", "conditions": [{"is": "zzz"}]}, "n: conditions[0]: unknown condition 'zzz': known: advancing, answers,"),
        ({"name": "n", "conditions": [{"is": "height_at_least"}]}, "n: conditions[0]: height_at_least needs a value: add it"),
        ({"name": "n", "conditions": [{"is": "peers_at_least", "value": "all"}]}, "n: conditions[0]: value 'all' is not a whole number"),
        ({"name": "n", "conditions": [{"is": "tcp_open"}]}, "n: conditions[0]: tcp_open has 0 probes of type tcp to look at"),
        ({"name": "n", "conditions": [{"is": "tcp_open", "probe": "x"}]}, "n: conditions[0]: unknown probe 'x': known: none"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(node: t.Any, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_targets([node])
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_conditions_over_all_nodes() -> None:
    assert parse_together([{"is": "same_block_hash"}, {"is": "same_block_hash"}]) == ("same_block_hash",)
    with pytest.raises(Refused, match="did you mean same_block_hash"):
        parse_together([{"is": "same_block"}])
