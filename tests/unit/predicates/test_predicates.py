# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._predicates import PREDICATES, Verdict, judge, minority, same_block_hash
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer, Container, Scene, Sight, chain_of
from ansible_collections.gravity.cluster.plugins.module_utils._targets import CONDITIONS, Condition, parse_targets

NOW = 100.0
RPC = {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}


def sight(
    answers: t.Any = None,
    *,
    name: str = "node_0",
    probes: t.Any = None,
    conditions: t.Any = (),
    container: t.Any = None,
    first: t.Any = None,
) -> Sight:
    """What was seen of one node; ``container`` is a status, or None when no container is looked at."""
    raw = {
        "name": name,
        "probes": RPC if probes is None else probes,
        "conditions": list(conditions),
        "container": name if container else None,
    }
    target = parse_targets([raw])[0]
    answers = {key: Answer(NOW, **value) for key, value in (answers or {}).items()}
    seen = Container("id", name, *container) if container else None
    return Sight(target, seen, answers, chain_of(target, answers), first, None, True)


def scene(*sights: Sight) -> Scene:
    return Scene(NOW, 0.0, {one.target.name: one for one in sights})


def verdict(condition: Condition, seen: Sight, *others: Sight) -> Verdict:
    return PREDICATES[condition.name](condition, seen, scene(seen, *others))


def test_every_condition_that_the_spec_may_name_has_a_predicate() -> None:
    assert set(PREDICATES) == set(CONDITIONS)


@pytest.mark.parametrize(
    ("condition", "answer", "reason"),
    [
        (Condition("chain_id", 1337), {"chain_id": 1337}, ""),
        (Condition("chain_id", 1337), {"chain_id": 1776}, "wrong chain id: got 1776, expected 1337"),
        (Condition("chain_id", 1337), {"error": "port 8545 refuses connections", "cause": "refused"}, "port 8545 refuses connections"),
        (Condition("chain_id", 1337), {"height": 1}, "does not say its chain id"),
        (Condition("height_at_least", 2), {"height": 2}, ""),
        (Condition("height_at_least", 2), {"height": 0}, "height 0, waiting for height_at_least 2"),
        (Condition("height_at_least", 2), {"chain_id": 1}, "does not say its height"),
        (Condition("peers_at_least", 3), {"peers": 3}, ""),
        (Condition("peers_at_least", 3), {"peers": 2}, "2 peers, waiting for peers_at_least 3"),
        (Condition("peers_at_least", 0), {"height": 1}, ""),
        (Condition("peers_at_least", 1), {"height": 1}, "does not say its number of peers"),
        (Condition("not_syncing"), {"syncing": False}, ""),
        (Condition("not_syncing"), {"syncing": True, "height": 5, "highest": 90}, "still syncing at height 5 of 90"),
        (Condition("not_syncing"), {"syncing": True, "height": 5}, "still syncing at height 5 of 5"),
        (Condition("not_syncing"), {"height": 5}, "does not say its sync state"),
    ],
)
def test_conditions_on_one_chain_probe(condition: Condition, answer: t.Any, reason: str) -> None:
    found = verdict(condition, sight({"rpc": answer}))
    assert (found.ok, found.reason) == (not reason, reason)


@pytest.mark.parametrize(
    "condition", [Condition(name, 1) for name in ("chain_id", "height_at_least", "advancing", "peers_at_least", "not_syncing", "caught_up")]
)
def test_without_any_answer_nothing_holds_and_the_reason_says_so(condition: Condition) -> None:
    found = verdict(condition, sight())
    assert not found.ok
    assert "no answer yet" in found.reason


@pytest.mark.parametrize(("first", "height", "ok"), [(3, 3, False), (3, 4, True), (0, 1, True), (None, None, False)])
def test_advancing_compares_with_the_first_height_of_this_wait(first: t.Any, height: t.Any, ok: bool) -> None:
    answer = {"chain_id": 1} if height is None else {"height": height}
    assert verdict(Condition("advancing"), sight({"rpc": answer}, first=first)).ok is ok


