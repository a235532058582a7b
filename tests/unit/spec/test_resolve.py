# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from a spec."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from .conftest import Spec

ROOT = Path(__file__).parents[3]


def test_a_node_has_every_field_of_the_contract(spec: Spec) -> None:
    assert spec.node(name="db_1") == {
        "name": "db_1",
        "role": "service",
        "flavor": "generic",
        "host": "local",
        "ordinal": 1,
        "container_name": "gravity_db_1",
        "network_ip": "172.20.0.201",
        "aliases": ["db_1"],
        "voting_power": 0,
        "image": {"source": "present", "name": "tiny:1"},
        "ports": {},
        "command": None,
        "entrypoint": None,
        "env": {},
        "user": None,
        "volumes": [],
        "tmpfs": None,
        "files": [],
        "labels": {},
        "resources": {"cpus": None, "memory": None, "pids": None},
        "ulimits": {},
        "cap_add": [],
        "group_add": [],
        "security_opt": [],
        "devices": [],
        "binds": [],
        "sysctls": {},
        "extra_hosts": {},
        "log": {},
        "hostname": None,
        "init": None,
        "stop_signal": None,
        "working_dir": None,
        "shm_size": None,
        "gpus": None,
        "read_only": None,
        "restart": None,
        "stop_grace": None,
        "health": None,
        "ready": {"probes": {}, "conditions": [], "together": [], "timeout": None, "stable": None, "crash_loop": None},
        "config": {},
        "advertised": {},
        "config_dir": None,
        "log_files": [],
        "storage": {"clear": [], "keep": []},
        "rpc_url": None,
    }


def test_the_local_cluster_is_the_promised_one(spec: Spec) -> None:
    path = ROOT / "inventories" / "local" / "cluster.yml"
    resolved = spec.text(path.read_text(encoding="utf-8"), str(path))
    assert resolved["hosts"] == {"local": {"ansible_connection": "local"}}
    assert resolved["cluster"] == {
        "name": "gravity-local-cluster",
        "network": {
            "name": "gravity-cluster",
            "subnet": "172.20.0.0/24",
            "gateway": "172.20.0.1",
            "chain_id": 1337,
            "driver": "bridge",
            "encrypted": False,
            "mtu": None,
            "addresses": {},
        },
        "hosts": ["local"],
        "nodes": ["node_0", "node_1", "node_2", "node_3"],
        "validators": {"node_0": 1, "node_1": 1, "node_2": 1, "node_3": 1},
        "flavors": ["injective"],
        "unrecorded": [],
    }
    for number, node in enumerate(resolved["nodes"].values()):
        assert node["container_name"] == f"gravity_node_{number}"
        assert node["network_ip"] == f"172.20.0.{10 + number}"
        assert node["rpc_url"] == f"http://127.0.0.1:{8545 + number}"
        assert node["role"] == "validator"
        assert {"is": "chain_id", "value": 1337} in node["ready"]["conditions"]
        assert {"is": "peers_at_least", "value": 2} in node["ready"]["conditions"]
        assert node["ready"]["together"] == [{"is": "same_block_hash"}]


def test_the_older_json_keeps_every_word(spec: Spec) -> None:
    path = ROOT / "tests" / "fixtures" / "cluster.json"
    older = json.loads(path.read_text(encoding="utf-8"))
    resolved = spec.text(path.read_text(encoding="utf-8"), str(path), older=True)
    assert resolved["cluster"]["flavors"] == ["gravity"]
    assert resolved["cluster"]["network"]["name"] == "gravity-cluster"
    assert list(resolved["nodes"]) == list(older["nodes"])
    for name, given in older["nodes"].items():
        node = resolved["nodes"][name]
        for key in ("container_name", "role", "network_ip"):
            assert node[key] == given[key]
        assert node["config_dir"] == str(path.parent / given["config_dir"])
        for key in ("rpc", "metrics", "p2p", "inspection"):
            assert node["ports"][key]["host"] == given[f"{key}_port"]
        assert node["image"] == {"source": "present", "name": "gravity_node:latest"}


def test_the_older_json_asks_what_its_nodes_answer(spec: Spec) -> None:
    path = ROOT / "tests" / "fixtures" / "cluster.json"
    node = spec.text(path.read_text(encoding="utf-8"), str(path), older=True)["nodes"]["node_1"]
    assert list(node["ready"]["probes"]) == ["rpc", "inspection"]
    assert node["ports"]["p2p"] == {"container": 2024, "host": 2025, "address": "127.0.0.1", "protocol": "tcp"}
    assert node["ports"]["https"]["host"] is None


