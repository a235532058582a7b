# SPDX-License-Identifier: GPL-3.0-or-later
"""Interleaved rounds: every contender once, then every contender once more, so that a slow minute hits them all."""

from __future__ import annotations

import ipaddress
import itertools
import shutil
import time
import typing as t

import docker

from benchmark import commands, engine
from benchmark.measured import Contender, Sample, Samples
from benchmark.settings import CACHE, BenchError, Case, Options, say

# After the removal of many containers the Engine goes on working for a while (seconds).
SETTLE = 2.0


class Failures:
    """Contenders that did not do their work, with the reason, and settings that are not equal."""

    def __init__(self) -> None:
        self.reasons: t.Dict[str, str] = {}
        self.unequal: t.Dict[str, t.List[str]] = {}


def subnets(options: Options) -> t.Iterator[ipaddress.IPv4Network]:
    """A subnet (/24) for every case, over and over."""
    return itertools.cycle(options.subnet.subnets(new_prefix=24))


def measure(options: Options, contenders: t.Sequence[Contender], samples: Samples) -> Failures:
    """Cold and no-op of all ``contenders`` for all sizes."""
    failures = Failures()
    api = engine.connect()
    places = subnets(options)
    for size in options.sizes if contenders else ():
        reference: t.Optional[engine.Data] = None
        for number in range(options.repeats):
            # Each round begins with another one: who comes after whom must not matter.
            shift = number % len(contenders)
            for index in [*range(shift, len(contenders)), *range(shift)]:
                contender = contenders[index]
                if contender.key in failures.reasons:
                    continue
                case = Case(contender.key, size, next(places), CACHE / "work" / f"{contender.key}-{size}", number)
                try:
                    reference = one(api, contender, case, number, samples, failures, reference)
                except BenchError as exc:
                    failures.reasons[contender.key] = str(exc)
                    say(f"bench: {contender.title} is left out from here on: {exc}")
    return failures


def one(
    api: docker.APIClient,
    contender: Contender,
    case: Case,
    number: int,
    samples: Samples,
    failures: Failures,
    reference: t.Optional[engine.Data],
) -> t.Optional[engine.Data]:
    """One contender, one round: cold, look, no-op, look, clear. Gives the container that the others are compared with."""
    engine.clear(api, case)
    contender.prepare(case)
    time.sleep(SETTLE)
    try:
        cold = contender.cold(case)
        before = engine.check_running(api, case)
        noop = contender.noop(case)
        if engine.check_running(api, case) != before:
            raise BenchError(f"{contender.title}: the second run changed containers")
        first = engine.containers(api, case)[0]
        if reference is not None and number == 0:
            failures.unequal[contender.key] = engine.unequal(reference, first)
    finally:
        with commands.undisturbed():
            engine.clear(api, case)
    samples.add(Sample(contender.key, "cold", case.size, number, cold.seconds, cold.parts))
    samples.add(Sample(contender.key, "noop", case.size, number, noop.seconds, noop.parts))
    say(f"bench: N={case.size} round {number + 1}: {contender.title}: cold {cold.seconds:.2f} s, no-op {noop.seconds:.2f} s")
    shutil.rmtree(case.folder / "ansible", ignore_errors=True)
    return reference or first
