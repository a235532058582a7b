# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's container is defined as, from its flavor and the spec."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._definitions import (
    container_definitions,
    network_definition,
    probe_targets,
)


def node(**fields: t.Any) -> t.Dict[str, t.Any]:
    """A resolved node as the inventory gives it."""
    return {
        "name": "node_0",
        "role": "validator",
        "flavor": "generic",
        "container_name": "gravity_node_0",
        "network_ip": "172.20.0.10",
        "image": {"source": "present", "name": "thing:1"},
        "ports": {"rpc": {"container": 8545, "host": 8545, "address": "127.0.0.1", "protocol": "tcp"}},
        **fields,
    }


def definition(partial: t.Dict[str, t.Any], **fields: t.Any) -> t.Dict[str, t.Any]:
    """The one definition that comes out."""
    (result,) = container_definitions([{"node": "node_0", **partial}] if partial else [], [node(**fields)])
    return result


def test_a_node_without_a_word_from_its_flavor_is_defined_by_the_spec() -> None:
    result = definition({})
    assert result["name"] == "gravity_node_0"
    assert result["image"] == "thing:1"
    assert result["network_ip"] == "172.20.0.10"
    assert result["ports"] == [{"container": 8545, "host": 8545, "address": "127.0.0.1", "protocol": "tcp"}]
    assert result["aliases"] == ["node_0"]
    assert "command" not in result


def test_no_node_is_without_limits() -> None:
    assert {key: definition({})[key] for key in ("cpus", "memory", "pids")} == {"cpus": 1.0, "memory": "1g", "pids": 512}


def test_limits_come_from_the_spec_before_the_flavor() -> None:
    result = definition({"resources": {"memory": "2g", "pids": 1024}}, resources={"memory": "3g", "cpus": None})
    assert (result["memory"], result["pids"], result["cpus"]) == ("3g", 1024, 1.0)


def test_limits_on_processes_are_those_of_the_flavor_and_the_spec() -> None:
    result = definition({"ulimits": {"nofile": "8:8", "core": "0:0"}}, ulimits={"nofile": "16:32"})
    assert result["ulimits"] == {"nofile": "16:32", "core": "0:0"}


def test_settings_of_the_flavor_and_the_spec_come_together() -> None:
    flavors: t.Dict[str, t.Any] = {
        "sysctls": {"net.core.somaxconn": "1", "kernel.sem": "2"},
        "devices": ["/dev/a:/dev/a:rwm"],
        "log": {"max_size": "1m", "max_file": 2},
        "stop_signal": "SIGINT",
        "shm_size": "1g",
    }
    result = definition(
        flavors,
        sysctls={"net.core.somaxconn": "9"},
        devices=["/dev/b:/dev/b:r"],
        log={"max_size": None, "max_file": 5},
        shm_size="2g",
        hostname="other",
        init=False,
        binds=[{"source": "/srv", "target": "/srv", "read_only": True}],
    )
    assert result["sysctls"] == {"net.core.somaxconn": "9", "kernel.sem": "2"}
    assert result["devices"] == ["/dev/a:/dev/a:rwm", "/dev/b:/dev/b:r"]
    assert result["log"] == {"max_size": "1m", "max_file": 5}
    assert (result["stop_signal"], result["shm_size"], result["hostname"], result["init"]) == ("SIGINT", "2g", "other", False)
    assert result["binds"] == [{"source": "/srv", "target": "/srv", "read_only": True}]


def test_the_host_name_is_the_nodes_name_unless_the_spec_says_otherwise() -> None:
    assert definition({})["hostname"] == "node-0"


def test_the_spec_replaces_the_command_and_adds_to_the_environment() -> None:
    result = definition({"command": ["a"], "env": {"A": "1", "B": "1"}}, command=["b"], env={"B": 2})
    assert result["command"] == ["b"]
    assert result["env"] == {"A": "1", "B": "2"}


def test_volumes_are_named_after_their_container() -> None:
    result = definition(
        {"volumes": [{"name": "data", "target": "/data"}]}, volumes=[{"name": "more", "target": "/more", "read_only": True}]
    )
    assert [volume["name"] for volume in result["volumes"]] == ["gravity_node_0-data", "gravity_node_0-more"]


def test_a_port_without_a_host_port_is_not_published() -> None:
    ports = {"p2p": {"container": 26656, "host": None, "address": "127.0.0.1", "protocol": "tcp"}}
    assert definition({}, ports=ports)["ports"] == []


