# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
from typing import Any

import pytest
from unit.containers.builders import IMAGE, NETWORK, defined, exited, made, network, requested, seen, volume

from ansible_collections.gravity.cluster.plugins.module_utils._definition import NetworkDefinition
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed, ObservedNetwork, ObservedVolume
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems
from ansible_collections.gravity.cluster.plugins.module_utils._plan import Request, plan
from ansible_collections.gravity.cluster.plugins.module_utils._preflight import Surroundings, bind_failure, check, check_images
from ansible_collections.gravity.cluster.plugins.module_utils._sockets import collide

OWN = {"gravity.cluster.name": "demo", "gravity.cluster.kind": "node"}
PORTS = [{"container": 8545, "host": 8545}]


def lines(request: Request, observed: Observed | None = None, **around: Any) -> list[str]:
    observed = seen() if observed is None else observed
    around.setdefault("own", frozenset(one.id for one in observed.containers))
    problems = Problems()
    found = plan(request, observed)
    check(request, observed, found, Surroundings(**around), problems)
    check_images(observed, found, Surroundings(**around), problems)
    return problems.lines


def listed(name: str, own: dict[str, str] | None = None, port: int | None = None, **more: Any) -> dict[str, Any]:
    """A container in the Engine's list."""
    ports = [{"PrivatePort": 26656, "Type": "tcp"}]
    if port:
        ports.append({"IP": "127.0.0.1", "PrivatePort": 1, "PublicPort": port, "Type": "tcp"})
    return {"Id": f"id-of-{name}", "Names": [f"/{name}"], "Image": "x:1", "Labels": own or {}, "Ports": ports, **more}


def test_nothing_stands_against_a_sound_plan() -> None:
    assert lines(requested(defined(ports=PORTS, cpus=1)), containers=(listed("other", port=80),), cpus=2, bind=lambda _place: None) == []


# Names


def test_a_container_name_that_is_not_ours() -> None:
    assert lines(requested(defined()), containers=(listed("demo_0"),)) == [
        ("node_0: container name demo_0 is used by a container that is not ours (image x:1): choose another container_name")
    ]
    other = {"gravity.cluster.name": "else"}
    assert "is used by a container of cluster else" in lines(requested(defined()), containers=(listed("demo_0", other),))[0]


def test_a_node_without_container_cannot_be_started_by_name() -> None:
    expected = ["node_9: there is no container of this node on this Docker host: deploy it first"]
    assert lines(Request("demo", "restarted", nodes=("node_9",))) == expected
    assert lines(Request("demo", "started", nodes=("node_9",))) == expected
    assert lines(Request("demo", "stopped", nodes=("node_9",))) == []
    assert lines(Request("demo", "absent", nodes=("node_9",))) == []


@pytest.mark.parametrize("state", ["started", "restarted"])
def test_a_node_whose_network_is_gone_cannot_be_started_by_name(state: str) -> None:
    one = made(defined(), exited())
    request = Request("demo", state, nodes=("node_0",))
    assert lines(request, seen(one)) == []
    assert lines(request, seen(one, networks=())) == ["node_0: its network demo-net was removed or made anew: deploy the node again"]


def test_a_worker_of_a_swarm_shows_no_network_without_a_container_in_it() -> None:
    request = Request("demo", "started", nodes=("node_0",))
    assert lines(request, seen(made(defined(), exited()), networks=()), hides=True) == []


# Networks


def test_a_network_that_is_not_ours() -> None:
    expected = "network demo-net: there is a network that is not ours with this name: choose another name (network.name in the spec)"
    assert lines(requested(), seen(networks=(network(Labels={}),))) == [expected]
    assert "a network of cluster else" in lines(requested(), seen(networks=(network(Labels={"gravity.cluster.name": "else"}),)))[0]


