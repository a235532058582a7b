# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: our deploy beside the bare Docker SDK, docker-compose and community.docker; README.md says how."""

from __future__ import annotations

import argparse
import datetime as dt
import fcntl
import ipaddress
import json
import shutil
import signal
import sys
import typing as t
from pathlib import Path

from benchmark import engine, inventory, lag, report, rounds, tools
from benchmark.community import Community
from benchmark.compose import Compose
from benchmark.floor import Floor
from benchmark.measured import Contender, Samples
from benchmark.ours import Ours
from benchmark.settings import CACHE, LARGEST, BenchError, Options, say

CONTENDERS = ("floor", "ours", "compose", "loop", "hosts")
PARTS = (*CONTENDERS, "lag", "inventory")


def options(argv: t.Optional[t.Sequence[str]] = None) -> Options:
    """The command line as :class:`Options`; ends with a usage message when it is wrong."""
    today = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%d-%H%M%S")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="4,16,50", help="containers per cluster, comma-separated (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--only", default=",".join(PARTS), help="what to measure, comma-separated (default: %(default)s)")
    result = CACHE / f"bench-{today}.json"
    parser.add_argument("--output", type=Path, default=result, help="JSON file (default: .cache/bench/bench-<date>.json)")
    parser.add_argument("--keep", action="store_true", help="keep the image and the working files")
    parser.add_argument("--subnet", default="10.204.0.0/16", help="addresses for the networks of the benchmark (default: %(default)s)")
    parser.add_argument("--inventory-nodes", type=int, default=10_000, help="nodes of the big inventory (default: %(default)s)")
    parser.add_argument("--lag-samples", type=int, default=50, help="samples of the wait lag per size, at least (default: %(default)s)")
    given = parser.parse_args(argv)
    try:
        sizes = tuple(int(size) for size in given.sizes.split(","))
        subnet = ipaddress.IPv4Network(given.subnet)
    except ValueError as exc:
        parser.error(str(exc))
    parts = frozenset(given.only.split(","))
    if parts - set(PARTS):
        parser.error(f"--only: unknown {', '.join(sorted(parts - set(PARTS)))}; known are {', '.join(PARTS)}")
    if not all(0 < size <= LARGEST for size in sizes):
        parser.error(f"--sizes: from 1 to {LARGEST}")
    if given.repeats < 1 or subnet.prefixlen > 21:
        parser.error("--repeats must be at least 1, and --subnet a /21 or larger")
    return Options(sizes, given.repeats, parts, given.output, given.keep, subnet, given.inventory_nodes, given.lag_samples)


def contenders(chosen: Options, missing: t.Dict[str, str]) -> t.List[Contender]:
    """Those that were chosen and can be had; the others go into ``missing`` with the reason."""
    found: t.List[Contender] = []
    if "floor" in chosen.parts:
        found.append(Floor())
    if "ours" in chosen.parts:
        found.append(Ours())
    if "compose" in chosen.parts:
        reason = tools.compose(CACHE)
        if reason:
            missing["compose"] = reason
        else:
            found.append(Compose())
    ways = [key for key in ("loop", "hosts") if key in chosen.parts]
    found.extend(Community(tools.community(CACHE), looping=key == "loop") for key in ways)
    return found


def main() -> int:
    """Measure, print the tables, write the JSON. Exit code 0 whatever the figures are."""
    chosen = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("bench: another benchmark of this repository is running")
            return 2
        try:
            return measure(chosen)
        except BenchError as exc:
            say(f"bench: {exc}")
            return 1
        except KeyboardInterrupt:
            say("bench: interrupted; everything was removed")
            return 130


def measure(chosen: Options) -> int:
    """All parts, one after the other; what cannot be measured is left out with its reason."""
    samples = Samples()
    left_out: t.Dict[str, str] = {}
    api = engine.connect()
    engine.import_image(api, tools.busybox(CACHE))
    try:
        running = contenders(chosen, left_out)
        failures = rounds.measure(chosen, running, samples)
        left_out.update(failures.reasons)
        for key, part in (("lag", lag.measure), ("inventory", inventory.measure)):
            if key in chosen.parts:
                try:
                    part(chosen, samples)
                except BenchError as exc:
                    left_out[key] = str(exc)
    finally:
        if not chosen.keep:
            engine.forget_image(api)
            shutil.rmtree(CACHE / "work", ignore_errors=True)
    targets = report.targets(samples, max(chosen.sizes), chosen.inventory_nodes)
    print(report.tables(samples, running, chosen.sizes, targets))
    for key, differences in failures.unequal.items():
        for difference in differences:
            print(f"not equal to the floor: {key}: {difference}")
    for key, reason in left_out.items():
        print(f"left out: {key}: {reason}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    content = report.as_data(samples, targets, versions=tools.versions(), unequal=failures.unequal, left_out=left_out)
    chosen.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for network in sorted(engine.STUCK):
        print(f"left behind: network {network}: empty, but the Engine cannot remove it (moby issue 42119) before it restarts")
    print(f"JSON: {chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
