# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way on several Docker hosts, in one report."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._preflight import preflight_problems

NETWORK = {"name": "net", "subnet": "172.20.0.0/24"}


def swarm(*managers: str, **changes: t.Any) -> t.Dict[str, t.Any]:
    """An Engine's place in the swarm of ``managers``, if there are any."""
    return {"active": bool(managers), "manager": False, "node": "n9", "managers": list(managers), "live_restore": False, **changes}


def host(**changes: t.Any) -> t.Dict[str, t.Any]:
    """A Docker host with which nothing is wrong."""
    return {
        "engine": {"answers": True, "reason": None, "error": None, "version": "20.10.24", "api_version": "1.41", "architecture": "amd64"},
        "installed": True,
        "architecture": "x86_64",
        "uid": 0,
        "user": "root",
        "disk": {"path": "/var/lib/docker", "free": 9 * 2**30, "total": 10 * 2**30},
        "sockets": [],
        "networks": [{"name": "bridge", "subnets": ["172.17.0.0/16"], "own": False}],
        "routes": [{"subnet": "172.17.0.0/16", "device": "docker0"}],
        "nodes": [],
        "mtu": 1500,
        "swarm": swarm(),
        "encrypts": None,
        "clock_offset": 0.3,
        "clock_uncertainty": 0.2,
        **changes,
    }


def node(name: str = "web_0", on: str = "alpha", **changes: t.Any) -> t.Dict[str, t.Any]:
    ports = {"http": {"container": 80, "host": 8080, "address": "127.0.0.1", "protocol": "tcp"}}
    return {"name": name, "host": on, "ports": ports, "image": None, **changes}


def no_engine(**changes: t.Any) -> t.Dict[str, t.Any]:
    return {**host()["engine"], "answers": False, "reason": "unreachable", "error": "no Docker Engine answers", **changes}


def held(port: int = 8080, **changes: t.Any) -> t.Dict[str, t.Any]:
    return {"address": "127.0.0.1", "port": port, "protocol": "tcp", "container": None, "own": False, **changes}


@pytest.mark.parametrize(
    "info",
    [
        host(),
        host(engine=no_engine(), installed=False),
        host(sockets=[held(own=True), held(8081), held(protocol="udp"), held(address="192.0.2.1")]),
        # The cluster's own network, and the route to it.
        host(
            networks=[{"name": "net", "subnets": ["172.20.0.0/24"], "own": True}, {"name": "none", "subnets": [], "own": False}],
            routes=[{"subnet": "172.20.0.0/24", "device": "br-1"}],
        ),
        # Nobody can say whose the bridges are that an Engine has left.
        host(engine=no_engine(), networks=[], routes=[{"subnet": "172.20.0.0/24", "device": "br-9f34bb8548dd"}]),
        # A slow connection says nothing of a clock.
        host(clock_offset=-5.0, clock_uncertainty=4.0),
    ],
)
def test_nothing_stands_in_the_way(info: t.Dict[str, t.Any]) -> None:
    assert preflight_problems({"alpha": info}, [node()], NETWORK) == []


@pytest.mark.parametrize(
    ("info", "line"),
    [
        (
            {
                "unreachable": True,
                "msg": "Task failed: Failed to connect to the host via ssh: ssh: connect to host 192.0.2.1 port 22:\n timed out",
            },
            (
                "not reachable (ssh: connect to host 192.0.2.1 port 22: timed out); "
                "see that it is up, and check ansible_host, ansible_user and the key"
            ),
        ),
        (
            {"failed": True, "msg": "Missing sudo password"},
            "sudo does not let the user become root (Missing sudo password); allow it (NOPASSWD in sudoers), or add --ask-become-pass",
        ),
        (
            {"failed": True, "msg": "MODULE FAILURE", "module_stderr": "sudo: a password is required"},
            "sudo does not let the user become root (MODULE FAILURE); allow it (NOPASSWD in sudoers), or add --ask-become-pass",
        ),
        (
            {"failed": True, "msg": "/bin/sh: 1: /usr/bin/python3: not found"},
            "cannot be looked at (/bin/sh: 1: /usr/bin/python3: not found); it needs Python 3, and root by ansible_user or ansible_become",
        ),
        (
            host(engine=no_engine(reason="permission", error="user ops may not"), uid=1000),
            "user ops may not; set ansible_become, or put the user into the group docker",
        ),
        (
            host(engine=no_engine(), uid=1000, user="ops"),
            "no Docker Engine answers, and ops is not root and cannot bring one up; set ansible_become: true",
        ),
        (
            host(engine={**host()["engine"], "version": "19.03.1", "api_version": "1.40"}),
            "Docker Engine 19.03.1 (API 1.40) is too old; install 20.10 or newer",
        ),
        (
            host(disk={"path": "/var/lib", "free": 3 * 2**29, "total": 2**40}),
            "/var/lib has 1.5 GiB free, less than 2 GiB; make room (docker system df)",
        ),
        (host(clock_offset=-60.0), "its clock is 60.0 s behind the controller's, more than 2 s; set it (chrony, ntp)"),
        (
            host(sockets=[held()]),
            "web_0 needs the host port 127.0.0.1:8080, which another program holds; end it, or choose another",
        ),
        (
            host(sockets=[held(address="0.0.0.0", container="other")]),
            "web_0 needs the host port 127.0.0.1:8080, which container other holds; end it, or choose another",
        ),
        (
            host(
                networks=[{"name": "other", "subnets": ["172.20.0.0/16"], "own": False}],
                routes=[{"subnet": "172.20.0.0/16", "device": "br"}],
            ),
            "the subnet 172.20.0.0/24 overlaps 172.20.0.0/16 of the Docker network other; choose another",
        ),
        (
            host(routes=[{"subnet": "172.16.0.0/12", "device": "tun0"}]),
            "the subnet 172.20.0.0/24 overlaps 172.16.0.0/12, which is routed to tun0; choose another",
        ),
    ],
)
def test_each_problem_is_one_line(info: t.Dict[str, t.Any], line: str) -> None:
    assert preflight_problems({"alpha": info, "beta": host()}, [node()], NETWORK) == [f"alpha: {line}"]