@pytest.mark.parametrize(("value", "height", "ok"), [(None, 98, True), (None, 97, False), (0, 100, True), (0, 99, False), (5, 95, True)])
def test_caught_up_compares_with_the_highest_node(value: t.Any, height: t.Any, ok: bool) -> None:
    highest = sight({"rpc": {"height": 100}}, name="node_1")
    found = verdict(Condition("caught_up", value), sight({"rpc": {"height": height}}), highest)
    assert found.ok is ok
    assert ok or found.reason == f"still syncing at height {height} of 100"


def test_caught_up_believes_a_node_that_knows_of_higher_blocks() -> None:
    assert not verdict(Condition("caught_up", 1), sight({"rpc": {"height": 7, "highest": 50}})).ok


def test_cometbft_names_its_chain() -> None:
    probes = {"consensus": {"type": "cometbft", "url": "http://127.0.0.1:26657"}}
    seen = sight({"consensus": {"chain_id": "gravity-1", "height": 3}}, probes=probes)
    assert verdict(Condition("chain_id", "gravity-1"), seen).ok
    assert verdict(Condition("chain_id", "other-1"), seen).reason == "wrong chain id: got gravity-1, expected other-1"
    assert not verdict(Condition("chain_id", 1337), seen).ok


def test_two_chain_probes_complete_each_other() -> None:
    probes = {**RPC, "consensus": {"type": "cometbft", "url": "http://127.0.0.1:26657"}}
    seen = sight(
        {
            "rpc": {"chain_id": 1337, "height": 9, "syncing": False},
            "consensus": {"chain_id": "g-1", "height": 10, "peers": 3, "syncing": True},
        },
        probes=probes,
    )
    assert (seen.chain.chain_id, seen.chain.network, seen.chain.height, seen.chain.peers, seen.chain.syncing) == (1337, "g-1", 9, 3, True)


def test_one_chain_probe_that_fails_does_not_hide_the_other() -> None:
    probes = {**RPC, "consensus": {"type": "cometbft", "url": "http://127.0.0.1:26657"}}
    seen = sight({"rpc": {"error": "port 8545 refuses connections", "cause": "refused"}, "consensus": {"height": 10}}, probes=probes)
    assert seen.chain.height == 10
    assert verdict(Condition("chain_id", 1), seen).reason == "port 8545 refuses connections"


WEB = {"web": {"type": "http", "url": "http://127.0.0.1/", "status": 204}}


@pytest.mark.parametrize(
    ("probes", "answer", "reason"),
    [
        (WEB, {"status": 204}, ""),
        (WEB, {"status": 503}, "HTTP status 503, waiting for 204"),
        (WEB, {"error": "port 80 refuses connections"}, "port 80 refuses connections"),
        ({"t": {"type": "tcp", "host": "127.0.0.1", "port": 80}}, {}, ""),
        ({"t": {"type": "tcp", "host": "127.0.0.1", "port": 80}}, {"error": "port 80 refuses connections"}, "port 80 refuses connections"),
        ({"e": {"type": "exec", "command": ["true"]}}, {"exit_code": 0}, ""),
        ({"e": {"type": "exec", "command": ["true"]}}, {"exit_code": 2, "output": "no"}, "probe e ends with 2: no"),
        (RPC, {"height": 0}, ""),
        (RPC, {"error": "port 8545 does not answer within 2 s"}, "port 8545 does not answer within 2 s"),
    ],
)
def test_probes_without_conditions_imply_their_success(probes: t.Any, answer: t.Any, reason: str) -> None:
    seen = sight({next(iter(probes)): answer}, probes=probes)
    found = judge(seen, scene(seen))
    assert (found.ok, found.reason) == (not reason, reason)


def test_an_answer_that_is_too_old_does_not_count() -> None:
    seen = sight({"web": {"status": 204}}, probes=WEB)
    assert judge(seen, Scene(NOW + 5.9, 0.0, {"node_0": seen})).ok
    late = judge(seen, Scene(NOW + 6.1, 0.0, {"node_0": seen}))
    assert not late.ok
    assert late.reason == "probe web has no answer"


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (("running",), ""),
        (("running", "healthy"), ""),
        (("running", "starting"), "the container's health check says starting"),
        (("running", "unhealthy"), "the container's health check says unhealthy"),
        (("exited",), "container node_0 is exited"),
        (("paused",), "container node_0 is paused"),
    ],
)
def test_without_probes_the_container_decides(container: t.Any, reason: str) -> None:
    seen = sight(probes={}, container=container)
    found = judge(seen, scene(seen))
    assert (found.ok, found.reason) == (not reason, reason)


