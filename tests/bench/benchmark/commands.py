# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one program, takes its time, and leaves none of its processes behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

from benchmark.settings import BenchError

# A command that takes longer than this hangs (seconds).
LIMIT = 900.0
# What a program gets to end by itself after SIGTERM (seconds).
GRACE = 10.0


def run(argv: t.Sequence[str], log: Path, env: t.Optional[t.Mapping[str, str]] = None, cwd: t.Optional[Path] = None) -> float:
    """Run ``argv``; seconds from its start to its end. What it says goes into ``log``.

    Raises :class:`BenchError` when it fails, with the end of what it said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        begin = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
        )
        try:
            code = process.wait(LIMIT)
        except BaseException:
            end(process)
            raise
        seconds = time.perf_counter() - begin
    if code:
        said = " | ".join(log.read_text(encoding="utf-8", errors="replace").split("\n")[-12:])
        raise BenchError(f"{Path(argv[0]).name} ended with {code}: {' '.join(said.split())[-600:]}")
    return seconds


def end(process: subprocess.Popen[t.Any]) -> None:
    """End ``process`` and everything that it started, its workers in sessions of their own too."""
    started = descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    for pid in [process.pid, *started]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def undisturbed() -> t.Iterator[None]:
    """What happens in here is not interrupted: a second Ctrl-C must not leave containers behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def descendants(root: int) -> t.List[int]:
    """Process ids of the children of ``root``, of their children, and so on."""
    children: t.Dict[int, t.List[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: t.List[int] = []
    todo = [root]
    while todo:
        todo = [child for pid in todo for child in children.get(pid, [])]
        found += todo
    return found