def test_a_flavor_speaks_by_role(spec: Spec) -> None:
    resolved = spec.resolved(
        flavor="gravity",
        nodes={
            "node_0": {},
            "node_7": {"role": "candidate"},
            "vfn_0": {"role": "vfn", "ports": {"public": {}}},
            "pfn_0": {"role": "pfn", "storage": {"clear": ["/x"]}, "log_files": ["/x/log"]},
        },
    )
    nodes = resolved["nodes"]
    assert resolved["cluster"]["validators"] == {"node_0": 1}
    assert [node["network_ip"] for node in nodes.values()] == ["172.20.0.10", "172.20.0.57", "172.20.0.100", "172.20.0.150"]
    assert [node["ports"]["rpc"]["host"] for node in nodes.values()] == [8545, 8602, 8645, 8695]
    assert [sorted(set(node["ports"]) & {"p2p", "vfn", "public", "https", "ws"}) for node in nodes.values()] == [
        ["https", "p2p", "vfn"],
        ["https", "p2p", "vfn"],
        ["public", "vfn"],
        ["public"],
    ]
    assert [sorted(node["ready"]["probes"]) for node in nodes.values()] == [
        ["inspection", "ledger", "rpc"],
        ["inspection", "ledger", "rpc"],
        ["inspection", "rpc"],
        ["inspection", "rpc"],
    ]
    assert nodes["node_0"]["storage"] == {"clear": ["/gravity/data"], "keep": ["/gravity/data/data/secure_storage.json"]}
    assert nodes["vfn_0"]["log_files"] == ["/gravity/data/execution_logs/dev/reth.log", "/gravity/data/consensus_log/vfn.log"]
    assert nodes["pfn_0"]["storage"]["clear"] == ["/x"]
    assert nodes["pfn_0"]["log_files"] == ["/x/log"]


def test_the_older_json_may_name_another_flavor(spec: Spec) -> None:
    text = json.dumps({"cluster_name": "x", "flavor": "injective", "nodes": {"node_0": {"role": "validator"}}})
    assert spec.text(text, "cluster.json", older=True)["nodes"]["node_0"]["flavor"] == "injective"


def test_the_layers_in_their_order(spec: Spec) -> None:
    layers: t.Dict[str, t.Any] = {
        "image": "top:1",
        "config": {"a": "top", "b": "top", "c": "top", "d": {"x": 1, "y": [1, 2]}},
        "defaults": {"config": {"b": "defaults", "c": "defaults"}, "env": {"A": "defaults", "B": 1}, "command": ["sleep", 1]},
        "roles": {"worker": {"config": {"c": "role"}, "env": {"B": True}, "image": {"source": "present", "name": "role:1"}}},
        "nodes": {
            "a_0": {"role": "worker", "config": {"d": {"y": [3]}}, "env": {"C": 0.5}},
            "b_1": {"role": "service", "command": "run --it 'a b'"},
        },
    }
    nodes = spec.resolved(**layers)["nodes"]
    assert nodes["a_0"]["config"] == {"a": "top", "b": "defaults", "c": "role", "d": {"x": 1, "y": [3]}}
    assert nodes["a_0"]["env"] == {"A": "defaults", "B": "true", "C": "0.5"}
    assert nodes["a_0"]["image"] == {"source": "present", "name": "role:1"}
    assert nodes["a_0"]["command"] == ["sleep", "1"]
    assert nodes["b_1"]["image"] == {"source": "pull", "name": "top:1"}
    assert nodes["b_1"]["command"] == ["run", "--it", "a b"]


def test_null_leaves_what_is_below(spec: Spec) -> None:
    assert spec.node({"command": None}, defaults={"command": ["a"]})["command"] == ["a"]


def test_settings_of_the_flavor_have_its_defaults(spec: Spec) -> None:
    nodes = spec.resolved(flavor="injective", image=None, config={"log_level": "error"}, nodes={"a_[0:3]": {}})["nodes"]
    assert nodes["a_0"]["config"]["timeout_commit"] == "500ms"
    assert nodes["a_0"]["config"]["log_level"] == "error"
    assert nodes["a_0"]["role"] == "validator"


