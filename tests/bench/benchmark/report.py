# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people, JSON for programs."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from benchmark.measured import Contender, Samples, Spread, percentile, ratio, spread


@dataclass(frozen=True)
class Target:
    """One line of the verdict. ``seen`` is None when it was not measured; ``reached`` follows from it and the limit."""

    name: str
    wanted: str
    seen: t.Optional[Spread]
    reached: t.Optional[bool]
    unit: str = "x"


def at_most(name: str, limit: float, seen: t.Optional[Spread], strictly: bool = False, unit: str = "x") -> Target:
    """``seen`` must not be above ``limit``; ``strictly``: must be below."""
    reached = None if seen is None else (seen.median < limit if strictly else seen.median <= limit)
    return Target(name, f"{'<' if strictly else '<='} {limit:g}{unit}", seen, reached, unit)


def at_least(name: str, limit: float, seen: t.Optional[Spread]) -> Target:
    """``seen`` must not be below ``limit``."""
    return Target(name, f">= {limit:g}x", seen, None if seen is None else seen.median >= limit)


def engine_targets(samples: Samples, size: int) -> t.List[Target]:
    """The verdict on cold and no-op deploys of ``size`` nodes."""
    floor = samples.seconds("floor", "cold", size)
    cold = samples.seconds("ours", "cold", size)
    noop = samples.seconds("ours", "noop", size)
    alone = samples.seconds("ours", "cold", size, "containers")
    # The faster of the two ways to use docker_container is the one to beat.
    rivals = [found for found in (samples.seconds(key, "noop", size) for key in ("loop", "hosts")) if found]
    rival = min(rivals, key=lambda found: sum(found.values()) / len(found), default={})
    return [
        at_most(f"cold deploy, N={size}, over the floor", 1.4, ratio(cold, floor)),
        at_most(f"cold deploy, N={size}, over docker-compose", 1.0, ratio(cold, samples.seconds("compose", "cold", size)), strictly=True),
        at_least(f"no-op deploy, N={size}, faster than docker_container", 6.0, ratio(rival, noop)),
        at_most(f"task containers alone, cold, N={size}, over the floor", 1.15, ratio(alone, floor)),
    ]


def targets(samples: Samples, size: int, inventory_nodes: int) -> t.List[Target]:
    """The whole verdict: deploys and waits of ``size`` nodes, and the big inventory."""
    pair = [samples.seconds(f"inventory-{key}", "list", inventory_nodes) for key in ("ours", "static")]
    return [
        *engine_targets(samples, size),
        at_most(f"wait lag, N={size}, p95", 250, lag_at(samples, size), unit=" ms"),
        at_most(f"inventory of {inventory_nodes} nodes, over static YAML", 1.3, ratio(*pair)),
    ]


def lag_at(samples: Samples, size: int) -> t.Optional[Spread]:
    """The 95th percentile of the wait lag in milliseconds, with the smallest and the largest."""
    found = [sample.seconds * 1000 for sample in samples.all if sample.phase == "lag" and sample.size == size]
    return Spread(percentile(found, 0.95), min(found), max(found), len(found)) if found else None


def lag_table(samples: Samples) -> str:
    """Percentiles of the wait lag by size."""
    rows = [["wait lag", "samples", "p50 ms", "p95 ms", "min-max"]]
    for size in sorted({sample.size for sample in samples.all if sample.phase == "lag"}):
        found = [sample.seconds * 1000 for sample in samples.all if sample.phase == "lag" and sample.size == size]
        shares = [f"{percentile(found, share):.0f}" for share in (0.5, 0.95)]
        rows.append([f"{size} nodes", str(len(found)), *shares, f"{min(found):.0f}-{max(found):.0f}"])
    return table(rows)


def parts_table(samples: Samples, size: int) -> str:
    """Where the time of our deploy goes: medians by task."""
    rows = [["our deploy, task by task", "cold s", "no-op s"]]
    medians: t.Dict[str, t.List[str]] = {}
    for column, phase in enumerate(("cold", "noop")):
        chosen = [sample for sample in samples.all if (sample.contender, sample.phase, sample.size) == ("ours", phase, size)]
        for name in dict.fromkeys(name for sample in chosen for name in sample.parts):
            found = spread([sample.parts[name] for sample in chosen if name in sample.parts])
            if found is not None:
                medians.setdefault(name, ["-", "-"])[column] = f"{found.median:.2f}"
    return table(rows + [[f"  {name}", *cells] for name, cells in medians.items()])


def tables(samples: Samples, contenders: t.Sequence[Contender], sizes: t.Sequence[int], found: t.Sequence[Target]) -> str:
    """All tables of the report, the verdict last."""
    parts = []
    if contenders:
        parts.append(seconds_table(samples, contenders, sizes))
    if any(sample.contender == "ours" and sample.parts for sample in samples.all):
        parts.append(parts_table(samples, max(sizes)))
    if any(sample.phase == "lag" for sample in samples.all):
        parts.append(lag_table(samples))
    return "\n\n".join([*parts, verdict(found)]) + "\n"


def table(rows: t.Sequence[t.Sequence[str]]) -> str:
    """Aligned columns; the first row is the head, the first column is text and the others are figures."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def seconds_table(samples: Samples, contenders: t.Sequence[Contender], sizes: t.Sequence[int]) -> str:
    """Seconds of every contender, with the ratio to the floor: seen on this machine, in this run."""
    rows = [["contender", "N", "cold s", "min-max", "/ floor", "no-op s", "min-max"]]
    for size in sizes:
        floor = samples.seconds("floor", "cold", size)
        for contender in contenders:
            cold = samples.seconds(contender.key, "cold", size)
            noop = samples.seconds(contender.key, "noop", size)
            rows.append([contender.title, str(size), *_row(cold, floor, noop)])
            part = samples.seconds(contender.key, "cold", size, "containers")
            if part:
                again = samples.seconds(contender.key, "noop", size, "containers")
                rows.append(["  of it: task containers", str(size), *_row(part, floor, again)])
    return table(rows)


def verdict(targets: t.Sequence[Target]) -> str:
    """Target, what was seen, whether it is reached."""
    rows = [["target", "wanted", "seen", "min-max", "reached"]]
    for target in targets:
        reached = {None: "not measured", True: "yes", False: "NO"}[target.reached]
        if target.seen is None:
            rows.append([target.name, target.wanted, "-", "-", reached])
        else:
            digits = 0 if target.unit == " ms" else 2
            seen = f"{target.seen.median:.{digits}f}{target.unit}"
            rows.append([target.name, target.wanted, seen, f"{target.seen.low:.{digits}f}-{target.seen.high:.{digits}f}", reached])
    return table(rows)


def as_data(samples: Samples, found: t.Sequence[Target], **more: t.Any) -> t.Dict[str, t.Any]:
    """Everything for programs: the verdict, all samples, and ``more``."""
    return {**more, "targets": [asdict(target) for target in found], "samples": [asdict(sample) for sample in samples.all]}


def _row(cold: t.Mapping[int, float], floor: t.Mapping[int, float], noop: t.Mapping[int, float]) -> t.List[str]:
    return [*_cells(spread(list(cold.values()))), _ratio(ratio(cold, floor)), *_cells(spread(list(noop.values())))]


def _cells(found: t.Optional[Spread]) -> t.List[str]:
    if found is None:
        return ["-", "-"]
    return [f"{found.median:.2f}", f"{found.low:.2f}-{found.high:.2f}"]


def _ratio(found: t.Optional[Spread]) -> str:
    return "-" if found is None else f"{found.median:.2f}"
