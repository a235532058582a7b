# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds the lock of a cluster, and who may take it over."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._operation import holder_of, judge

NOW = 1_800_000_000.0
ELSEWHERE = {"boot": "another machine", "owner": "ann@laptop"}


def held(pid: int, **more: Any) -> dict[str, Any]:
    return {**holder_of("restart", 7200, pid), "taken": NOW - 60, **more}


@pytest.fixture
def running() -> Any:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_playbooks_of_one_process_are_one_holder(running: subprocess.Popen[bytes]) -> None:
    assert holder_of("stop", 1, running.pid)["token"] == holder_of("start", 2, running.pid)["token"]
    assert holder_of("stop", 1, running.pid)["token"] != holder_of("stop", 1, 1)["token"]


def test_one_that_lives_here_is_not_replaced_whatever_its_lease(running: subprocess.Popen[bytes]) -> None:
    for now in (NOW, NOW + 100_000):
        verdict = judge("demo", held(running.pid, owner="ann@laptop"), now, force=False)
        assert not verdict.replace
    assert judge("demo", held(running.pid, owner="ann@laptop"), NOW, force=False).text == (
        f"demo: restart by ann@laptop has been running since 07:59:00 UTC (process {running.pid} on this machine): wait for it to end "
        "(-e lock_timeout=600 does), or take its lock over with -e lock_force=true if you know that it has ended. Nothing was changed"
    )


def test_one_that_died_here_is_replaced_at_once(running: subprocess.Popen[bytes]) -> None:
    holder = held(running.pid, owner="ann@laptop")
    running.kill()
    # Nobody has collected it yet: it is there, and dead all the same.
    verdict = judge("demo", holder, NOW, force=False)
    while not verdict.replace:
        verdict = judge("demo", holder, NOW, force=False)
    assert verdict.text == "demo: restart by ann@laptop died and left its lock, which is taken over"
    running.wait()
    assert judge("demo", holder, NOW, force=False).replace


def test_one_elsewhere_is_replaced_when_its_lease_has_ended() -> None:
    holder = held(1, **ELSEWHERE)
    verdict = judge("demo", holder, NOW, force=False)
    assert not verdict.replace
    assert "(on another machine; its lock expires at 09:59:00 UTC)" in verdict.text
    assert judge("demo", holder, NOW + 7140, force=False).replace


def test_the_same_numbers_in_another_process_namespace_are_another_process() -> None:
    assert not judge("demo", held(1, space="pid:[1]"), NOW, force=False).replace


def test_force_replaces_also_what_lives(running: subprocess.Popen[bytes]) -> None:
    assert judge("demo", held(running.pid), NOW, force=True).replace


def test_what_a_label_says_cannot_reach_the_terminal() -> None:
    holder = {"taken": 0.0, "lease": 1e10, "owner": "x\x1b[2J\nrefused", "purpose": None, "pid": "\x1b"}
    text = judge("demo", holder, NOW, force=False).text
    assert text.startswith("demo: somebody by x[2Jrefused has been running since 1970-01-01 00:00 UTC")
    assert text.isprintable()
    assert "since an unknown time" in judge("demo", {**holder, "taken": 1e300}, NOW, force=False).text