@pytest.mark.parametrize(
    ("written", "port"),
    [
        ("8080:80", {"container": 80, "host": 8080}),
        ("80", {"container": 80, "host": 80}),
        ("53:53/udp", {"container": 53, "host": 53, "protocol": "udp"}),
        ("0.0.0.0:8443:443/tcp", {"container": 443, "host": 8443, "address": "0.0.0.0"}),
        (8080, {"container": 8080, "host": 8080}),
        ({"container": 80, "host": None}, {"container": 80, "host": None}),
        ({"container": 80, "base": 18000}, {"container": 80, "host": 18205}),
        ({"host": 81}, {"container": 81, "host": 81}),
    ],
)
def test_ports(spec: Spec, written: t.Any, port: t.Dict[str, t.Any]) -> None:
    node = spec.node({"ports": {"web": written}}, name="web_5")
    assert node["ports"]["web"] == {"address": "127.0.0.1", "protocol": "tcp", **port}


def test_ports_of_several_layers(spec: Spec) -> None:
    nodes = {
        "a_0": {},
        "a_1": {"rpc_port": 9000},
        "a_2": {"ports": {"rpc": {"host": None}}},
        "a_3": {"ports": {"rpc": {"address": "0.0.0.0"}}},
    }
    resolved = spec.resolved(flavor="injective", image=None, nodes=nodes)["nodes"]
    assert [node["ports"]["rpc"]["host"] for node in resolved.values()] == [8545, 9000, None, 8548]
    assert [node["rpc_url"] for node in resolved.values()] == [
        "http://127.0.0.1:8545",
        "http://127.0.0.1:9000",
        "http://172.20.0.12:8545",
        "http://127.0.0.1:8548",
    ]


def bound(source: str, target: str, read_only: bool = True) -> t.Dict[str, t.Any]:
    return {"source": source, "target": target, "read_only": read_only}


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("stop_grace", "1m30s", 90),
        ("stop_grace", "1000ms", 1),
        ("stop_grace", 12, 12),
        ("user", 10001, "10001"),
        ("ulimits", {"nofile": 1048576, "memlock": -1}, {"nofile": "1048576:1048576", "memlock": "-1:-1"}),
        ("ulimits", {"nofile": "1024:4096", "nproc": "64:-1"}, {"nofile": "1024:4096", "nproc": "64:-1"}),
        ("user", "10001:10001", "10001:10001"),
        (
            "volumes",
            ["data:/data", "conf:/etc/x:ro"],
            [{"name": "data", "target": "/data", "read_only": False}, {"name": "conf", "target": "/etc/x", "read_only": True}],
        ),
        ("files", [{"path": "/data/a", "content": "b"}], [{"path": "/data/a", "content": "b", "mode": "0644"}]),
        ("files", [{"path": "/data/a", "content": "b", "mode": 0o600}], [{"path": "/data/a", "content": "b", "mode": "0600"}]),
        ("health", {"test": "true", "interval": "5s"}, {"test": ["CMD-SHELL", "true"], "interval": 5}),
        ("health", {"test": ["true"]}, {"test": ["CMD", "true"]}),
        ("health", {"test": ["CMD", "true"]}, {"test": ["CMD", "true"]}),
        ("aliases", ["db", "a_0"], ["a_0", "db"]),
        ("restart", False, "no"),
        ("restart", "on-failure", "on-failure"),
        ("restart", "on-failure:3", "on-failure:3"),
        ("hostname", "db.example", "db.example"),
        ("init", False, False),
        ("stop_signal", "SIGINT", "SIGINT"),
        ("stop_signal", 2, "2"),
        ("sysctls", {"net.core.somaxconn": 512, "kernel.shmmax": "1"}, {"net.core.somaxconn": "512", "kernel.shmmax": "1"}),
        (
            "extra_hosts",
            {"host.docker.internal": "host-gateway", "six": "fd00::1"},
            {"host.docker.internal": "host-gateway", "six": "fd00::1"},
        ),
        ("log", {"max_size": "1M"}, {"max_size": "1M"}),
        ("log", {"max_size": 1000, "max_file": 1}, {"max_size": "1000", "max_file": 1}),
        ("working_dir", "/srv//www/", "/srv/www"),
        ("working_dir", "/", "/"),
        ("shm_size", "256M", "256m"),
        ("group_add", [20, "dialout"], ["20", "dialout"]),
        ("security_opt", ["seccomp:unconfined", "no-new-privileges:false"], ["seccomp=unconfined", "no-new-privileges=false"]),
        ("devices", ["/dev/fuse", "/dev/a:/dev/b", "/dev/a:mr"], ["/dev/fuse:/dev/fuse:rwm", "/dev/a:/dev/b:rwm", "/dev/a:/dev/a:rm"]),
        ("gpus", "all", "all"),
        ("gpus", 2, "2"),
        ("gpus", "device=0,1", "device=0,1"),
        ("binds", ["/srv/a:/a", "/:/host:ro"], [bound("/srv/a", "/a"), bound("/", "/host")]),
        ("binds", ["/srv/a:/a:rw"], [bound("/srv/a", "/a", read_only=False)]),
        ("binds", [{"source": "/srv/a", "target": "/a/"}], [bound("/srv/a", "/a")]),
        ("labels", {"a": 1, "b": "{{ lookup('pipe', 'id') }}"}, {"a": "1", "b": "{{ lookup('pipe', 'id') }}"}),
        ("resources", {"cpus": 1, "memory": "2G"}, {"cpus": 1, "memory": "2g", "pids": None}),
    ],
)
def test_values(spec: Spec, field: str, written: t.Any, meant: t.Any) -> None:
    assert spec.node({field: written})[field] == meant


