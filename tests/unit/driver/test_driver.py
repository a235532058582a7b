# SPDX-License-Identifier: GPL-3.0-or-later
"""The test driver itself: what it counts as a failure, what it stops, what it finds left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import driver
import leftovers
import pytest
from stages import Command, Stage


def stage(*commands: list[str], limit: float = 30, stops: bool = False) -> Stage:
    return Stage("trial", "a trial", lambda: [Command(" ".join(argv), argv) for argv in commands], limit=limit, stops=stops)


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(driver, "LOGS", tmp_path)
    return tmp_path


def test_all_commands_run_and_each_failure_is_told(logs: Path) -> None:
    outcome = driver.Driver().run(stage(["false"], ["echo", "went on"], ["no-such-program"]), shown=False)
    assert outcome.verdict == "FAILED"
    assert outcome.problems[0] == "false: exit code 1"
    assert "cannot run" in outcome.problems[1]
    assert "went on" in (logs / "trial.log").read_text()


def test_a_stage_may_stop_at_the_first_failure(logs: Path) -> None:
    outcome = driver.Driver().run(stage(["false"], ["echo", "went on"], stops=True), shown=False)
    assert not outcome.ok
    assert "----- echo" not in (logs / "trial.log").read_text()


def test_a_command_that_takes_too_long_is_stopped_with_its_children(logs: Path) -> None:
    begin = time.monotonic()
    outcome = driver.Driver().run(stage(["sh", "-c", "sleep 61 & echo $!; sleep 61"], limit=0.5), shown=False)
    assert time.monotonic() - begin < 61
    assert "took too long" in outcome.problems[0]
    child = Path("/proc", (logs / "trial.log").read_text().split()[-1])
    assert leftovers.wait(lambda: not child.exists(), 5)


def test_output_of_a_daemon_does_not_hold_the_stage() -> None:
    begin = time.monotonic()
    process = driver.Driver().run(stage(["sh", "-c", "sleep 10 & echo begun"]), shown=False)
    assert process.ok
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("closing", "verdict"),
    [
        ("===== 12 passed in 1.00s =====", "ok"),
        ("===== 12 passed, 1 warning in 526.99s (0:08:46) =====", "ok"),
        ("===== 11 passed, 1 skipped in 1.00s =====", "FAILED"),
        ("===== 11 passed, 1 xfailed in 1.00s =====", "FAILED"),
    ],
)
def test_a_test_that_did_not_run_is_a_failure(closing: str, verdict: str) -> None:
    outcome = driver.Driver().run(stage(["echo", closing]), shown=False)
    assert outcome.verdict == verdict
    assert outcome.closing == [closing]


def test_the_last_line_adds_up_all_pytest_runs() -> None:
    one, other = (driver.Outcome(stage(), "ok") for _number in range(2))
    one.closing = ["===== 12 passed, 1 error in 1.50s ====="]
    other.closing = ["===== 1 failed, 3 passed, 2 errors in 61.00s (0:01:01) ====="]
    assert driver.total([one, other]) == "==================== 1 failed, 15 passed, 3 errors in 62.50s ===================="
    assert driver.total([]) == "==================== no tests ran in 0.00s ===================="


def test_a_process_that_outlives_the_run_is_told_and_ended() -> None:
    mark = f"trial.{time.time_ns()}"
    code = "import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, leftovers.MARK: mark}, start_new_session=True)
    try:
        problems = leftovers.check(leftovers.observe(), mark)
        assert [problem for problem in problems if problem.startswith("process")] == [
            f"process {process.pid} is left behind: {sys.executable} -c {code}"
        ]
        assert process.wait(10) != 0
    finally:
        process.kill()