def test_a_subnet_that_overlaps() -> None:
    wide = ObservedNetwork({"Name": "wide", "IPAM": {"Config": [{"Subnet": "10.0.0.0/8"}]}})
    odd = [
        ObservedNetwork({"Name": name, "IPAM": pools}) for name, pools in (("host", None), ("v6", {"Config": [{"Subnet": "fd00::/64"}]}))
    ]
    assert lines(requested(), seen(networks=(wide, *odd))) == [
        (
            "network demo-net: subnet 10.9.0.0/24 overlaps 10.0.0.0/8 of Docker network wide (not ours): "
            "choose another subnet (network.subnet in the spec)"
        )
    ]
    # It is there already, so Docker has no objection.
    assert lines(requested(), seen(networks=(wide, network()))) == []


def test_a_network_is_not_made_anew_under_running_containers() -> None:
    wanted = NetworkDefinition("demo-net", "10.8.0.0/24")
    one = defined(network_ip="10.8.0.10")
    observed = seen(made(defined()))
    expected = [
        (
            "network demo-net: subnet 10.9.0.0/24 -> 10.8.0.0/24 needs a new network, but demo_0 run in it: "
            "stop the cluster first, or give the network its old settings back"
        )
    ]
    assert lines(requested(one, network=wanted), observed, attached={"demo-net": ("demo_0",)}) == expected
    assert lines(requested(one, network=wanted, state="recreated"), observed, attached={"demo-net": ("demo_0",)}) == []
    assert (
        "but stranger run in it"
        in lines(requested(one, network=wanted, state="recreated"), observed, attached={"demo-net": ("demo_0", "stranger")})[0]
    )
    assert lines(requested(one, network=wanted), seen(made(defined(), exited()))) == []


def test_a_network_is_not_taken_from_others() -> None:
    observed = seen(made(defined()))
    assert lines(Request("demo", "absent"), observed, attached={"demo-net": ("demo_0", "stranger")}) == [
        (
            "network demo-net: stranger is attached to it and not of cluster demo: "
            "ask its owner to leave the network (docker inspect stranger shows it)"
        )
    ]
    assert lines(Request("demo", "absent"), observed, attached={"demo-net": ("demo_0",)}) == []


def test_an_external_network_whose_id_is_known_need_not_be_seen() -> None:
    wanted = NetworkDefinition("demo-net", "10.9.0.0/24", external=True, id=NETWORK)
    assert lines(requested(defined(), network=wanted), seen(networks=())) == []


def test_an_external_network_must_exist() -> None:
    wanted = NetworkDefinition("demo-net", external=True)
    assert lines(requested(network=wanted), seen(networks=())) == [
        "network demo-net: it is external and does not exist: create it, or leave out `external`"
    ]
    assert lines(requested(network=wanted), seen(networks=(network(Labels={}),))) == []


@pytest.mark.parametrize(
    ("address", "mistake"),
    [
        ("10.8.0.10", "is outside subnet 10.9.0.0/24 of network demo-net: choose one inside it"),
        ("10.9.0.1", "is the gateway of network demo-net: choose another"),
        ("10.9.0.0", "is the network or broadcast address of 10.9.0.0/24: choose another"),
        ("10.9.0.255", "is the network or broadcast address of 10.9.0.0/24: choose another"),
        ("fd00::1", "is outside subnet 10.9.0.0/24 of network demo-net: choose one inside it"),
    ],
)
def test_addresses_that_cannot_be(address: str, mistake: str) -> None:
    assert lines(requested(defined(network_ip=address)), seen(networks=())) == [f"node_0: address {address} {mistake}"]


def test_an_address_needs_a_subnet() -> None:
    wanted = NetworkDefinition("demo-net")
    assert lines(requested(defined(), network=wanted), seen(networks=())) == [
        "node_0: address 10.9.0.10 needs a network with a subnet: add `subnet` to network demo-net"
    ]
    assert lines(requested(defined(), network=wanted)) == []


def test_an_address_that_another_container_has() -> None:
    stranger = listed("stranger", NetworkSettings={"Networks": {"demo-net": {"IPAddress": "10.9.0.10"}}})
    assert lines(requested(defined()), containers=(stranger,)) == [
        ("node_0: address 10.9.0.10 of network demo-net is taken by container stranger: choose another address (network_ip in the spec)")
    ]


