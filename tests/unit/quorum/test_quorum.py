# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils._quorum import (
    confirmed_height,
    height_of_nodes,
    likely_height,
    needed_of,
    quorum,
    quorum_after,
)

NAMES = [f"node_{number}" for number in range(7)]
POWERS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**18), max_size=7)
SOME = st.sets(st.sampled_from(NAMES))
FOUR = {f"node_{number}": 1 for number in range(4)}


@given(POWERS, SOME)
def test_quorum_is_more_than_two_thirds(powers: t.Mapping[str, int], up: t.Set[str]) -> None:
    state = quorum(powers, up)
    total = sum(powers.values())
    share = sum(powers[name] for name in up if name in powers)
    assert state.ok == (total == 0 or Fraction(share, total) > Fraction(2, 3))
    assert (state.remaining, state.total) == (share, total)


@given(st.integers(1, 10**30))
def test_needed_is_the_least_power_that_is_enough(total: int) -> None:
    least = needed_of(total)
    assert 3 * least > 2 * total
    assert 3 * (least - 1) <= 2 * total


@given(POWERS, SOME, SOME)
def test_the_number_in_the_message_agrees_with_the_answer(powers: t.Mapping[str, int], ready: t.Set[str], down: t.Set[str]) -> None:
    answer = quorum_after(powers, ready, down)
    if sum(powers.values()) and any(powers.get(name) for name in down):
        assert answer["ok"] == (answer["remaining"] >= answer["needed"])


@given(POWERS, SOME, SOME, SOME)
def test_taking_more_down_never_helps(powers: t.Mapping[str, int], ready: t.Set[str], down: t.Set[str], more: t.Set[str]) -> None:
    fewer, all_of_them = quorum_after(powers, ready, down), quorum_after(powers, ready, down | more)
    assert all_of_them["remaining"] <= fewer["remaining"]


@given(POWERS, SOME, SOME)
def test_the_order_and_repetition_of_names_do_not_matter(powers: t.Mapping[str, int], ready: t.Set[str], down: t.Set[str]) -> None:
    assert quorum_after(powers, sorted(ready) * 2, sorted(down)) == quorum_after(
        powers, sorted(ready, reverse=True), sorted(down, reverse=True) * 3
    )


@pytest.mark.parametrize(
    ("count", "may_go"),
    [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (7, 2), (10, 3), (100, 33)],
)
def test_equal_validators(count: int, may_go: int) -> None:
    powers = {f"v{number}": 1 for number in range(count)}
    names = list(powers)
    assert quorum_after(powers, names, names[:may_go])["ok"] or may_go == 0
    assert not quorum_after(powers, names, names[: may_go + 1])["ok"]


def test_the_message_says_what_is_left_and_what_to_do() -> None:
    assert quorum_after(FOUR, FOUR, ["node_1", "node_0"])["message"] == (
        "stopping node_0, node_1 leaves 2 of 4 voting power; more than 2/3 (at least 3) is needed: "
        "stop fewer nodes, or add -e quorum_override=true"
    )


def test_exactly_two_thirds_is_not_enough() -> None:
    assert not quorum_after({"a": 2, "b": 1}, ["a", "b"], ["b"])["ok"]


def test_nodes_that_are_not_ready_do_not_count_and_are_named() -> None:
    answer = quorum_after(FOUR, ["node_0", "node_1", "node_2"], ["node_0"])
    assert not answer["ok"]
    assert "(node_3 not ready)" in answer["message"]


def test_nodes_without_power_may_always_go() -> None:
    assert quorum_after(FOUR, [], ["full_0"])["ok"]
    assert quorum_after({}, [], ["web"]) == {
        "ok": True,
        "remaining": 0,
        "total": 0,
        "needed": 0,
        "message": "stopping web leaves 0 of 0 voting power",
    }


def test_powers_from_templates_may_be_strings_and_the_verb_may_be_chosen() -> None:
    answer = quorum_after({"a": "3", "b": "1"}, ["a", "b"], ["b"], verb="restarting")
    assert answer == {"ok": True, "remaining": 3, "total": 4, "needed": 3, "message": "restarting b leaves 3 of 4 voting power"}


@pytest.mark.parametrize(
    ("heights", "powers", "confirmed"),
    [
        ([], {}, 0),
        ([7], {}, 7),
        # Of two nodes nothing tells which one is right: nobody is called ready too early.
        ([7, 9], {}, 9),
        ([7, 9], FOUR, 7),
        # Too few validators answer to confirm anything.
        ([7], FOUR, 7),
        ([0xFFFFFFFF, 10, 11], {}, 11),
        ([0xFFFFFFFF, 10, 11, 10], FOUR, 11),
        ([0xFFFFFFFF, 10, 11], FOUR, 11),
        # One that lies behind does not count either.
        ([0, 10, 11, 10], FOUR, 10),
        # Nodes without voting power have no voice beside validators.
        ([10, 11, 10, 10, 0xFFFFFFFF, 0xFFFFFFFF], FOUR, 10),
        ([5, 10], {"node_0": 10, "node_1": 1}, 5),
    ],
)
def test_one_node_does_not_decide_how_far_the_chain_is(heights: t.List[int], powers: t.Dict[str, int], confirmed: int) -> None:
    assert likely_height({f"node_{number}": height for number, height in enumerate(heights)}, powers) == confirmed


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**63 - 1), min_size=3), POWERS)
def test_a_confirmed_height_is_one_that_some_node_says(heights: t.Dict[str, int], powers: t.Dict[str, int]) -> None:
    assert likely_height(heights, powers) in heights.values()


def test_too_few_validators_confirm_nothing() -> None:
    assert confirmed_height({"node_0": 9, "node_9": 9}, FOUR) == 0
    assert confirmed_height({"node_0": 9, "node_1": 8}, FOUR) == 8
    assert confirmed_height({"node_0": 9}, {}) == 0


def test_only_nodes_that_say_a_height_count() -> None:
    facts: t.Dict[str, t.Any] = {"node_0": {"height": 4}, "node_1": {"height": None}, "node_2": {}, "node_3": {"height": 9}}
    assert height_of_nodes(facts, {"node_0": "1"}) == 4
    assert height_of_nodes(facts, {}) == 9
    assert height_of_nodes({}, FOUR) == 0
