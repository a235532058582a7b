# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of the test suite, shows what each one says and how long it took, and checks that nothing is left.

Needs nothing but Python 3.11 and the standard library: the first stage makes the environment in which the others run.
Stages that need an Engine run one after the other in the foreground; those that do not run beside them, and their
output appears in one piece when they have ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import leftovers
from stages import ALONE, BESIDE, DEFAULT, FIRST, LOGS, ROOT, STAGES, Stage

CLOSING = re.compile(r"^=+ (?P<counts>.*) in (?P<seconds>[\d.]+)s.*=+$")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")
# A test that did not run proves nothing: a check of a machine's ability belongs into the code, with an error that is tested.
UNWANTED = ("failed", "error", "errors", "skipped", "xfailed", "xpassed")


class Outcome:
    """How one stage went. ``seconds`` is wall-clock time; ``closing`` are the last lines of the pytest runs in it."""

    def __init__(self, stage: Stage, verdict: str, seconds: float = 0.0, problems: Sequence[str] = ()) -> None:
        self.stage = stage
        self.verdict = verdict
        self.seconds = seconds
        self.problems = list(problems)
        self.closing: list[str] = []
        self.log: Path | None = None

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


class Driver:
    """Runs stages. ``environment`` is what every command gets."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock = threading.Lock()
        self.interrupted = False
        self.environment = {**os.environ, leftovers.MARK: f"{os.getpid()}.{time.time_ns()}"}
        self.environment["PATH"] = f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        self.environment["NO_COLOR"] = "1"
        self.environment.setdefault("LC_ALL", "C.UTF-8")

    def run(self, stage: Stage, shown: bool) -> Outcome:
        """Run all commands of ``stage``; with ``shown`` its output appears at once, otherwise it only goes to its log."""
        log = LOGS / f"{stage.name}.log"
        begin = time.monotonic()
        problems: list[str] = []
        if shown:
            say(f"\n===== {stage.name}: {stage.title}")
        with log.open("wb") as output, log.open("rb") as tail:
            for command in stage.commands():
                if self.interrupted:
                    problems.append("interrupted")
                    break
                output.write(f"----- {command.label}\n".encode())
                output.flush()
                problem = self._call(command.argv, command.folder, command.extra, output, tail if shown else None, begin + stage.limit)
                if problem:
                    problems.append(f"{command.label}: {problem}")
                    if stage.stops:
                        break
            if shown:
                show(tail)
        outcome = Outcome(stage, "FAILED" if problems else "ok", time.monotonic() - begin, problems)
        outcome.log = log
        judge(outcome, log)
        if shown:
            say(f"===== {stage.name}: {outcome.verdict}, {outcome.seconds:.1f} s")
        return outcome

    def _call(
        self, argv: list[str], folder: Path, extra: dict[str, str], output: BinaryIO, tail: BinaryIO | None, deadline: float
    ) -> str | None:
        """Run one command in a process group of its own; what went wrong, or None."""
        # Its output goes to a file, never a pipe: a daemon that a test starts would hold a pipe open for ever.
        try:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env={**self.environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            return f"cannot run: {exc}"
        with self.lock:
            self.running.add(process)
        try:
            while True:
                try:
                    code = process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    show(tail)
                if time.monotonic() > deadline:
                    stop(process)
                    return "took too long and was stopped"
            show(tail)
        finally:
            with self.lock:
                self.running.discard(process)
        return f"exit code {code}" if code else None

    def interrupt(self, number: int, _frame: object) -> None:
        """Stop what runs; the stages that follow are not begun."""
        self.interrupted = True
        say(f"\n===== stopped by {signal.Signals(number).name}")
        with self.lock:
            for process in self.running:
                stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started in its group; pytest cleans up after an interrupt and says how far it got."""
    for number, patience in ((signal.SIGINT, 30.0), (signal.SIGTERM, 10.0)):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(patience)
            break
    # What it left in its group, and itself if it would not hear.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)


def show(tail: BinaryIO | None) -> None:
    """Print what a log has more than before."""
    if tail is not None:
        sys.stdout.write(tail.read().decode("utf-8", "replace"))
        sys.stdout.flush()


def say(line: str) -> None:
    print(line, flush=True)


def judge(outcome: Outcome, log: Path) -> None:
    """Keep the closing lines of pytest, and count what was skipped as a failure: a test, or a playbook that Molecule does not find."""
    text = log.read_text("utf-8", "replace")
    if "Missing playbook" in text and outcome.ok:
        outcome.verdict = "FAILED"
        outcome.problems.append("a playbook of a scenario is missing")
    for line in text.splitlines():
        found = CLOSING.match(line)
        if not found:
            continue
        outcome.closing.append(line)
        unwanted = [f"{number} {what}" for number, what in COUNT.findall(found["counts"]) if what in UNWANTED]
        if unwanted and outcome.ok:
            outcome.verdict = "FAILED"
            outcome.problems.append(", ".join(unwanted))