def test_two_nodes_may_swap_addresses_and_ports() -> None:
    before = [defined(0, ports=PORTS), defined(1)]
    after = [defined(0, network_ip="10.9.0.11"), defined(1, network_ip="10.9.0.10", ports=PORTS)]
    around = [
        listed(one.name, OWN, port, NetworkSettings={"Networks": {"demo-net": {"IPAddress": one.network_ip}}})
        for one, port in zip(before, (8545, None), strict=True)
    ]
    assert lines(requested(*after), seen(*map(made, before)), containers=tuple(around), bind=lambda _place: "is taken") == []


# Images, volumes, resources


def test_images_that_are_missing() -> None:
    wanted = [defined(0, image="example/nod:1"), defined(1, image="example/nod:1")]
    observed = seen(images={"example/nod:1": None})
    assert lines(requested(*wanted), observed, images=(IMAGE, "something/else:3")) == [
        (
            "node_0, node_1: image example/nod:1 is not on this Docker host: did you mean example/node:1? "
            "Otherwise build, load or pull it first (docker pull example/nod:1)"
        )
    ]
    assert lines(requested(*wanted), observed) == [
        "node_0, node_1: image example/nod:1 is not on this Docker host: build, load or pull it first (docker pull example/nod:1)"
    ]


def test_volumes_of_others() -> None:
    one = defined(volumes=[{"name": "demo_0-data", "target": "/data"}])
    expected = (
        "node_0: there is a volume of cluster other named demo_0-data: "
        "choose another name, or look what is in it first (docker volume inspect demo_0-data)"
    )
    others = seen(volumes={"demo_0-data": ObservedVolume("demo_0-data", {"gravity.cluster.name": "other"})})
    assert lines(requested(one), others) == [expected]
    # It is never another cluster's, whoever asks.
    assert lines(requested(one, adopt_volumes=frozenset({"demo_0-data"})), others) == [expected]
    assert lines(requested(one), seen(volumes={"demo_0-data": volume("demo_0-data")})) == []


def test_volumes_without_labels() -> None:
    one = defined(volumes=[{"name": "demo_0-data", "target": "/data"}])
    there = {"demo_0-data": ObservedVolume("demo_0-data", {})}
    assert lines(requested(one), seen(volumes=there)) == [
        (
            "node_0: volume demo_0-data is there without our labels, as a restore leaves it, or is somebody else's: "
            "look what is in it (docker volume inspect demo_0-data); when it is this node's, adopt it "
            "(deploy with -e adopt_volumes=demo_0-data), otherwise choose another name"
        )
    ]
    assert lines(requested(one, adopt_volumes=frozenset({"demo_0-data"})), seen(volumes=there)) == []
    assert lines(requested(one, adopt_volumes=frozenset({"other"})), seen(volumes=there)) != []
    # The node's container has it.
    mounts = [{"Type": "volume", "Name": "demo_0-data", "Destination": "/data", "RW": True}]
    assert lines(requested(one), seen(made(one, Mounts=mounts), volumes=there)) == []


def test_volumes_of_another_genesis() -> None:
    def found(wanted: str | None, **labels: str) -> list[str]:
        one = defined(genesis=wanted, volumes=[{"name": "demo_0-data", "target": "/data"}])
        return lines(requested(one), seen(volumes={"demo_0-data": volume("demo_0-data", **labels)}))

    assert found("b" * 64, genesis="a" * 64) == [
        (
            "node_0: volume demo_0-data belongs to genesis aaaaaaaaaaaa, the definition to bbbbbbbbbbbb: "
            "go back to the spec and image that it was born with, or remove the cluster with its data "
            "(teardown_purge=true) and deploy again"
        )
    ]
    assert found("a" * 64, genesis="a" * 64) == found("b" * 64) == found(None, genesis="a" * 64) == []


def test_more_cpus_than_there_are() -> None:
    assert lines(requested(defined(cpus=4)), cpus=2) == ["node_0: cpus 4 is more than the 2 of this Docker host: lower it"]


# Ports


