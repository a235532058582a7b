# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a cluster as a compose file."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers, parse_network
from ansible_collections.gravity.cluster.plugins.plugin_utils import _compose as compose
from ansible_collections.gravity.cluster.plugins.plugin_utils._compose_yaml import MERGE, Shared, written

Data = t.Dict[str, t.Any]
NETWORK: Data = {"name": "demo-net", "subnet": "172.30.0.0/24", "gateway": "172.30.0.1", "driver": "bridge"}
NOTHING: Data = {"nodes": [], "volumes": []}

# All that a definition may say.
FULL: Data = {
    "name": "demo-node_0",
    "node": "node_0",
    "role": "validator",
    "flavor": "toy",
    "image": "toy:1",
    "command": ["start", "--price", "5$", "$$x"],
    "entrypoint": ["toy"],
    "env": {"PRICE": "5$", "EMPTY": "", "SPACED": "a b", "WORD": "no"},
    "user": "10001:10001",
    "hostname": "node-0",
    "network_ip": "172.30.0.10",
    "aliases": ["node_0", "first"],
    "ports": [
        {"container": 8545, "host": 18545, "address": "127.0.0.1", "protocol": "tcp"},
        {"container": 30303, "host": 30303, "address": "0.0.0.0", "protocol": "udp"},
    ],
    "volumes": [
        {"name": "demo-node_0-data", "target": "/data", "read_only": False},
        {"name": "demo-node_0-config", "target": "/config", "read_only": True},
    ],
    "tmpfs": ["/tmp", "/scratch:size=64m"],
    "files": [{"path": "/config/node.toml", "content": "price = '$5'\n", "mode": "0640"}],
    "labels": {"tier": "a$b", "note": "one: two # three"},
    "cpus": 1.5,
    "memory": "512m",
    "pids": 512,
    "cap_add": ["NET_ADMIN"],
    "read_only": True,
    "init": True,
    "restart": "on-failure:5",
    "stop_grace": 45,
    "stop_signal": "SIGINT",
    "health": {"test": "test $HOME", "interval": "1s", "timeout": "500ms", "retries": 3, "start_period": "1.5s"},
    "log": {"max_size": "10m", "max_file": 3},
    "ulimits": {"nofile": "1024:65536"},
    "working_dir": "/data/work",
    "shm_size": "256m",
    "group_add": ["20", "dialout"],
    "security_opt": ["seccomp=unconfined"],
    "devices": ["/dev/fuse", "/dev/ttyUSB0:/dev/tty0:rw"],
    "binds": [{"source": "/srv/a$b", "target": "/srv"}],
    "sysctls": {"net.core.somaxconn": 1024},
    "extra_hosts": {"other": "192.0.2.1"},
    "genesis": "ab12cd",
}


def definition(number: int = 0, **fields: t.Any) -> Data:
    """A container as most are."""
    return {
        "name": f"demo-node_{number}",
        "node": f"node_{number}",
        "role": "service",
        "flavor": "generic",
        "image": "toy:1",
        "network_ip": f"172.30.0.{10 + number}",
        "aliases": [f"node_{number}"],
        **fields,
    }


def step(name: str = "node_0", action: str = "none", *reasons: str) -> Data:
    return {"name": name, "action": action, "reasons": list(reasons), "files": {"/config/node.toml": "a salt:digest"}}


def interpolated(value: t.Any) -> t.Any:
    """``value`` as compose has it after it looked for variables, of which there must be none."""
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), value
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    return [interpolated(item) for item in value] if isinstance(value, list) else value


def loaded(*definitions: Data, seen: t.Optional[Data] = None, network: t.Optional[Data] = None) -> Data:
    """What compose reads."""
    made = compose.compose_export(definitions, "demo", network or NETWORK, seen or NOTHING)
    assert made["problems"] == []
    read = yaml.safe_load(made["content"])
    assert isinstance(read, dict)
    return {**read, "services": interpolated(read["services"])}


def problems(*definitions: Data, seen: t.Optional[Data] = None) -> t.List[str]:
    """Why nothing is written."""
    made = compose.compose_export(definitions, "demo", NETWORK, seen or NOTHING)
    assert made["content"] == ""
    assert all("\n" not in line for line in made["problems"])
    return t.cast("t.List[str]", made["problems"])


def payload(one: Data) -> Data:
    """What deploy asks the Engine for."""
    (parsed,) = parse_containers([one], Problems())
    network = parse_network(NETWORK, Problems())
    assert network
    return parsed.payload("demo", network.name, lambda _path: "a salt")


