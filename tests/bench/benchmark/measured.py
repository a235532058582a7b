# SPDX-License-Identifier: GPL-3.0-or-later
"""What a measurement gives, and the few statistics that the report needs."""

from __future__ import annotations

import math
import statistics
import typing as t
from dataclasses import dataclass, field

from benchmark.settings import Case


@dataclass(frozen=True)
class Timed:
    """Seconds that one action took, and the seconds of the parts that it could tell apart (keyed by task name)."""

    seconds: float
    parts: t.Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One measurement: ``phase`` is ``cold`` or ``noop`` or a name of the part's own."""

    contender: str
    phase: str
    size: int
    round: int
    seconds: float
    parts: t.Mapping[str, float] = field(default_factory=dict)


class Contender(t.Protocol):
    """Someone who brings up a :class:`Case`. ``cold`` starts from nothing, ``noop`` finds everything as it should be."""

    key: str
    title: str

    def prepare(self, case: Case) -> None:
        """Write what the contender reads; not timed."""

    def cold(self, case: Case) -> Timed:
        """Bring everything up."""

    def noop(self, case: Case) -> Timed:
        """Do it again, with nothing to do."""


@dataclass(frozen=True)
class Spread:
    """Median, smallest, largest and count of some figures."""

    median: float
    low: float
    high: float
    count: int


def spread(values: t.Sequence[float]) -> t.Optional[Spread]:
    """The spread of ``values``; None when there are none."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: t.Sequence[float], share: float) -> float:
    """Nearest-rank percentile: the smallest value that at least ``share`` (0..1) of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Samples:
    """All measurements of a run."""

    def __init__(self) -> None:
        self.all: t.List[Sample] = []

    def add(self, sample: Sample) -> None:
        """Keep one more."""
        self.all.append(sample)

    def seconds(self, contender: str, phase: str, size: int, part: t.Optional[str] = None) -> t.Dict[int, float]:
        """``{round: seconds}`` of the whole action or of one of its parts."""
        chosen = [s for s in self.all if (s.contender, s.phase, s.size) == (contender, phase, size)]
        if part is None:
            return {s.round: s.seconds for s in chosen}
        return {s.round: s.parts[part] for s in chosen if part in s.parts}


def ratio(over: t.Mapping[int, float], under: t.Mapping[int, float]) -> t.Optional[Spread]:
    """Ratio of the medians; low and high are the smallest and largest ratio within one round."""
    if not over or not under:
        return None
    paired = [over[number] / under[number] for number in over if number in under]
    middle = statistics.median(over.values()) / statistics.median(under.values())
    return Spread(middle, min(paired, default=middle), max(paired, default=middle), len(paired))