def test_a_port_of_another_container() -> None:
    one = defined(ports=PORTS)
    assert lines(requested(one), containers=(listed("stranger", port=8545),)) == [
        (
            "node_0: host port 127.0.0.1:8545 is taken by container stranger, which is not of this cluster: "
            "stop it, or choose another host port"
        )
    ]
    assert lines(requested(one), containers=(listed("demo_5", OWN, 8545),), own=frozenset({"id-of-demo_5"})) == [
        "node_0: host port 127.0.0.1:8545 is taken by container demo_5: stop it, or choose another host port"
    ]


def test_a_port_of_another_program() -> None:
    one = defined(ports=PORTS)
    asked: list[Any] = []

    def bind(place: Any) -> str:
        asked.append(place)
        return "is taken by another program"

    assert lines(requested(one), bind=bind) == ["node_0: host port 127.0.0.1:8545 is taken by another program"]
    assert asked == [("127.0.0.1", 8545, "tcp")]


@pytest.mark.parametrize("state", ["started", "present", "restarted", "recreated", "stopped", "absent"])
def test_a_port_that_the_container_itself_has_is_no_problem(state: str) -> None:
    one = defined(ports=PORTS)
    around = (listed("demo_0", OWN, 8545),)
    assert lines(requested(one, state=state), seen(made(one)), containers=around, bind=lambda _place: "is taken") == []


def test_a_port_is_tried_for_a_container_that_is_only_named() -> None:
    one = made(defined(ports=PORTS), exited())
    request = Request("demo", "started", nodes=("node_0",))
    assert lines(request, seen(one), bind=lambda _place: "is taken") == ["node_0: host port 127.0.0.1:8545 is taken"]


def test_a_container_that_is_only_present_needs_no_port_yet() -> None:
    assert lines(requested(defined(ports=PORTS), state="present"), bind=lambda _place: "is taken") == []


def test_all_problems_are_told_at_once() -> None:
    wanted = [defined(0, network_ip="10.8.0.1"), defined(1, image="nope", ports=PORTS)]
    assert len(lines(requested(*wanted), seen(images={IMAGE: "x", "nope": None}), containers=(listed("other", port=8545),))) == 3


# Sockets


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_socket_that_is_taken_and_then_free(kind: int, protocol: str) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            holder.listen()
        place = ("127.0.0.1", holder.getsockname()[1], protocol)
        assert str(bind_failure(place)).startswith("is taken by another program: end it")
    assert bind_failure(place) is None


def test_an_address_of_another_host() -> None:
    expected = "cannot be published: 192.0.2.1 is not an address of this Docker host, choose one that is"
    assert bind_failure(("192.0.2.1", 21999, "tcp")) == expected


def test_a_protocol_that_cannot_be_tried() -> None:
    assert bind_failure(("127.0.0.1", 21999, "sctp")) is None


def test_which_sockets_collide() -> None:
    one = ("127.0.0.1", 80, "tcp")
    assert collide(one, ("0.0.0.0", 80, "tcp"))
    assert collide(("::", 80, "tcp"), one)
    assert not collide(one, ("127.0.0.2", 80, "tcp"))
    assert not collide(one, ("127.0.0.1", 80, "udp"))
    assert not collide(one, ("127.0.0.1", 81, "tcp"))


def test_the_request_of_these_tests_names_its_network() -> None:
    assert requested().network == NETWORK


# Data that another process works on


def test_no_node_starts_on_data_that_another_container_uses() -> None:
    one = defined(volumes=[{"name": "demo_0-data", "target": "/data"}])
    mount = {"Type": "volume", "Name": "demo_0-data", "RW": True}
    busy = listed("renamed", OWN, State="running", Mounts=[mount])
    expected = [
        (
            "node_0: volume demo_0-data is in use by container renamed, which is not this node's: "
            "two processes must not run on one node's data; stop that one first (docker stop renamed)"
        )
    ]
    assert lines(requested(one), containers=(busy,)) == expected
    stopped = made(one, exited(), Mounts=[mount])
    assert lines(Request("demo", "started", nodes=("node_0",)), seen(stopped), containers=(busy,)) == expected
    for harmless in ({**busy, "State": "exited"}, {**busy, "Mounts": [{**mount, "RW": False}]}, {**busy, "Id": stopped.id}):
        assert lines(requested(one), seen(stopped), containers=(harmless,)) == []