def test_labels_of_the_spec_stay_literal() -> None:
    hostile = "{{ lookup('pipe', 'id') }}"
    assert definition({}, labels={"note": hostile, "tier": 1})["labels"] == {"note": hostile, "tier": "1"}


def test_the_network_is_reduced_to_what_the_engine_knows() -> None:
    network = {"name": "n", "subnet": "172.20.0.0/24", "gateway": "172.20.0.1", "driver": "bridge", "chain_id": 1337}
    assert network_definition(network) == {"name": "n", "subnet": "172.20.0.0/24", "gateway": "172.20.0.1", "driver": "bridge"}


@pytest.mark.parametrize(("driver", "more"), [("host_ports", {"driver": "bridge"}), ("overlay", {"external": True, "id": "abc"})])
def test_the_network_of_several_docker_hosts(driver: str, more: t.Dict[str, t.Any]) -> None:
    network = {"name": "n", "subnet": "172.20.0.0/24", "driver": driver, "addresses": {}}
    assert network_definition(network, "abc") == {"name": "n", "subnet": "172.20.0.0/24", "driver": driver, **more}


def test_a_node_must_come_up_to_a_height_that_others_have() -> None:
    ready = {"probes": {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}, "conditions": []}
    (target,) = probe_targets([node(ready=ready)], [], 7)["nodes"]
    assert target["conditions"] == [{"is": "height_at_least", "value": 7}]
    (target,) = probe_targets([node()], [], 7)["nodes"]
    assert target["conditions"] == []


def test_conditions_over_all_nodes_are_collected_once() -> None:
    ready = {"probes": {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}, "conditions": [], "together": [{"is": "same_block_hash"}]}
    targets = probe_targets([node(ready=ready), node(name="node_1", ready=ready), node(name="node_2")])
    assert targets["together"] == [{"is": "same_block_hash"}]
    assert [target["name"] for target in targets["nodes"]] == ["node_0", "node_1", "node_2"]
    assert targets["nodes"][2]["probes"] == {}


def test_a_node_must_come_up_to_its_witnesses() -> None:
    ready = {"probes": {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}, "conditions": [{"is": "not_syncing"}]}
    (target, witness) = probe_targets([node(ready=ready)], [node(name="node_1", ready=ready)])["nodes"]
    assert target["conditions"] == [{"is": "not_syncing"}, {"is": "caught_up"}]
    assert witness["conditions"] == []
    assert witness["probes"] == ready["probes"]


def test_a_node_without_height_has_nothing_to_catch_up_with() -> None:
    ready = {"probes": {"http": {"type": "http", "url": "http://127.0.0.1:80"}}, "conditions": [{"is": "http_status"}]}
    (target, _witness) = probe_targets([node(ready=ready)], [node(name="node_1", ready=ready)])["nodes"]
    assert target["conditions"] == [{"is": "http_status"}]


def test_folders_in_memory() -> None:
    assert "tmpfs" not in definition({})  # the default of the module: /tmp, with a read-only root
    assert definition({}, tmpfs=[])["tmpfs"] == []
    assert definition({}, tmpfs=["/run"])["tmpfs"] == ["/run"]
    assert definition({"tmpfs": ["/tmp", "/a"]}, tmpfs=["/tmp:size=64m"])["tmpfs"] == ["/tmp:size=64m", "/a"]
    assert definition({}, volumes=[{"name": "scratch", "target": "/tmp"}])["tmpfs"] == []


def test_what_is_unlimited_is_not_limited() -> None:
    limits = {"cpus": "unlimited", "memory": "unlimited", "pids": "unlimited"}
    assert not {"cpus", "memory", "pids"} & set(definition({}, resources=limits))
    assert definition({"resources": {"pids": 9}}, resources={"cpus": "unlimited"})["pids"] == 9


def test_the_node_that_may_take_longest_is_waited_for() -> None:
    slow, quick = node(ready={"timeout": 180.5}), node(name="node_1", ready={"timeout": 5})
    assert probe_targets([slow, quick, node(name="node_2")])["timeout"] == 181
    assert probe_targets([quick])["timeout"] == 5
    assert probe_targets([quick, node(name="node_2")])["timeout"] == probe_targets([])["timeout"] == 120


def test_a_bridge_takes_an_mtu() -> None:
    network = {"name": "demo", "subnet": "10.9.0.0/24", "driver": "bridge", "mtu": 1400}
    assert network_definition(network)["options"] == {"com.docker.network.driver.mtu": "1400"}
    assert "options" not in network_definition({**network, "mtu": None})
    assert "options" not in network_definition({**network, "driver": "overlay"}, "id")
