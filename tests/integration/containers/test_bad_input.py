# SPDX-License-Identifier: GPL-3.0-or-later
"""Input with which a run would fail: refused in one line each, with nothing changed."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest


def refused(demo: Any, *containers: dict[str, Any], **more: Any) -> list[str]:
    """The problems that a run names; it changes nothing, in check mode it says the same."""
    seen = demo.everything()
    result = demo.run(*containers, **more)
    assert result["failed"]
    assert "\n" not in result["msg"]
    assert "nothing was changed" in result["msg"]
    assert demo.everything() == seen
    assert demo.run(*containers, check=True, **more)["msg"] == result["msg"]
    problems: list[str] = result["problems"]
    return problems


def stranger(demo: Any, name: str, **more: Any) -> None:
    """A container that is not ours, running."""
    payload = {"Image": demo.image, "Cmd": ["sleep", "1000"], **more}
    demo.api.start(demo.api.create_container_from_config(payload, name)["Id"])


def test_a_port_of_another_container(demo: Any, free_port: Any) -> None:
    port = free_port()
    bindings = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}}
    stranger(demo, f"{demo.name}-stranger", ExposedPorts={"80/tcp": {}}, HostConfig=bindings)
    assert refused(demo, demo.node(ports=[{"container": 8080, "host": port}]), demo.node(1)) == [
        (
            f"node_0: host port 127.0.0.1:{port} is taken by container {demo.name}-stranger, which is not of this cluster: "
            "stop it, or choose another host port"
        )
    ]


def test_a_port_of_another_program(demo: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert refused(demo, demo.node(ports=[{"container": 8080, "host": port}])) == [
            (
                f"node_0: host port 127.0.0.1:{port} is taken by another program: "
                f"end it (ss -lptn 'sport = :{port}' shows it), or choose another host port"
            )
        ]


def test_a_port_that_two_nodes_want(demo: Any, free_port: Any) -> None:
    port = free_port()
    assert refused(demo, *demo.nodes(2, ports=[{"container": 8080, "host": port}])) == [
        f"node_1: host port 127.0.0.1:{port} is also published by node_0: give it another host port"
    ]


def test_a_port_of_a_node_that_is_not_in_the_call(demo: Any, free_port: Any) -> None:
    port = free_port()
    demo.up(demo.node(0, ports=[{"container": 8080, "host": port}]))
    assert refused(demo, demo.node(1, ports=[{"container": 8080, "host": port}])) == [
        f"node_1: host port 127.0.0.1:{port} is taken by container {demo.name}_0: stop it, or choose another host port"
    ]
    # It goes in the same call.
    demo.up(demo.node(1, ports=[{"container": 8080, "host": port}]), prune=True)


def test_a_port_that_was_taken_while_the_container_was_stopped(demo: Any, free_port: Any) -> None:
    port = free_port()
    one = demo.node(ports=[{"container": 8080, "host": port}])
    demo.up(one)
    demo.act("stopped")
    with socket.create_server(("127.0.0.1", port)):
        assert refused(demo, one)[0].startswith(f"node_0: host port 127.0.0.1:{port} is taken by another program")
        assert demo.act("started", nodes=["node_0"])["failed"]
    demo.up(one)


def test_a_subnet_that_overlaps_another_network(demo: Any, new_cluster: Any) -> None:
    other = new_cluster()
    demo.api.create_network(other.name, ipam={"Config": [{"Subnet": other.subnet}]})
    network = {"name": demo.name, "subnet": other.subnet}
    assert refused(demo, demo.node(network_ip=other.address(10)), network=network) == [
        (
            f"network {demo.name}: subnet {other.subnet} overlaps {other.subnet} of Docker network {other.name} (not ours): "
            "choose another subnet (network.subnet in the spec)"
        )
    ]


def test_an_address_outside_of_the_subnet(demo: Any) -> None:
    assert refused(demo, demo.node(network_ip="192.0.2.7")) == [
        f"node_0: address 192.0.2.7 is outside subnet {demo.cluster.subnet} of network {demo.name}: choose one inside it"
    ]


def test_an_address_that_a_stranger_has(demo: Any) -> None:
    demo.up(demo.node(1))
    endpoint = {"IPAMConfig": {"IPv4Address": demo.cluster.address(10)}}
    stranger(
        demo, f"{demo.name}-stranger", HostConfig={"NetworkMode": demo.name}, NetworkingConfig={"EndpointsConfig": {demo.name: endpoint}}
    )
    assert refused(demo, demo.node(0), demo.node(1)) == [
        (
            f"node_0: address {demo.cluster.address(10)} of network {demo.name} is taken by container {demo.name}-stranger: "
            "choose another address (network_ip in the spec)"
        )
    ]


def test_an_image_that_is_missing(demo: Any) -> None:
    wrong = demo.image.replace("t-tiny", "t-tyni")
    line = (
        f"node_0, node_1: image {wrong} is not on this Docker host: did you mean {demo.image}? "
        f"Otherwise build, load or pull it first (docker pull {wrong})"
    )
    result = demo.run(*demo.nodes(2, image=wrong))
    assert result["problems"] == [line]
    assert demo.everything() == {"containers": {}, "networks": [], "volumes": []}
    # In check mode, an earlier task may only have said that it would make the image.
    checked = demo.up(*demo.nodes(2, image=wrong), check=True)
    assert line in str(checked["warnings"])
    assert [node["action"] for node in checked["nodes"]] == ["create", "create"]


def test_names_of_others(demo: Any, new_cluster: Any) -> None:
    other = new_cluster()
    stranger(demo, f"{demo.name}_0")
    demo.api.create_network(other.name, ipam={"Config": [{"Subnet": other.subnet}]})
    demo.api.create_volume(f"{demo.name}_0-data")
    problems = refused(
        demo, demo.node(volumes=[demo.volume()], network_ip=other.address(9)), network={"name": other.name, "subnet": other.subnet}
    )
    assert problems == [
        (
            f"node_0: container name {demo.name}_0 is used by a container that is not ours (image {demo.image}): "
            "choose another container_name"
        ),
        (f"network {other.name}: there is a network that is not ours with this name: choose another name (network.name in the spec)"),
        (
            f"node_0: volume {demo.name}_0-data is there without our labels, as a restore leaves it, or is somebody else's: "
            f"look what is in it (docker volume inspect {demo.name}_0-data); when it is this node's, adopt it "
            f"(deploy with -e adopt_volumes={demo.name}_0-data), otherwise choose another name"
        ),
    ]


def test_a_volume_of_another_genesis(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()], genesis="a" * 64))
    assert refused(demo, demo.node(volumes=[demo.volume()], genesis="b" * 64)) == [
        (
            f"node_0: volume {demo.name}_0-data belongs to genesis aaaaaaaaaaaa, the definition to bbbbbbbbbbbb: "
            "go back to the spec and image that it was born with, or remove the cluster with its data "
            "(teardown_purge=true) and deploy again"
        )
    ]


def test_a_stranger_in_the_network_keeps_it(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    stranger(demo, f"{demo.name}-stranger", HostConfig={"NetworkMode": demo.name})
    seen = demo.everything()
    assert demo.act("absent")["msg"] == (
        f"network {demo.name}: {demo.name}-stranger is attached to it and not of cluster {demo.name}: "
        f"ask its owner to leave the network (docker inspect {demo.name}-stranger shows it) (nothing was changed)"
    )
    assert demo.everything() == seen
    demo.api.disconnect_container_from_network(f"{demo.name}-stranger", demo.name)
    assert demo.act("absent")["changed"]
    assert demo.names(demo.name) == [f"{demo.name}-stranger"]


def test_more_cpus_than_there_are(demo: Any) -> None:
    there = demo.api.info()["NCPU"]
    assert refused(demo, demo.node(cpus=there + 1)) == [f"node_0: cpus {there + 1} is more than the {there} of this Docker host: lower it"]


def test_many_mistakes_at_once(demo: Any) -> None:
    wanted = [
        demo.node(0, memory="lots"),
        demo.node(1, user="1:1", files=[{"path": "/etc/x", "content": "x"}]),
        demo.node(2, restart="often"),
    ]
    result = demo.run(*wanted)
    assert result["msg"].startswith("3 problems, nothing was changed: (1) node_0: memory: expected an amount of memory, got 'lots'")
    assert len(result["problems"]) == 3


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("unix:///no/such.sock", "no Docker Engine answers at unix:///no/such.sock (No such file or directory)"),
        ("tcp://127.0.0.1:1", "no Docker Engine answers at tcp://127.0.0.1:1 (Connection refused)"),
    ],
)
def test_an_engine_that_does_not_answer(demo: Any, url: str, message: str) -> None:
    result = demo.run(demo.node(), engine_url=url)
    assert result["failed"]
    assert result["msg"] == f"{message}: start it (for example: systemctl start docker), or name another with engine_url or DOCKER_HOST"


def test_an_engine_that_never_answers(demo: Any, tmp_path: Any) -> None:
    os.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("engine.sock")
        silent.listen()
        result = demo.run(demo.node(), engine_url=f"unix://{tmp_path}/engine.sock", engine_timeout=1)
    assert result["failed"]
    assert "no Docker Engine answers at" in result["msg"]