def total(outcomes: Sequence[Outcome]) -> str:
    """One closing line for all pytest runs together, in pytest's own form."""
    counts: dict[str, int] = {}
    seconds = 0.0
    for line in (line for outcome in outcomes for line in outcome.closing):
        found = CLOSING.match(line)
        if found:
            seconds += float(found["seconds"])
            for number, what in COUNT.findall(found["counts"]):
                key = "errors" if what == "error" else what
                counts[key] = counts.get(key, 0) + int(number)
    said = ", ".join(
        f"{counts[what]} {what}" for what in ("failed", "passed", "skipped", "xfailed", "xpassed", "errors") if counts.get(what)
    )
    return f"{'=' * 20} {said or 'no tests ran'} in {seconds:.2f}s {'=' * 20}"


def run_stages(driver: Driver, names: Sequence[str], serial: bool) -> list[Outcome]:
    """All wanted stages; a stage whose ground is missing is reported as not run."""
    outcomes: list[Outcome] = []
    missing: set[str] = set()

    def begin(stage: Stage, shown: bool) -> Outcome:
        lacking = sorted(missing.intersection(stage.needs))
        if driver.interrupted or lacking:
            return Outcome(stage, "NOT RUN", problems=[f"needs {lacking[0]}" if lacking else "interrupted"])
        return driver.run(stage, shown)

    for name in (name for name in names if name in FIRST):
        outcomes.append(begin(STAGES[name], True))
        if not outcomes[-1].ok:
            missing.add(name)
    beside = [STAGES[name] for name in names if name in BESIDE]
    alone = [STAGES[name] for name in names if name in ALONE]
    if serial or not alone:
        return outcomes + [begin(stage, True) for stage in (*beside, *alone)]
    waiting: list[Future[Outcome]] = []
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = [pool.submit(begin, stage, False) for stage in beside]
        for stage in alone:
            outcomes.append(begin(stage, True))
            waiting = [future for future in waiting if not report(future, outcomes)]
    for future in waiting:
        report(future, outcomes)
    return outcomes


def report(future: Future[Outcome], outcomes: list[Outcome]) -> bool:
    """Print a stage that ran beside others, if it has ended."""
    if not future.done():
        return False
    outcome = future.result()
    outcomes.append(outcome)
    if outcome.log:
        say(f"\n===== {outcome.stage.name}: {outcome.stage.title} (ran beside)")
        with outcome.log.open("rb") as tail:
            show(tail)
        say(f"===== {outcome.stage.name}: {outcome.verdict}, {outcome.seconds:.1f} s")
    return True


def summary(outcomes: Sequence[Outcome], seconds: float) -> None:
    """The table of all stages, then pytest's closing lines, theirs last."""
    say("\n===== summary")
    for outcome in sorted(outcomes, key=lambda outcome: list(STAGES).index(outcome.stage.name)):
        say(f"{outcome.stage.name:<12} {outcome.verdict:<8} {outcome.seconds:7.1f} s  {'; '.join(outcome.problems)}".rstrip())
    say(f"{'all':<12} {'ok' if all(outcome.ok for outcome in outcomes) else 'FAILED':<8} {seconds:7.1f} s")
    tested = [outcome for outcome in outcomes if outcome.closing]
    for outcome in tested:
        for line in outcome.closing:
            say(f"{outcome.stage.name}: {line}")
    if tested:
        say(total(outcomes))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/run", description="Run the checks; without a stage all that CI runs.")
    parser.add_argument("stages", nargs="*", metavar="stage", help=f"one of {', '.join(STAGES)}")
    parser.add_argument("--list", action="store_true", help="list the stages and end")
    parser.add_argument("--serial", action="store_true", help="one stage at a time, everything shown at once")
    options = parser.parse_args(arguments)
    if options.list:
        for stage in STAGES.values():
            say(f"{stage.name:<12} {stage.title}")
        return 0
    unknown = [name for name in options.stages if name not in STAGES]
    if unknown:
        parser.error(f"no stage is called {unknown[0]}; there are {', '.join(STAGES)}")
    wanted = [name for name in STAGES if name in (options.stages or DEFAULT)]
    # A stage that was asked for by name still needs its ground.
    wanted = [name for name in STAGES if name in wanted or any(name in STAGES[one].needs for one in wanted)]
    LOGS.mkdir(parents=True, exist_ok=True)
    driver = Driver()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, driver.interrupt)
    begin = time.monotonic()
    before = leftovers.observe()
    outcomes = run_stages(driver, wanted, options.serial)
    if any(name in ALONE or name == "engine" for name in wanted):
        clean_begin = time.monotonic()
        say("\n===== clean: nothing is left behind")
        problems = leftovers.check(before, driver.environment[leftovers.MARK])
        for problem in problems:
            say(problem)
        outcomes.append(Outcome(STAGES["clean"], "FAILED" if problems else "ok", time.monotonic() - clean_begin, problems[:1]))
    summary(outcomes, time.monotonic() - begin)
    return 0 if all(outcome.ok for outcome in outcomes) and not driver.interrupted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