@pytest.mark.parametrize(
    ("seconds", "restarts", "ok"), [(0.1, 0, False), (1.9, 0, False), (2.1, 0, True), (2.1, 3, False), (10.1, 3, True)]
)
def test_a_container_of_which_nothing_else_is_known_must_not_end_right_after_its_start(seconds: float, restarts: int, ok: bool) -> None:
    seen = sight(probes={}, container=("running",))
    assert seen.container is not None
    seen = replace(seen, container=replace(seen.container, running_since=NOW - seconds, restarts=restarts))
    assert judge(seen, scene(seen)).ok is ok


@pytest.mark.parametrize(
    ("stable", "seconds", "restarts", "ok"),
    [(None, 0.0, 0, True), (5, 4.9, 0, False), (5, 5.1, 0, True), (5, 5.1, 3, True), (5, 4.9, 3, False), (0, 0.0, 3, True)],
)
def test_stable_holds_on_top_of_the_probes(stable: t.Optional[int], seconds: float, restarts: int, ok: bool) -> None:
    seen = sight({"web": {"status": 204}}, probes=WEB, container=("running",))
    assert seen.container is not None
    container = replace(seen.container, running_since=NOW - seconds, restarts=restarts)
    seen = replace(seen, container=container, target=replace(seen.target, stable=stable))
    found = judge(seen, scene(seen))
    assert found.ok is ok
    assert ok or found.reason.endswith(f"has just been {'restarted' if restarts else 'started'}: it must run for 5 s")


def test_stable_holds_on_top_of_a_health_check() -> None:
    seen = sight(probes={}, container=("running", "healthy"))
    assert seen.container is not None
    seen = replace(seen, container=replace(seen.container, running_since=NOW - 1.0), target=replace(seen.target, stable=2.0))
    assert not judge(seen, scene(seen)).ok


def test_the_container_must_run_whatever_the_port_says() -> None:
    seen = sight({"web": {"status": 204}}, probes=WEB, container=("exited",))
    assert judge(seen, scene(seen)).reason == "container node_0 is exited"


def test_health_only_counts_with_probes_when_it_is_asked_for() -> None:
    asked = [{"is": "http_status"}, {"is": "healthy"}]
    assert judge(*_with_scene(sight({"web": {"status": 204}}, probes=WEB, container=("running", "starting")))).ok
    assert not judge(*_with_scene(sight({"web": {"status": 204}}, probes=WEB, conditions=asked, container=("running", "starting")))).ok


def _with_scene(seen: Sight) -> t.Tuple[Sight, Scene]:
    return seen, scene(seen)


def test_the_first_condition_that_fails_gives_the_reason() -> None:
    conditions = [{"is": "chain_id", "value": 5}, {"is": "height_at_least", "value": 9}, {"is": "not_syncing"}]
    seen = sight({"rpc": {"chain_id": 5, "height": 1, "syncing": True}}, conditions=conditions)
    assert judge(seen, scene(seen)).reason == "height 1, waiting for height_at_least 9"


def test_same_block_hash() -> None:
    assert same_block_hash({"a": "0xAB", "b": "0xab"}, 4).ok
    assert same_block_hash({"a": "0xab"}, 4).ok
    assert same_block_hash({"a": "0x1", "b": None}, 4).reason == "b: no block at height 4"
    odd = same_block_hash({"a": "0x11", "b": "0x22", "c": "0x11"}, 4)
    assert odd.reason == "different blocks at height 4 (a, c: 0x11; b: 0x22)"


def test_the_minority_is_who_differs_from_most() -> None:
    assert minority({"a": "1", "b": "1", "c": "2"}) == ["c"]
    assert minority({"a": "1", "b": "2"}) == ["a", "b"]
    assert minority({"a": "1", "b": "1", "c": None}) == []