def test_a_service_says_all_that_deploy_says() -> None:
    service = loaded(FULL, seen={"nodes": [step()], "volumes": []})["services"]["node_0"]
    assert service.pop("labels") == payload(FULL)["Labels"]
    assert service == {
        "container_name": "demo-node_0",
        "image": "toy:1",
        "command": ["start", "--price", "5$", "$$x"],
        "entrypoint": ["toy"],
        "environment": {"PRICE": "5$", "EMPTY": "", "SPACED": "a b", "WORD": "no"},
        "user": "10001:10001",
        "hostname": "node-0",
        "networks": {"cluster": {"ipv4_address": "172.30.0.10", "aliases": ["node_0", "first"]}},
        "ports": ["127.0.0.1:18545:8545", "0.0.0.0:30303:30303/udp"],
        "volumes": [
            {"type": "volume", "source": "demo-node_0-data", "target": "/data", "read_only": False},
            {"type": "volume", "source": "demo-node_0-config", "target": "/config", "read_only": True},
            {"type": "bind", "source": "/srv/a$b", "target": "/srv", "read_only": True},
        ],
        "tmpfs": ["/tmp", "/scratch:size=64m"],
        "cpus": 1.5,
        "mem_limit": "512m",
        "memswap_limit": "512m",
        "pids_limit": 512,
        "cap_drop": ["ALL"],
        "cap_add": ["NET_ADMIN"],
        "security_opt": ["no-new-privileges", "seccomp=unconfined"],
        "working_dir": "/data/work",
        "shm_size": "256m",
        "group_add": ["20", "dialout"],
        "devices": ["/dev/fuse:/dev/fuse:rwm", "/dev/ttyUSB0:/dev/tty0:rw"],
        "read_only": True,
        "init": True,
        "restart": "on-failure:5",
        "stop_grace_period": "45s",
        "stop_signal": "SIGINT",
        "healthcheck": {
            "test": ["CMD-SHELL", "test $HOME"],
            "interval": "1s",
            "timeout": "500ms",
            "start_period": "1500ms",
            "retries": 3,
        },
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "ulimits": {"nofile": {"soft": 1024, "hard": 65536}},
        "sysctls": {"net.core.somaxconn": "1024"},
        "extra_hosts": ["other:192.0.2.1"],
    }


def test_nothing_that_deploy_sends_is_forgotten() -> None:
    """Whoever adds a setting to the Engine's request has to add it to the compose file."""
    sent = payload(FULL)
    known = {"Env", "Labels", "StopTimeout", "Healthcheck", "HostConfig", "NetworkingConfig", "ExposedPorts"}
    assert set(sent) == {*compose.CONFIG, *known}
    host = {
        "NanoCpus",
        "Memory",
        "MemorySwap",
        "Ulimits",
        "Tmpfs",
        "RestartPolicy",
        "LogConfig",
        "PortBindings",
        "Mounts",
        "NetworkMode",
        "ShmSize",
        "Devices",
    }
    assert set(sent["HostConfig"]) == {*compose.HOST, *host}


def test_gpus_have_no_words_in_this_version_of_compose() -> None:
    assert problems(definition(gpus="all")) == ["node_0: a compose file of version 2.4 cannot ask for GPUs: leave `gpus` out"]


def test_what_all_share_is_written_once() -> None:
    made = compose.compose_export([definition(0), definition(1, memory="2g"), definition(2)], "demo", NETWORK, NOTHING)
    read = yaml.safe_load(made["content"])
    assert "x-node: &node\n" in made["content"]
    assert made["content"].count("<<: *node\n") == 3
    assert made["content"].count("image:") == made["content"].count("cap_drop:") == 1
    assert read["x-node"]["image"] == "toy:1"
    assert "mem_limit" not in read["x-node"]
    assert read["services"]["node_1"]["mem_limit"] == "2g"
    assert {one["cap_drop"][0] for one in read["services"].values()} == {"ALL"}
    assert [one["labels"]["gravity.cluster.node"] for one in read["services"].values()] == ["node_0", "node_1", "node_2"]


def test_a_single_node_keeps_what_is_its_own() -> None:
    made = compose.compose_export([definition()], "demo", NETWORK, NOTHING)
    own = made["content"].split("services:")[1]
    assert "container_name: demo-node_0" in own
    assert "gravity.cluster.node: node_0" in own


def test_the_file_says_where_keys_and_config_files_are() -> None:
    head = compose.compose_export([definition()], "demo", NETWORK, NOTHING)["content"].split("version:")[0]
    assert all(line.startswith("#") or not line for line in head.splitlines())
    assert "cluster demo" in head
    assert "lie in the volumes, where `deploy` wrote them" in head


def test_volumes_that_are_there_are_external_and_others_are_made_with_our_labels() -> None:
    one = definition(volumes=[{"name": "demo-node_0-old", "target": "/old"}, {"name": "demo-node_0-new", "target": "/new"}])
    seen = {"nodes": [step(action="create")], "volumes": [{"name": "demo-node_0-new", "action": "create"}]}
    assert loaded(one, seen=seen)["volumes"] == {
        "demo-node_0-old": {"name": "demo-node_0-old", "external": True},
        "demo-node_0-new": {
            "name": "demo-node_0-new",
            "labels": {
                "gravity.cluster.name": "demo",
                "gravity.cluster.kind": "volume",
                "gravity.cluster.node": "node_0",
                "gravity.cluster.role": "service",
                "gravity.cluster.flavor": "generic",
            },
        },
    }
    assert "volumes" not in loaded(definition())


