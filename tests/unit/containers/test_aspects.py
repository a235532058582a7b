# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from unit.containers.builders import CLUSTER, NETWORK, defined, made

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import (
    aspects,
    defined_aspects,
    differences,
    file_digests,
    reason,
    short,
)
from ansible_collections.gravity.cluster.plugins.module_utils._definition import salt_of

FULL: dict[str, Any] = {
    "command": ["run", "--fast"],
    "entrypoint": ["/bin/node"],
    "env": {"A": "1", "EMPTY": ""},
    "user": "10001:10001",
    "hostname": "one",
    "ports": [{"container": 8545, "host": 8545}, {"container": 9000, "host": 9001, "protocol": "udp"}, {"container": 26656}],
    "volumes": [{"name": "demo_0-data", "target": "/data"}, {"name": "shared", "target": "/shared", "read_only": True}],
    "tmpfs": ["/tmp", "/run:size=1m"],
    "files": [{"path": "/data/app.toml", "content": "x = 1\n"}],
    "labels": {"team": "a"},
    "cpus": 0.5,
    "memory": "1g",
    "pids": 100,
    "cap_add": ["CAP_NET_ADMIN", "chown"],
    "restart": "on-failure:3",
    "stop_grace": 60,
    "stop_signal": "SIGINT",
    "health": {"test": ["true"], "interval": "5s", "retries": 3},
    "ulimits": {"nofile": "1024:2048"},
    "sysctls": {"net.core.somaxconn": 1024},
    "extra_hosts": {"peer": "10.9.0.99"},
    "genesis": "abc",
}


def named(**more: Any) -> dict[str, str]:
    # Without salt, as earlier versions wrote digests.
    payload = defined(**more).payload(CLUSTER, NETWORK.name, lambda _path: "")
    return aspects(payload, payload["HostConfig"])


def test_a_full_definition_in_words() -> None:
    found = named(**FULL)
    assert found.pop("file /data/app.toml") == defined(**FULL).files[0].digest("")
    assert found == {
        "added capabilities": "CHOWN, NET_ADMIN",
        "command": '["run", "--fast"]',
        "cpus": "0.5",
        "dropped capabilities": "ALL",
        "entrypoint": '["/bin/node"]',
        "environment variable A": "1",
        "environment variable EMPTY": "",
        "extra host peer": "10.9.0.99",
        "health check": '["CMD", "true"]',
        "health check interval": "5 s",
        "health check retries": "3",
        "hostname": "one",
        "init process": "yes",
        "label gravity.cluster.flavor": "generic",
        "label gravity.cluster.genesis": "abc",
        "label gravity.cluster.kind": "node",
        "label gravity.cluster.name": "demo",
        "label gravity.cluster.node": "node_0",
        "label gravity.cluster.role": "validator",
        "label team": "a",
        "log": "json-file max-file=3 max-size=10m",
        "memory": "1g",
        "network": "demo-net",
        "pids limit": "100",
        "port 8545/tcp": "127.0.0.1:8545",
        "port 9000/udp": "127.0.0.1:9001",
        "read-only root": "yes",
        "restart policy": "on-failure:3",
        "security options": "no-new-privileges",
        "stop grace": "60 s",
        "stop signal": "SIGINT",
        "sysctl net.core.somaxconn": "1024",
        "tmpfs /run": "size=1m",
        "tmpfs /tmp": "plain",
        "ulimit nofile": "1024:2048",
        "user": "10001:10001",
        "volume at /data": "demo_0-data",
        "volume at /shared": "shared (read-only)",
    }


@pytest.mark.parametrize("more", [{}, FULL])
def test_what_an_engine_makes_of_a_definition_does_not_differ_from_it(more: dict[str, Any]) -> None:
    real = made(defined(**more), salt="")
    found = differences(named(**more), aspects(real.config, real.host_config), defined_aspects(real.config))
    assert found == {}


def test_an_engine_may_spell_things_in_its_own_way() -> None:
    one = defined(cap_add=["NET_ADMIN"])
    real = made(one, HostConfig__CapAdd=["CAP_NET_ADMIN"], HostConfig__SecurityOpt=["no-new-privileges:true"])
    assert differences(named(cap_add=["NET_ADMIN"]), aspects(real.config, real.host_config), []) == {}


def test_the_label_of_what_was_defined_lists_what_was_defined_and_is_not_compared_itself() -> None:
    payload = defined(env={"A": "1"}).payload(CLUSTER, NETWORK.name)
    names = json.loads(payload["Labels"][labels.DEFINED])
    assert "environment variable A" in names
    assert not [name for name in names if labels.DEFINED in name or labels.FILES in name]


def test_only_what_is_or_was_defined_is_compared() -> None:
    assert differences({"a": "1"}, {"a": "1", "b": "2"}, []) == {}
    assert differences({"a": "1"}, {"a": "1", "b": "2"}, ["a", "b"]) == {"b": ("2", None)}
    assert differences({"a": "1"}, {"a": "2"}, []) == {"a": ("2", "1")}
    assert differences({"a": "1"}, {}, ["a"]) == {"a": (None, "1")}
    assert differences({}, {}, ["a"]) == {}


@pytest.mark.parametrize("name", ["memory", "cpus", "pids limit"])
def test_a_limit_that_this_kernel_cannot_keep_is_no_difference_for_ever(name: str) -> None:
    assert differences({name: "1"}, {}, [name]) == {}
    assert differences({name: "1"}, {}, []) == {name: (None, "1")}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("memory", "1g", "2g"), "memory 1g -> 2g"),
        (("user", None, "5"), "user none -> 5"),
        (("user", "5", None), "user 5 -> none"),
        (("file /data/x", "aa", "bb"), "file /data/x changed"),
        (("file /data/x", None, "bb"), "file /data/x is new"),
        (("file /data/x", "aa", None), "file /data/x is no longer defined"),
        (("environment variable TOKEN", "secret", "other"), "environment variable TOKEN changed"),
        (("environment variable TOKEN", None, "other"), "environment variable TOKEN is new"),
        (("environment variable TOKEN", "secret", None), "environment variable TOKEN is no longer defined"),
    ],
)
def test_reasons(change: tuple[str, str | None, str | None], text: str) -> None:
    assert reason(*change) == text


def test_long_values_are_cut() -> None:
    assert len(short("x" * 500)) == 60
    assert short("a\n b") == "a b"


@pytest.mark.parametrize("text", ["", "not json", "[1]", "null"])
def test_a_label_that_somebody_spoiled_is_no_label(text: str) -> None:
    assert file_digests({labels.FILES: text}) == {}


def test_a_digest_depends_on_salt_content_and_mode_and_on_nothing_else() -> None:
    def digest(salt: str = "", **more: Any) -> str:
        return defined(read_only=False, files=[{"path": "/a", "content": "x", **more}]).files[0].digest(salt)

    assert digest() == digest(mode="644") == digest(path="/b")
    assert len({digest(), digest(mode="0600"), digest(content="y"), digest("s")}) == 4
    assert digest("s").startswith("s:")
    assert salt_of(digest("s")) == "s"
    assert salt_of(digest()) == ""
