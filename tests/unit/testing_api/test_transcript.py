# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from gravity_cluster.transcript import Transcript, reason


def heard(*events: dict[str, Any]) -> Transcript:
    said = Transcript()
    for event in events:
        said.hear(event)
    return said


def failed(host: str, msg: Any, **more: Any) -> dict[str, Any]:
    return {"event": "runner_on_failed", "event_data": {"host": host, "task_action": "x.y.z", "res": {"msg": msg}, **more}}


def stats(**lost: dict[str, int]) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "event_data": lost}


def test_lines_are_plain() -> None:
    said = Transcript()
    assert said.hear({"event": "verbose", "stdout": "\x1b[0;31m[ERROR]: bad\x1b[0m\r\nnext \r"}) == ["[ERROR]: bad", "next"]
    assert said.stdout == "[ERROR]: bad\nnext"
    assert said.hear({"event": "EOF"}) == []


def test_ansibles_own_errors_are_each_given_once() -> None:
    said = heard({"stdout": "[ERROR]: a.yml: x\n[WARNING]: w"}, {"stdout": "[ERROR]: a.yml: y"}, {"stdout": "[ERROR]: a.yml: x"})
    assert said.errors == ["a.yml: x", "a.yml: y"]
    assert said.summary(4) == "a.yml: x; a.yml: y"


def test_a_failed_task_is_the_reason() -> None:
    said = heard({"stdout": "[ERROR]: Task failed: it is so"}, failed("node_0", "it\n  is so"), stats(failures={"node_0": 1}))
    assert said.failures == {"node_0": "it is so"}
    assert said.summary(2) == "it is so"


def test_one_reason_of_several_hosts_is_said_once_and_different_ones_by_host() -> None:
    lost = stats(failures={"node_0": 1}, dark={"node_1": 1})
    assert heard(failed("node_0", "a"), failed("node_1", "a"), lost).summary(2) == "a"
    away = {"event": "runner_on_unreachable", "event_data": {"host": "node_1", "res": {"msg": "away"}}}
    assert heard(failed("node_0", "a"), away, lost).summary(2) == "node_0: a -- node_1: away"


def test_what_was_rescued_or_ignored_is_no_failure() -> None:
    said = heard(failed("node_0", "a"), failed("node_1", "b", ignore_errors=True), failed("node_2", "c"), stats(failures={"node_2": 1}))
    assert said.failures == {"node_2": "c"}


def test_the_last_failure_of_a_host_counts() -> None:
    said = heard(failed("node_0", "the task in the block"), failed("node_0", "what the rescue says"), stats(failures={"node_0": 1}))
    assert said.summary(2) == "what the rescue says"


@pytest.mark.parametrize(("rc", "text"), [(1, "ended with code 1 (last)"), (None, "was killed (last)")])
def test_without_any_reason_the_last_line_has_to_do(rc: int | None, text: str) -> None:
    assert heard({"stdout": "first"}, {"stdout": "  last"}, {"stdout": "\n"}).summary(rc) == text
    assert heard().summary(1) == "ended with code 1"


def test_results_are_found_by_the_module_that_gave_them() -> None:
    ok = {
        "event": "runner_on_ok",
        "event_data": {"host": "node_0", "task_action": "exec", "resolved_action": "x.y.exec", "res": {"nodes": {}}},
    }
    said = heard(ok, failed("node_0", "m"))
    assert said.results("x.y.exec") == [{"nodes": {}}]
    assert said.results("x.y.z") == [{"msg": "m"}]
    assert said.results("x.y.other") == []


def test_whether_a_play_began() -> None:
    assert not heard({"event": "verbose", "stdout": "[ERROR]: x"}).begun
    assert heard({"event": "playbook_on_play_start", "event_data": {}}).begun


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"msg": "one\ntwo"}, "one two"),
        ({"msg": ["a"]}, "['a']"),
        ({"stderr": "e"}, "e"),
        ({}, "failed and gives no reason"),
        (
            {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "a"}, {"failed": True, "msg": "a"}]},
            "a",
        ),
        ({"msg": "m", "results": "text"}, "m"),
    ],
)
def test_reasons(result: dict[str, Any], text: str) -> None:
    assert reason(result) == text
