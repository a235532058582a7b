# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-inventory --list`` of a big cluster: from our spec, and from a static YAML inventory of the same content."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

from benchmark import ansible, commands, settings
from benchmark.measured import Sample, Samples
from benchmark.settings import CACHE, BenchError, Options, say


def measure(options: Options, samples: Samples) -> None:
    """Pairs of both, ``options.repeats`` times; before that, a check that both have the same content."""
    folder = CACHE / "work" / "inventory"
    folder.mkdir(parents=True, exist_ok=True)
    spec, static = folder / "cluster.yml", folder / "static.yml"
    spec.write_text(json.dumps(_spec(options), indent=1), encoding="utf-8")
    say(f"bench: inventory of {options.inventory_nodes} nodes: making the static one")
    _list(spec, folder, "export", "--export", "--yaml", "--output", str(static))
    sources = {"ours": spec, "static": static}
    listed = {key: _list(source, folder, key, "--output", str(folder / f"{key}.json")) for key, source in sources.items()}
    if _content(folder / "ours.json") != _content(folder / "static.json"):
        raise BenchError(f"the static inventory {static} does not have the content of the spec {spec}")
    say(f"bench: both inventories are the same (first time: ours {listed['ours']:.2f} s, static {listed['static']:.2f} s)")
    for number in range(options.repeats):
        for key in sorted(sources, reverse=number % 2 == 1):
            seconds = _list(sources[key], folder, key)
            samples.add(Sample(f"inventory-{key}", "list", options.inventory_nodes, number, seconds))
            say(f"bench: inventory round {number + 1}: {key} {seconds:.2f} s")
    if not options.keep:
        shutil.rmtree(folder)


def _spec(options: Options) -> t.Dict[str, t.Any]:
    return {
        "plugin": "gravity.cluster.spec",
        "cluster_name": "bench-inventory",
        "network": {"name": "bench-inventory", "subnet": str(options.subnet)},
        "flavor": "generic",
        "defaults": {"role": "service", "image": {"source": "present", "name": settings.IMAGE}, "command": settings.COMMAND},
        "nodes": {f"node_[0:{options.inventory_nodes - 1}]": {}},
    }


def _list(source: Path, folder: Path, key: str, *more: str) -> float:
    argv = [settings.tool("ansible-inventory"), "-i", str(source), "--list", *more]
    return commands.run(argv, folder / f"{key}.log", env=ansible.environment(folder), cwd=settings.REPOSITORY)


def _content(path: Path) -> t.Any:
    """What ``--list`` says, without the order of hosts and groups and without the mark of untrusted strings.

    The strings of our inventory are never templates; those of a YAML file may be, so only ours carry the mark.
    """
    content = json.loads(path.read_text(encoding="utf-8"), object_hook=lambda data: data.get("__ansible_unsafe", data))
    for name, group in content.items():
        if name != "_meta":
            for key in ("hosts", "children"):
                group[key] = sorted(group.get(key, []))
    return content
