# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and host ports that the spec does not give."""

from __future__ import annotations

import ipaddress
import typing as t

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils import _allocation as allocation
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid

from .conftest import Spec

ROLES = ("validator", "fullnode", "service", "worker", "gateway")
# Every role has names of its own, so that nodes differ in name whatever their role.
NODES = st.dictionaries(
    st.tuples(st.sampled_from(ROLES), st.integers(min_value=0, max_value=49)).map(lambda node: f"{node[0]}_{node[1]}"),
    st.none(),
    min_size=1,
    max_size=20,
)


def cluster(names: t.Iterable[str]) -> t.Dict[str, t.Any]:
    nodes = {name: {"role": name.rsplit("_", 1)[0], "ports": {"rpc": {"container": 80, "base": 20000}}} for name in names}
    # Each role has its own port offset: ports of other roles than the known ones would clash, which is another test.
    roles = {role: {"port_offset": 100 * number} for number, role in enumerate(ROLES) if any(name.startswith(role) for name in names)}
    return Spec().resolved(network={"subnet": "10.0.0.0/8"}, nodes=nodes, roles=roles)["nodes"]


@settings(max_examples=60)
@given(NODES, st.data())
def test_a_node_never_moves_when_others_come_and_go(nodes: t.Dict[str, None], data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, unique=True))
    try:
        all_of_them = cluster(nodes)
    except SpecInvalid:  # two of them clash: refused, and nothing moves
        assume(False)
    some = cluster(kept)
    for name in kept:
        for key in ("network_ip", "ports", "container_name", "aliases"):
            assert some[name][key] == all_of_them[name][key]


@settings(max_examples=60)
@given(NODES)
def test_no_two_nodes_share_anything(nodes: t.Dict[str, None]) -> None:
    try:
        resolved = cluster(nodes).values()
    except SpecInvalid as refused:
        assert "the address of" in refused.message
        return
    for values in ([node["network_ip"] for node in resolved], [node["ports"]["rpc"]["host"] for node in resolved]):
        assert len(set(values)) == len(values)


@given(st.from_regex(r"[a-z][a-z_]{0,20}[a-z]", fullmatch=True))
def test_a_name_without_a_number_has_a_fixed_place(name: str) -> None:
    assert allocation.ordinal(name) is None
    assert 0 <= allocation.place(name) < allocation.PLACES
    assert allocation.place(name) == allocation.place(name)


@given(st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True), st.integers(min_value=16, max_value=29))
def test_other_roles_start_inside_the_subnet(role: str, length: int) -> None:
    subnet = ipaddress.IPv4Network((0x0A000000, length))
    start = allocation.address_offset(role, subnet)
    assert start in (10, 100, 200) or start + 255 < subnet.num_addresses


def test_the_places_are_the_documented_ones(spec: Spec) -> None:
    nodes = {"node_0": {"role": "validator"}, "node_12": {"role": "validator"}, "full_3": {"role": "fullnode"}, "db_4": {"role": "service"}}
    port = {"ports": {"rpc": {"container": 8545, "base": 8545}}}
    resolved = spec.resolved(nodes=nodes, defaults=port)["nodes"]
    assert {name: (node["network_ip"], node["ports"]["rpc"]["host"], node["ordinal"]) for name, node in resolved.items()} == {
        "node_0": ("172.20.0.10", 8545, 0),
        "node_12": ("172.20.0.22", 8557, 12),
        "full_3": ("172.20.0.103", 8648, 3),
        "db_4": ("172.20.0.204", 8749, 4),
    }


def test_a_name_without_a_number(spec: Spec) -> None:
    # The place is part of what users have deployed: it must not change with the collection's version.
    node = spec.node({"ports": {"http": {"container": 80, "base": 18000}}}, name="gateway")
    assert (node["ordinal"], node["network_ip"], node["ports"]["http"]["host"]) == (None, "172.20.0.238", 18238)


def test_offsets_of_a_role(spec: Spec) -> None:
    resolved = spec.resolved(
        nodes={"w_[0:1]": {"role": "worker", "ports": {"http": {"container": 80, "base": 18000}}}},
        roles={"worker": {"address_offset": 50, "port_offset": 0}},
    )["nodes"]
    assert [node["network_ip"] for node in resolved.values()] == ["172.20.0.50", "172.20.0.51"]
    assert [node["ports"]["http"]["host"] for node in resolved.values()] == [18000, 18001]


def test_what_the_spec_gives_wins(spec: Spec) -> None:
    given_node = {
        "network_ip": "172.20.0.77",
        "container_name": "mine",
        "rpc_port": 9999,
        "ports": {"rpc": {"container": 80, "base": 18000}},
    }
    node = spec.node(given_node)
    assert (node["network_ip"], node["container_name"]) == ("172.20.0.77", "mine")
    assert node["ports"]["rpc"] == {"container": 80, "host": 9999, "address": "127.0.0.1", "protocol": "tcp"}


def test_the_same_port_on_two_docker_hosts_or_addresses_is_no_clash(spec: Spec) -> None:
    nodes = {
        "a_0": {"host": "one", "ports": {"x": "80:80"}},
        "a_1": {"host": "two", "ports": {"x": "80:80"}},
        "a_2": {"host": "one", "ports": {"x": "127.0.0.2:80:80", "y": "80:80/udp"}},
    }
    resolved = spec.resolved(hosts={"one": None, "two": None}, nodes=nodes)["nodes"]
    assert [node["ports"]["x"]["host"] for node in resolved.values()] == [80, 80, 80]