def test_paths_of_an_image_are_relative_to_the_spec(spec: Spec, tmp_path: Path) -> None:
    data = {**Spec.base, "image": {"source": "build", "name": "a:1", "context": "../src"}, "nodes": {"a_0": None}}
    image = spec.text(json.dumps(data), str(tmp_path / "inventory" / "cluster.yml"))["nodes"]["a_0"]["image"]
    assert image == {"source": "build", "name": "a:1", "context": str(tmp_path / "src")}


def test_probes_of_a_node(spec: Spec) -> None:
    ready = {
        "probes": {
            "web": {"type": "http", "port": "web", "path": "health", "status": 204},
            "raw": {"type": "tcp", "port": 6379},
            "self": {"type": "exec", "command": "check me"},
            "far": {"type": "http", "url": "http://192.0.2.1/"},
        },
        "timeout": "2m",
    }
    node = spec.node({"ports": {"web": {"container": 80, "host": 8080, "address": "0.0.0.0"}}, "ready": ready})
    assert node["ready"] == {
        "probes": {
            "web": {"type": "http", "status": 204, "url": "http://127.0.0.1:8080/health"},
            "raw": {"type": "tcp", "host": "172.20.0.200", "port": 6379},
            "self": {"type": "exec", "command": ["check", "me"]},
            "far": {"type": "http", "url": "http://192.0.2.1/"},
        },
        "conditions": [
            {"is": "http_status", "probe": "web"},
            {"is": "tcp_open", "probe": "raw"},
            {"is": "exec_ok", "probe": "self"},
            {"is": "http_status", "probe": "far"},
        ],
        "together": [],
        "timeout": 120,
        "stable": None,
        "crash_loop": None,
    }


def test_readiness_replaces_the_flavors_key_by_key(spec: Spec) -> None:
    ready = {"conditions": [{"is": "height_at_least", "value": 9}]}
    node = spec.resolved(flavor="injective", image=None, nodes={"a_0": {"ready": ready}, "a_1": {}})["nodes"]
    assert node["a_0"]["ready"]["conditions"] == [{"is": "height_at_least", "value": 9}]
    assert set(node["a_0"]["ready"]["probes"]) == {"rpc", "consensus"}
    assert len(node["a_1"]["ready"]["conditions"]) == 5


@pytest.mark.parametrize(
    ("powers", "peers"),
    [
        ([1], [0]),
        ([1, 1], [1, 1]),
        ([1, 1, 1], [2, 2, 2]),
        ([1] * 4, [2] * 4),
        ([1] * 7, [4] * 7),
        ([10, 1, 1, 1], [0, 1, 1, 1]),
        ([5, 3, 2], [1, 1, 1]),
    ],
)
def test_quorum_peers(spec: Spec, powers: t.List[int], peers: t.List[int]) -> None:
    nodes: t.Dict[str, t.Any] = {f"a_{number}": {"voting_power": power} for number, power in enumerate(powers)}
    nodes["full_0"] = {"role": "fullnode"}
    resolved = spec.resolved(flavor="injective", image=None, nodes=nodes)["nodes"].values()
    wanted = [
        next(condition["value"] for condition in node["ready"]["conditions"] if condition["is"] == "peers_at_least") for node in resolved
    ]
    assert wanted == [*peers, 1]


