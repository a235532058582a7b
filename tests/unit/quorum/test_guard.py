# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard makes of a look at all Docker hosts, whatever part of it has failed."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils._quorum_guard import quorum_guard

FOUR = {f"node_{number}": 1 for number in range(4)}
UP = {"state": "running", "rpc_error": None, "syncing": False, "height": 7}
Data = t.Dict[str, t.Any]


def look(host: str = "local", validators: t.Optional[t.Mapping[str, int]] = None, **nodes: t.Any) -> Data:
    return {"item": host, "nodes": nodes, "validators": validators or {}}


def broken(host: str = "local", **more: t.Any) -> Data:
    """A look whose module has failed; the task's ``failed_when: false`` takes the word failed away."""
    return {"item": host, "failed": False, "msg": "Exceeds the limit (4300 digits)\nfor integer string conversion", **more}


def test_a_look_that_failed_refuses_with_its_reason_and_the_remedy() -> None:
    guard = quorum_guard(FOUR, [broken()], ["node_0", "node_1"])
    assert not guard["ok"]
    assert guard["message"] == (
        "stopping node_0, node_1: whether the others keep the quorum is not known (Docker host local could not be asked: "
        "Exceeds the limit (4300 digits) for integer string conversion): correct this first, or add -e quorum_override=true"
    )


def test_an_unreachable_host_counts_as_down_for_who_remains_and_is_named() -> None:
    away = {"item": "b", "unreachable": True, "msg": "Failed to connect"}
    guard = quorum_guard(FOUR, [look("a", node_0=UP, node_1=UP), away], ["node_0"])
    assert not guard["ok"]
    assert "leaves 1 of 4 voting power (node_2, node_3 not ready)" in guard["message"]
    assert guard["message"].endswith("Docker host b could not be asked: unreachable: Failed to connect")
    # Three that are known to work are enough without the fourth.
    assert quorum_guard({**FOUR, "node_4": 1}, [look("a", **dict.fromkeys([*FOUR, "node_4"], UP)), away], ["node_0"])["ok"]


@pytest.mark.parametrize("state", ["stopped", "error", "absent"])
def test_the_quorum_is_lost_already_only_where_nodes_are_known_to_be_down(state: str) -> None:
    nodes: Data = {"node_0": UP, "node_1": UP, "node_2": {"state": state}, "node_3": {"state": state}}
    assert quorum_guard(FOUR, [look(**nodes)], ["node_0"])["ok"]
    assert not quorum_guard(FOUR, [look(**nodes)], ["node_0"], strict=True)["ok"]
    del nodes["node_3"]
    assert not quorum_guard(FOUR, [look(**nodes)], ["node_0"])["ok"]


@pytest.mark.parametrize("answer", [{"rpc_error": "hex without end"}, {"syncing": True}, {"state": None}, {"state": "unhealthy"}])
def test_a_node_without_a_good_answer_does_not_remain_and_may_run(answer: Data) -> None:
    strange = {**UP, **answer}
    guard = quorum_guard(FOUR, [look(node_0=UP, node_1=UP, node_2=strange, node_3=UP)], ["node_0"])
    assert not guard["ok"]
    assert "node_2 not ready" in guard["message"]


@given(
    st.dictionaries(st.sampled_from(sorted(FOUR)), st.sampled_from(["running", "stopped", "error"]), max_size=4),
    st.sets(st.sampled_from(sorted(FOUR)), min_size=1),
    st.booleans(),
)
def test_knowing_less_never_lets_more_go(states: t.Dict[str, str], down: t.Set[str], strict: bool) -> None:
    facts: Data = {name: {**UP, "state": state} for name, state in states.items()}
    whole = {**dict.fromkeys(FOUR, UP), **facts}
    if quorum_guard(FOUR, [look(**facts), broken("b")], sorted(down), strict=strict)["ok"]:
        assert quorum_guard(FOUR, [look(**whole)], sorted(down), strict=strict)["ok"]


def test_validators_that_the_spec_lacks_belong_to_the_whole() -> None:
    """Seven in the genesis, five in the spec: with one more away, four of seven are left."""
    genesis = {f"node_{number}": 1 for number in range(7)}
    five = {name: power for name, power in genesis.items() if name < "node_5"}
    facts: Data = dict.fromkeys(five, UP)
    assert quorum_guard(five, [look(**facts)], ["node_0"])["ok"]
    assert "leaves 4 of 7" in quorum_guard(five, [look(validators=genesis, **facts)], ["node_0"])["message"]
    assert not quorum_guard(five, [look(validators=genesis, **facts)], ["node_0"])["ok"]


def test_a_prune_of_running_validators_is_weighed() -> None:
    """The spec was replaced by one with a single validator: the three that run are not its to remove."""
    guard = quorum_guard({"a": 1}, [look(validators={"a": 1, "b": 1, "c": 1, "d": 1}, a=UP)], ["b", "c", "d"], "removing")
    assert not guard["ok"]
    assert "removing b, c, d leaves 1 of 4" in guard["message"]


def test_nodes_without_power_and_clusters_without_validators_pass_whatever_failed() -> None:
    assert quorum_guard(FOUR, [broken()], ["full_0"])["ok"]
    assert quorum_guard({}, [], ["web_0"])["ok"]
    assert quorum_guard({}, [{"skipped": True, "item": "local"}], ["web_0"])["ok"]


def test_those_that_are_on_their_way_are_named_when_waiting_helps() -> None:
    starting = {**UP, "rpc_error": "port 8545 refuses connections"}
    nodes: Data = {"node_0": UP, "node_1": UP, "node_2": starting, "node_3": UP}
    assert quorum_guard(FOUR, [look(**nodes)], ["node_0"])["coming"] == ["node_2"]
    assert quorum_guard(FOUR, [look(**nodes)], ["node_2"])["coming"] == []
    assert quorum_guard(FOUR, [look(**{**nodes, "node_1": {"state": "stopped"}})], ["node_0"], strict=True)["coming"] == []


def test_one_node_alone_does_not_say_how_far_the_chain_is() -> None:
    nodes: Data = dict.fromkeys(FOUR, UP)
    assert quorum_guard(FOUR, [look(**nodes)])["height"] == 7
    nodes["node_3"] = {**UP, "height": 0xFFFFFFFF}
    assert quorum_guard(FOUR, [look(**nodes)])["height"] == 7
    assert quorum_guard(FOUR, [look(node_3=nodes["node_3"])])["height"] == 0
    assert quorum_guard({"one": 1}, [look(one=UP)])["height"] == 7
