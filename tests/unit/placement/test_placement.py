# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Docker host carries a node."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils._placement import Candidate, Place, Placed, place


def hosts(*names: str, **settings: t.Any) -> t.List[Place]:
    return [Place(name, **settings) for name in names or ("alpha", "beta", "gamma")]


def validators(count: int, **settings: t.Any) -> t.List[Candidate]:
    return [Candidate(f"node_{number}", "validator", power=1, **settings) for number in range(count)]


def counts(placed: Placed) -> t.List[int]:
    return sorted(collections.Counter(placed.hosts.values()).values(), reverse=True)


def test_seven_validators_are_spread_over_three_hosts() -> None:
    placed = place(validators(7), hosts())
    assert counts(placed) == [3, 2, 2]
    assert not placed.problems
    assert placed.warnings == [
        (
            "a third or more of the voting power is on one Docker host (alpha 3 of 7): without it the chain halts; "
            "spread the validators over four Docker hosts or more"
        )
    ]


def test_four_hosts_carry_less_than_a_third_each() -> None:
    placed = place(validators(7), hosts("a", "b", "c", "d"))
    assert counts(placed) == [2, 2, 2, 1]
    assert placed.warnings == []


def test_the_voting_power_is_spread_not_the_number() -> None:
    powers = {"node_0": 3, "node_1": 3, "node_2": 1, "node_3": 1, "node_4": 1, "node_5": 1}
    nodes = [Candidate(name, "validator", power=power) for name, power in powers.items()]
    placed = place(nodes, hosts("a", "b", "c", "d"))
    load = collections.Counter(dict.fromkeys("abcd", 0))
    for name, host in placed.hosts.items():
        load[host] += powers[name]
    assert sorted(load.values()) == [2, 2, 3, 3]
    assert placed.warnings == []


def test_every_role_is_spread_for_itself() -> None:
    nodes = [*validators(4), *(Candidate(f"full_{number}", "fullnode") for number in range(4))]
    placed = place(nodes, hosts("a", "b"))
    for role in ("node", "full"):
        assert counts(Placed({name: host for name, host in placed.hosts.items() if name.startswith(role)}, [], [])) == [2, 2]


def test_one_host_needs_no_warning() -> None:
    assert place(validators(4), hosts("local")).warnings == []


def test_the_spec_has_the_first_word_and_the_record_the_second() -> None:
    nodes = validators(4)
    nodes[0] = dataclasses.replace(nodes[0], host="gamma", recorded="alpha")
    nodes[1] = dataclasses.replace(nodes[1], recorded="gamma")
    placed = place(nodes, hosts())
    assert (placed.hosts["node_0"], placed.hosts["node_1"]) == ("gamma", "gamma")
    assert {placed.hosts["node_2"], placed.hosts["node_3"]} == {"alpha", "beta"}


def test_a_recorded_host_that_left_the_spec_is_told() -> None:
    placed = place(validators(1, recorded="delta"), hosts())
    assert placed.problems == [
        (
            "node_0",
            (
                "an earlier run put it on the Docker host delta, which the spec no longer has; "
                "put delta back, or give node_0 a host (its data does not move)"
            ),
        )
    ]


def test_labels_choose_the_hosts() -> None:
    places = [Place("alpha", labels={"disk": "hdd"}), Place("beta", labels={"disk": "ssd"}), Place("gamma")]
    placed = place(validators(3, labels={"disk": "ssd"}), places)
    assert set(placed.hosts.values()) == {"beta"}
    (problem,) = place(validators(1, labels={"disk": "nvme"}), places).problems
    assert problem[1].startswith(
        "no Docker host can carry node_0 (disk=nvme): alpha has disk=hdd, beta has disk=ssd, gamma has no label disk; add a host"
    )


@pytest.mark.parametrize(
    ("capacity", "asked", "reason"),
    [
        ({"max_nodes": 1}, {}, "is full (max_nodes 1)"),
        ({"cpus": 3.0}, {"cpus": 2.0}, "has 1 of 3 CPUs left"),
        ({"memory": 3 * 2**30}, {"memory": 2 * 2**30}, "has 1024 MiB of 3072 MiB memory left"),
    ],
)
def test_capacity_is_honoured(capacity: t.Dict[str, t.Any], asked: t.Dict[str, t.Any], reason: str) -> None:
    places = [Place("small", **capacity), Place("large")]
    placed = place(validators(4, **asked), places)
    assert collections.Counter(placed.hosts.values()) == {"small": 1, "large": 3}
    (problem,) = place(validators(2, **asked), places[:1]).problems
    assert problem[0] == "node_1"
    assert f"small {reason}" in problem[1]


def test_what_the_spec_itself_overloads_is_told() -> None:
    (problem,) = place(validators(3, host="alpha"), [Place("alpha", max_nodes=2), Place("beta")]).problems
    assert problem == (
        "node_2",
        "the Docker host alpha would carry 3 nodes, more than its capacity of 2; move a node to another host, or raise the capacity",
    )


def test_a_named_host_without_the_labels_is_told() -> None:
    (problem,) = place(validators(1, host="alpha", labels={"disk": "ssd"}), hosts()).problems
    assert problem[1] == "node_0 is to be on alpha, which has no label disk; change its host, or its placement"


POWERS = st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=12)


@given(POWERS, st.integers(min_value=1, max_value=6), st.randoms())
def test_the_order_of_the_nodes_does_not_matter(powers: t.List[int], count: int, random: t.Any) -> None:
    nodes = [Candidate(f"n_{number}", "validator" if power else "service", power) for number, power in enumerate(powers)]
    shuffled = list(nodes)
    random.shuffle(shuffled)
    places = hosts(*(f"h{number}" for number in range(count)))
    assert place(nodes, places).hosts == place(shuffled, places).hosts


@given(POWERS, POWERS, st.integers(min_value=1, max_value=5), st.integers(min_value=0, max_value=3))
def test_what_is_recorded_stays_whatever_is_added(old: t.List[int], new: t.List[int], count: int, more: int) -> None:
    places = hosts(*(f"h{number}" for number in range(count)))
    nodes = [Candidate(f"n_{number}", "validator" if power else "service", power) for number, power in enumerate(old)]
    before = place(nodes, places).hosts
    kept = [dataclasses.replace(node, recorded=before[node.name]) for node in nodes]
    added = [Candidate(f"a_{number}", "validator" if power else "service", power) for number, power in enumerate(new)]
    after = place([*added, *kept], hosts(*(f"x{number}" for number in range(more)), *(one.name for one in places))).hosts
    assert {name: after[name] for name in before} == before


@given(st.integers(min_value=1, max_value=40), st.integers(min_value=4, max_value=9))
def test_equal_validators_on_four_hosts_or_more_never_lose_a_third_where_it_can_be_had(count: int, size: int) -> None:
    placed = place(validators(count), hosts(*(f"h{number}" for number in range(size))))
    largest = -(-count // size)
    assert counts(placed)[0] == largest
    assert bool(placed.warnings) == (3 * largest >= count)
