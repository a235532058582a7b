# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a cluster on a real Engine: one holder at a time, whoever comes and goes at the same moment."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils import _lock as lock
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

CROWD = 12


def named(token: str) -> lock.Data:
    return {"token": token, "lease": 7200, "owner": "ann@laptop", "purpose": "stop"}


def take(cluster: str, token: str, replaces: str = "") -> lock.Data:
    return lock.take(lock.Engine(), cluster, named(token), replaces)


def crowd(work: t.Callable[[str], lock.Data]) -> t.List[lock.Data]:
    """What several say who come at the same moment, each with a token of its own."""
    gate = threading.Barrier(CROWD)

    def come(number: int) -> lock.Data:
        gate.wait()
        return work(f"t{number}")

    with ThreadPoolExecutor(CROWD) as pool:
        return list(pool.map(come, range(CROWD)))


def left(engine: Engine, cluster: str) -> t.List[str]:
    """The tokens, in the names' order, of the volumes that are there."""
    volumes = engine.api.volumes(filters=labels.select(cluster, "lock"))["Volumes"] or []
    return [lock.holder_of(one["Labels"], cluster, one["Name"])["token"] for one in sorted(volumes, key=lambda one: str(one["Name"]))]


def test_of_many_at_once_one_holds_it_and_the_others_know_whom_to_wait_for(engine: Engine, cluster: t.Any) -> None:
    answers = crowd(lambda token: take(cluster.name, token))
    (winner,) = [f"t{number}" for number, answer in enumerate(answers) if answer["held"]]
    for answer in answers:
        if not answer["held"]:
            holder = answer["holder"]
            assert (holder["token"], holder["owner"], holder["purpose"]) == (winner, "ann@laptop", "stop")
            assert 0 <= answer["now"] - holder["taken"] < holder["lease"]
    assert left(engine, cluster.name) == [winner]


def test_a_holder_takes_it_again_and_it_is_free_afterwards(engine: Engine, cluster: t.Any) -> None:
    assert take(cluster.name, "a")["held"]
    assert take(cluster.name, "a")["held"]
    lock.free(lock.Engine(), cluster.name, named("b"))
    assert left(engine, cluster.name) == ["a"]
    lock.free(lock.Engine(), cluster.name, named("a"))
    assert left(engine, cluster.name) == []
    assert take(cluster.name, "b")["held"]


def test_of_many_who_take_the_place_of_a_dead_one_one_gets_it(engine: Engine, cluster: t.Any) -> None:
    take(cluster.name, "dead")
    answers = crowd(lambda token: take(cluster.name, token, "dead"))
    (winner,) = [f"t{number}" for number, answer in enumerate(answers) if answer["held"]]
    assert {answer["holder"]["token"] for answer in answers if not answer["held"]} == {winner}
    assert left(engine, cluster.name) == [winner]


def test_who_gives_it_back_late_does_not_give_back_that_of_the_next(engine: Engine, cluster: t.Any) -> None:
    take(cluster.name, "slow")
    answers = crowd(
        lambda token: lock.free(lock.Engine(), cluster.name, named("slow")) if token == "t0" else take(cluster.name, token, "slow")
    )
    (winner,) = [f"t{number}" for number, answer in enumerate(answers) if answer["held"]]
    assert left(engine, cluster.name) == [winner]


def test_a_claim_that_a_dead_one_left_does_not_stay_in_the_way(engine: Engine, cluster: t.Any) -> None:
    take(cluster.name, "dead")
    with lock._claimed(lock.Engine(), cluster.name, "dead", lock._marks(cluster.name, named("dead too"), 0.0)):
        assert take(cluster.name, "a", "dead")["held"]
    assert left(engine, cluster.name) == ["a"]


def test_claims_of_dead_ones_go_with_the_next_that_gives_it_back(engine: Engine, cluster: t.Any) -> None:
    old, new = (lock._marks(cluster.name, named("dead"), taken) for taken in (0.0, 4e9))
    for number, marks in enumerate((old, new)):
        engine.api.create_volume(f"{lock.volume_of(cluster.name)}.{number}", labels=marks)
    take(cluster.name, "a")
    lock.free(lock.Engine(), cluster.name, named("a"))
    volumes = engine.api.volumes(filters=labels.select(cluster.name, "lock"))["Volumes"]
    assert [one["Name"] for one in volumes] == [f"{lock.volume_of(cluster.name)}.1"]


def test_what_is_no_lock_is_left_alone(engine: Engine, cluster: t.Any) -> None:
    engine.api.create_volume(lock.volume_of(cluster.name), labels=labels.own(cluster.name, "volume"))
    asked = {"state": "held", "cluster": cluster.name, "holder": named("a"), "replaces": "", "engine": {}}
    assert "is in the way" in lock.main(asked)["error"]


def test_where_no_engine_answers_nothing_is_locked(cluster: t.Any) -> None:
    asked = {"state": "held", "cluster": cluster.name, "holder": named("a"), "engine": {"url": "unix:///nonexistent.sock"}}
    assert "no Docker Engine answers" in lock.main(asked)["absent"]


def test_labels_agree_with_those_of_all_others() -> None:
    assert (lock.CLUSTER, lock.KIND, lock.HOLDER) == (labels.CLUSTER, labels.KIND, labels.HOLDER)