def test_docker_hosts(spec: Spec) -> None:
    hosts: t.Dict[str, t.Any] = {
        "alpha": {"ansible_host": "192.0.2.1", "ansible_user": "ops"},
        "beta": {"vars": {"disk": "/srv"}},
        "here": {"ansible_connection": "local"},
    }
    resolved = spec.resolved(hosts=hosts, nodes={"a_0": {"host": "alpha"}, "a_1": {"host": "here"}})
    assert resolved["hosts"] == {
        "alpha": {"ansible_host": "192.0.2.1", "ansible_user": "ops"},
        "beta": {"disk": "/srv", "ansible_host": "beta"},
        "here": {"ansible_connection": "local"},
    }
    assert resolved["cluster"]["hosts"] == ["alpha", "beta", "here"]


def test_the_only_docker_host_carries_all(spec: Spec) -> None:
    assert spec.node(hosts={"alpha": {}})["host"] == "alpha"


def test_names_of_containers(spec: Spec) -> None:
    assert spec.node(container_prefix="")["container_name"] == "a_0"
    assert spec.node(container_prefix="x-")["container_name"] == "x-a_0"


def test_ten_thousand_nodes_are_validated_once(spec: Spec) -> None:
    hosts = {f"h{number}": {} for number in range(10)}
    resolved = spec.resolved(network={"subnet": "10.0.0.0/16"}, hosts=hosts, nodes={"node_[0:9999]": {}})
    assert len(resolved["nodes"]) == 10000
    assert resolved["nodes"]["node_9999"]["network_ip"] == "10.0.39.215"


def test_placed_nodes_get_their_ports_on_their_own_host(spec: Spec) -> None:
    nodes = {"a_[0:3]": {"ports": {"web": {"container": 80, "host": 8080}}}}
    hosts = {name: {"ansible_host": name, "labels": {"rack": name}} for name in ("h0", "h1", "h2", "h3")}
    found = spec.resolved(hosts=hosts, nodes=nodes)
    assert [found["nodes"][f"a_{number}"]["host"] for number in range(4)] == ["h0", "h1", "h2", "h3"]
    assert found["hosts"]["h0"] == {"ansible_host": "h0"}
    assert spec.resolved(hosts=hosts, nodes={"a_0": {"placement": {"labels": {"rack": "h2"}}}})["nodes"]["a_0"]["host"] == "h2"


def test_nodes_reach_one_another_in_the_network_of_their_docker_host(spec: Spec) -> None:
    node = spec.node({"role": "validator"}, flavor="injective")
    assert node["advertised"] == {"p2p": {"inside": "172.20.0.10:26656", "outside": "172.20.0.10:26656"}}
    assert node["ports"]["p2p"]["host"] is None


def test_with_host_ports_nodes_elsewhere_are_reached_at_published_ports(spec: Spec) -> None:
    hosts = {
        "alpha": {"ansible_host": "192.0.2.1"},
        "beta": {"ansible_host": "b", "address": "192.0.2.2"},
        "here": {"address": "c.example.org"},
    }
    hosts["here"]["ansible_connection"] = "local"
    nodes = {"v_[0:2]": {"role": "validator"}, "v_3": {"role": "validator", "p2p_port": 4000}, "full_0": {"role": "fullnode"}}
    found = spec.resolved(flavor="injective", network={"driver": "host_ports"}, hosts=hosts, nodes=nodes)["nodes"]
    assert {name: node["advertised"]["p2p"]["outside"] for name, node in found.items()} == {
        "v_0": "192.0.2.1:26656",
        "v_1": "192.0.2.2:26657",
        "v_2": "c.example.org:26658",
        "v_3": "192.0.2.1:4000",
        "full_0": "192.0.2.2:26756",
    }
    assert found["v_1"]["advertised"]["p2p"]["inside"] == "172.20.0.11:26656"
    assert found["v_1"]["ports"]["p2p"] == {"container": 26656, "host": 26657, "address": "0.0.0.0", "protocol": "tcp"}
    assert found["v_1"]["ports"]["rpc"]["address"] == "127.0.0.1"