def test_all_problems_of_all_hosts_are_listed() -> None:
    hosts = {"alpha": {"unreachable": True}, "beta": host(sockets=[held()], clock_offset=9.0)}
    lines = preflight_problems(hosts, [node(), node("web_1", "beta")], NETWORK)
    assert [line.split(" ", 3)[:3] for line in lines] == [
        ["alpha:", "not", "reachable"],
        ["beta:", "its", "clock"],
        ["beta:", "web_1", "needs"],
    ]


@pytest.mark.parametrize(("source", "told"), [("load", True), ("present", True), ("pull", False), ("assemble", False)])
def test_one_image_for_two_architectures(source: str, told: bool) -> None:
    hosts = {"alpha": host(), "beta": host(architecture="aarch64")}
    lines = preflight_problems(hosts, [node(image={"source": source, "name": "tiny:1"})], NETWORK)
    assert bool(lines) is told
    if told:
        assert lines[0].startswith(
            "the Docker hosts have different architectures (alpha x86_64, beta aarch64), and tiny:1 is for one of them"
        )


OVERLAY = {**NETWORK, "driver": "overlay", "encrypted": False, "mtu": None}


@pytest.mark.parametrize(
    ("network", "hosts", "line"),
    [
        (OVERLAY, {"alpha": host(swarm=swarm("a", "b")), "beta": host(), "gamma": host(swarm=swarm("b"))}, None),
        (
            OVERLAY,
            {"alpha": host(swarm=swarm("a")), "beta": host(swarm=swarm("x"))},
            "beta: is in another swarm than alpha; let one of the two leave it (docker swarm leave), or use driver host_ports",
        ),
        (
            OVERLAY,
            {"alpha": host(swarm=swarm(live_restore=True))},
            "alpha: live-restore and Swarm mode exclude each other; set live-restore to false in daemon.json and restart the Engine",
        ),
        (
            OVERLAY,
            {"alpha": host(mtu=1400)},
            "alpha: packets of 1450 bytes in the overlay and 50 around them exceed its MTU of 1400; set mtu to 1350 or less",
        ),
        ({**OVERLAY, "mtu": 1350}, {"alpha": host(mtu=1400)}, None),
        (
            {**OVERLAY, "encrypted": True, "mtu": 1400},
            {"alpha": host(encrypts=False), "beta": host(encrypts=True)},
            "alpha: its kernel has no IPsec ESP, which an encrypted overlay needs; leave encrypted out, or load the module esp4",
        ),
        ({**NETWORK, "driver": "host_ports"}, {"alpha": host(swarm=swarm("a")), "beta": host(swarm=swarm("x"), mtu=1000)}, None),
    ],
)
def test_what_stands_against_an_overlay(
    monkeypatch: pytest.MonkeyPatch, network: t.Dict[str, t.Any], hosts: t.Dict[str, t.Any], line: t.Optional[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: "there")
    assert preflight_problems(hosts, [], network) == ([line] if line else [])


def test_an_overlay_needs_a_collection_on_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (line,) = preflight_problems({"alpha": host()}, [], OVERLAY)
    assert line.startswith("the controller has no collection community.docker")
    assert preflight_problems({"alpha": host()}, [], NETWORK) == []


def test_a_cluster_of_the_same_name_from_another_spec_is_left_alone() -> None:
    hosts = {"alpha": host(nodes=["db_0", "db_1", "db_2", "db_3"]), "beta": host(nodes=["web_0", "old_1"])}
    (line,) = preflight_problems(hosts, [], NETWORK, ["web_0", "web_1"])
    assert line == (
        "alpha: carries a cluster of this name with other nodes (db_0, db_1, db_2, ...); choose another cluster_name, "
        "or tear that one down with its own spec"
    )
    assert preflight_problems(hosts, [], NETWORK, ["db_3", "old_1"]) == []


def test_one_engine_under_two_names() -> None:
    engine = {**host()["engine"], "id": "ABCD"}
    hosts = {name: host(engine=engine) for name in ("alpha", "beta")}
    assert preflight_problems(hosts, [node()], NETWORK) == [
        "beta: is the same Docker Engine as alpha; keep one of the two in hosts, or correct how beta is reached"
    ]
    hosts["beta"] = host(engine={**engine, "id": "EFGH"})
    assert preflight_problems(hosts, [node()], NETWORK) == []