def test_the_network_is_the_clusters() -> None:
    labels = {"gravity.cluster.name": "demo", "gravity.cluster.kind": "network"}
    pool = {"subnet": "172.30.0.0/24", "gateway": "172.30.0.1"}
    assert loaded(definition())["networks"] == {
        "cluster": {"name": "demo-net", "driver": "bridge", "ipam": {"config": [pool]}, "labels": labels}
    }
    overlay = {**NETWORK, "driver": "overlay", "external": True}
    assert loaded(definition(), network=overlay)["networks"] == {"cluster": {"name": "demo-net", "external": True}}


def test_an_address_of_ip_version_6_is_one() -> None:
    network = {"name": "demo-net", "subnet": "fd00::/64"}
    entry = loaded(definition(network_ip="fd00::10"), network=network)["services"]["node_0"]["networks"]["cluster"]
    assert entry == {"ipv6_address": "fd00::10", "aliases": ["node_0"]}


def test_a_cluster_that_is_not_born_is_refused_in_one_line() -> None:
    unborn = [
        definition(0, genesis="made-at-birth"),
        definition(1, files=[{"path": "/data/peers", "content": "made-at-birth-node_0@x"}], volumes=[{"name": "d-1", "target": "/data"}]),
    ]
    assert problems(*unborn) == ["node_0, node_1: no keys and no genesis yet, which deploy makes: deploy first"]


def test_a_volume_with_keys_that_is_gone_is_refused() -> None:
    one = definition(genesis="ab12", volumes=[{"name": "demo-node_0-data", "target": "/data"}])
    (problem,) = problems(one, seen={"nodes": [step()], "volumes": [{"name": "demo-node_0-data", "action": "create"}]})
    assert "node_0: no keys" in problem


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (step("node_0", "create", "absent"), "no container shows that its config files are in its volumes"),
        (step("node_0", "recreate", "memory 1g -> 2g", "file /data/a changed"), "not those of the spec any more"),
        (step("node_0", "recreate", "file /data/b is no longer defined"), "not those of the spec any more"),
    ],
)
def test_config_files_that_no_deploy_wrote_are_refused(seen: Data, words: str) -> None:
    one = definition(files=[{"path": "/data/a", "content": "x"}], volumes=[{"name": "demo-node_0-data", "target": "/data"}])
    (problem,) = problems(one, seen={"nodes": [seen], "volumes": []})
    assert problem.startswith("node_0: ")
    assert words in problem
    assert problem.endswith(": deploy first")
    assert loaded(one, seen={"nodes": [step("node_0", "recreate", "memory 1g -> 2g")], "volumes": []})


def test_a_config_file_in_the_container_itself_is_refused() -> None:
    (problem,) = problems(definition(read_only=False, files=[{"path": "/etc/a", "content": "x"}]))
    assert problem.startswith("node_0: file /etc/a lies in the container itself")


def test_a_new_volume_for_a_user_other_than_root_is_refused() -> None:
    volumes = [{"name": "demo-node_0-data", "target": "/data"}]
    seen = {"nodes": [step(action="create")], "volumes": [{"name": "demo-node_0-data", "action": "create"}]}
    (problem,) = problems(definition(volumes=volumes, user="10001:10001"), seen=seen)
    assert "only deploy gives it to user 10001:10001" in problem
    for user in ("0:0", None):
        assert loaded(definition(volumes=volumes, user=user), seen=seen)


def test_mistakes_of_definitions_are_told() -> None:
    (problem,) = problems(definition(memory="much"))
    assert problem.startswith("node_0: memory: expected an amount of memory, got 'much'")


WORDS = ["no", "on", "1e3", "0o17", "017", "12:30:45", "null", "~", "", "a: b", "# x", "*node", "<<", "{a}", "é\n\t"]
TIMES = [(10**9, "1s"), (15 * 10**8, "1500ms"), (2500, "2500ns"), (3000, "3us"), (90 * 10**9, "90s")]


@pytest.mark.parametrize("word", WORDS)
def test_text_stays_text(word: str) -> None:
    one = definition(env={"WORD": word}, labels={word or "empty": word}, command=[word])
    service = loaded(one)["services"]["node_0"]
    assert service["environment"] == {"WORD": word}
    assert service["command"] == [word]
    assert service["labels"][word or "empty"] == word


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_any_text_is_read_as_it_was_written(texts: t.Dict[str, str]) -> None:
    shared = Shared("node", {"a": "$"})
    assert yaml.safe_load(written({"x": shared, "y": {MERGE: shared, "z": texts}})) == {"x": {"a": "$"}, "y": {"a": "$", "z": texts}}


@given(st.integers(10_000_000, 64_000_000_000))
def test_compose_makes_the_same_share_of_cpus(nano: int) -> None:
    share = compose.cpus(nano)
    assert share is not None
    assert int(share * 1_000_000_000) == nano


@pytest.mark.parametrize(("nanoseconds", "text"), TIMES)
def test_times(nanoseconds: int, text: str) -> None:
    assert compose.span(nanoseconds) == text


def test_the_input_is_left_as_it_was() -> None:
    before = copy.deepcopy(FULL)
    compose.compose_export([FULL], "demo", NETWORK, NOTHING)
    assert before == FULL
    assert json.dumps(before)