def test_an_overlay_knows_where_its_docker_hosts_reach_one_another(spec: Spec) -> None:
    hosts = {"alpha": {"ansible_host": "192.0.2.1"}, "beta": {"ansible_host": "b", "address": "192.0.2.2"}}
    given = {"driver": "overlay", "encrypted": True, "mtu": 1400}
    found = spec.resolved(flavor="injective", network=given, hosts=hosts, nodes={"v_[0:1]": {"role": "validator"}})
    network = found["cluster"]["network"]
    assert network["addresses"] == {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
    assert (network["driver"], network["encrypted"], network["mtu"]) == ("overlay", True, 1400)
    assert found["nodes"]["v_1"]["advertised"]["p2p"]["outside"] == "172.20.0.11:26656"


def test_host_ports_on_one_docker_host_need_no_address(spec: Spec) -> None:
    node = spec.node({"role": "validator"}, flavor="injective", network={"driver": "host_ports"})
    assert node["advertised"]["p2p"]["outside"] == "172.20.0.10:26656"


def test_validators_on_too_few_hosts_are_warned_of(spec: Spec) -> None:
    (warning,) = spec.resolved(hosts={"a": {}, "b": {}}, nodes={"v_[0:3]": {"role": "validator"}})["warnings"]
    assert "a 2 of 4, b 2 of 4" in warning
    assert spec.resolved(nodes={"v_[0:3]": {"role": "validator"}})["warnings"] == []


def test_places_in_the_container_have_one_form(spec: Spec) -> None:
    node = spec.node(
        {
            "volumes": ["www://www/"],
            "files": [{"path": "//www/x", "content": ""}],
            "tmpfs": ["/run/:size=64m"],
            "storage": {"clear": ["//www"], "keep": ["//www/./x"]},
        }
    )
    assert node["volumes"][0]["target"] == "/www"
    assert node["files"][0]["path"] == "/www/x"
    assert node["tmpfs"] == ["/run:size=64m"]
    assert node["storage"] == {"clear": ["/www"], "keep": ["/www/x"]}


def test_limits_can_be_taken_away(spec: Spec) -> None:
    limits = {"cpus": "unlimited", "memory": "unlimited", "pids": "unlimited"}
    hosts = {"alpha": {"capacity": {"cpus": 1, "memory": "1g"}}}
    assert spec.node({"resources": limits}, hosts=hosts)["resources"] == limits


def test_a_docker_host_has_as_many_nodes_as_a_bridge_has_ports(spec: Spec) -> None:
    assert len(spec.resolved(network={"subnet": "10.0.0.0/16"}, nodes={"a_[0:1022]": {}})["nodes"]) == 1023


def test_the_addresses_of_docker_hosts_with_ipv6_stand_in_brackets(spec: Spec) -> None:
    hosts = {"alpha": {"ansible_host": "2001:db8::10"}, "beta": {"ansible_host": "192.0.2.11"}}
    nodes = {"v_0": {"role": "validator", "host": "alpha"}, "v_1": {"role": "validator", "host": "beta"}}
    found = spec.resolved(flavor="injective", network={"driver": "host_ports"}, hosts=hosts, nodes=nodes)["nodes"]
    assert found["v_0"]["advertised"]["p2p"]["outside"].startswith("[2001:db8::10]:")
    assert found["v_1"]["advertised"]["p2p"]["outside"].startswith("192.0.2.11:")


def test_a_bridge_has_an_mtu(spec: Spec) -> None:
    assert spec.resolved(network={"mtu": 1400}, nodes={"a_0": {}})["cluster"]["network"]["mtu"] == 1400


def test_keys_that_start_with_x_carry_anchors(spec: Spec) -> None:
    text = "x-small: &small {resources: {cpus: 0.5}}\nx-env: &env {A: 0022}\n"
    text += "plugin: gravity.cluster.spec\ncluster_name: x\nflavor: generic\nimage: tiny:1\nnodes: {a_0: {<<: *small, env: *env}}\n"
    node = spec.text(text)["nodes"]["a_0"]
    assert (node["resources"]["cpus"], node["env"]) == (0.5, {"A": "0022"})
    assert any("x_small: unknown key" in line for line in spec.lines(text.replace("x-small", "x_small")))


def test_a_key_has_as_many_entries_as_somebody_may_mean(spec: Spec) -> None:
    assert len(spec.node({"labels": {f"k{number}": "v" for number in range(1000)}})["labels"]) == 1000
    labels = "".join(f"      k{number}: v\n" for number in range(1001))
    text = "plugin: gravity.cluster.spec\ncluster_name: x\nflavor: generic\nimage: tiny:1\nnodes:\n  a_0:\n    labels:\n"
    assert spec.lines(text + labels) == ["nodes.a_0.labels: 1,001 entries, more than the 1,000 that one key may have; leave some out"]
