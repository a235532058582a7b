# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Docker host carries a node for which the spec names none. Pure, and deterministic.

Nodes stay where they are: what an earlier run wrote down (``recorded``) holds, whatever was added to the spec since. The others
are spread, one after the other, over the Docker hosts that have the labels and the room that they ask for. A validator goes
where the least voting power is, so that no Docker host carries a third of it where that can be had; any other node goes where
the fewest nodes are.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils._quorum import needed_of

_PARTS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Place:
    """A Docker host as far as placement is concerned. ``memory`` is in bytes; None is without limit."""

    name: str
    cpus: t.Optional[float] = None
    memory: t.Optional[int] = None
    max_nodes: t.Optional[int] = None
    labels: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A node that needs a Docker host. ``host``: the one that the spec names; ``recorded``: where an earlier run put it."""

    name: str
    role: str
    power: int = 0
    cpus: float = 0.0
    memory: int = 0
    labels: t.Mapping[str, str] = field(default_factory=dict)
    host: t.Optional[str] = None
    recorded: t.Optional[str] = None


@dataclass
class _Load:
    """What a Docker host carries so far."""

    nodes: int = 0
    cpus: float = 0.0
    memory: int = 0
    power: int = 0
    of_role: t.Dict[str, int] = field(default_factory=dict)

    def add(self, node: Candidate) -> None:
        self.nodes += 1
        self.cpus += node.cpus
        self.memory += node.memory
        self.power += node.power
        self.of_role[node.role] = self.of_role.get(node.role, 0) + 1


@dataclass(frozen=True)
class Placed:
    """``hosts``: node -> Docker host; ``problems``: (node, what is wrong and what to do); ``warnings``: one line each."""

    hosts: t.Mapping[str, str]
    problems: t.Sequence[t.Tuple[str, str]]
    warnings: t.Sequence[str]


def place(nodes: t.Sequence[Candidate], places: t.Sequence[Place]) -> Placed:
    """Give every node a Docker host. A node that fits nowhere is a problem, and has none."""
    loads = {one.name: _Load() for one in places}
    by_name = {one.name: one for one in places}
    hosts: t.Dict[str, str] = {}
    problems: t.List[t.Tuple[str, str]] = []
    waiting = []
    for node in nodes:
        wish = node.host or node.recorded
        if wish is None:
            waiting.append(node)
        elif wish not in by_name:
            lost = f"an earlier run put it on the Docker host {wish}, which the spec no longer has"
            problems.append((node.name, f"{lost}; put {wish} back, or give {node.name} a host (its data does not move)"))
        else:
            loads[wish].add(node)
            hosts[node.name] = wish
    # The mightiest first, then in the order of their names: who comes later finds the others where they are.
    for node in sorted(waiting, key=lambda one: (-one.power, natural(one.name))):
        fitting = [one for one in places if not _obstacle(node, one, loads[one.name])]
        if not fitting:
            problems.append((node.name, _nowhere(node, places, loads)))
            continue
        chosen = min(fitting, key=lambda one: _cost(node, loads[one.name]))
        loads[chosen.name].add(node)
        hosts[node.name] = chosen.name
    problems += _overloaded(nodes, hosts, by_name, loads)
    return Placed({node.name: hosts[node.name] for node in nodes if node.name in hosts}, problems, _warnings(places, loads))


def natural(name: str) -> t.Tuple[t.Any, ...]:
    """Sort key with which node_10 comes after node_9."""
    return tuple(int(part) if part.isdigit() else part for part in _PARTS.split(name))


def _cost(node: Candidate, load: _Load) -> t.Tuple[int, ...]:
    """The smallest wins, the first of the spec among equals."""
    return (load.power if node.power else 0, load.of_role.get(node.role, 0), load.nodes)


def _unlike(node: Candidate, one: Place) -> str:
    """The first label that ``node`` asks for and ``one`` does not have; empty when it has all."""
    for key, value in node.labels.items():
        if one.labels.get(key) != value:
            return f"has {key}={one.labels[key]}" if key in one.labels else f"has no label {key}"
    return ""


def _obstacle(node: Candidate, one: Place, load: _Load) -> str:
    """Why ``node`` cannot go to ``one``; empty when it can."""
    unlike = _unlike(node, one)
    if unlike:
        return unlike
    if one.max_nodes is not None and load.nodes + 1 > one.max_nodes:
        return f"is full (max_nodes {one.max_nodes})"
    if one.cpus is not None and load.cpus + node.cpus > one.cpus + 1e-9:
        return f"has {max(one.cpus - load.cpus, 0):g} of {one.cpus:g} CPUs left"
    if one.memory is not None and load.memory + node.memory > one.memory:
        return f"has {_mebibytes(max(one.memory - load.memory, 0))} of {_mebibytes(one.memory)} memory left"
    return ""


def _nowhere(node: Candidate, places: t.Sequence[Place], loads: t.Mapping[str, _Load]) -> str:
    wishes = [f"{key}={value}" for key, value in node.labels.items()]
    wishes += [f"{node.cpus:g} CPUs"] if node.cpus else []
    wishes += [f"{_mebibytes(node.memory)} of memory"] if node.memory else []
    reasons = ", ".join(f"{one.name} {_obstacle(node, one, loads[one.name])}" for one in places)
    asked = ", ".join(wishes) or "one node"
    return f"no Docker host can carry {node.name} ({asked}): {reasons}; add a host, raise a capacity, or ask for less"


def _overloaded(
    nodes: t.Sequence[Candidate], hosts: t.Mapping[str, str], by_name: t.Mapping[str, Place], loads: t.Mapping[str, _Load]
) -> t.Iterator[t.Tuple[str, str]]:
    """Docker hosts to which the spec itself, or the past, gives more than they can carry, and labels that do not fit."""
    last = {host: name for name, host in hosts.items()}
    for host, name in last.items():
        one, load = by_name[host], loads[host]
        excess = [
            f"{used} {what}, more than its capacity of {limit}"
            for used, limit, what in (
                (load.nodes, one.max_nodes, "nodes"),
                (round(load.cpus, 3), one.cpus, "CPUs"),
                (load.memory // 2**20, None if one.memory is None else one.memory // 2**20, "MiB of memory"),
            )
            if limit is not None and used > limit + 1e-9
        ]
        if excess:
            yield name, f"the Docker host {host} would carry {' and '.join(excess)}; move a node to another host, or raise the capacity"
    for node in nodes:
        if node.host and node.host in by_name:
            obstacle = _unlike(node, by_name[node.host])
            if obstacle:
                yield node.name, f"{node.name} is to be on {node.host}, which {obstacle}; change its host, or its placement"


def _warnings(places: t.Sequence[Place], loads: t.Mapping[str, _Load]) -> t.List[str]:
    """Docker hosts without which the validators have no quorum."""
    total = sum(load.power for load in loads.values())
    heavy = [one.name for one in places if loads[one.name].power and total - loads[one.name].power < needed_of(total)]
    if not heavy or len(places) == 1:
        return []
    shares = ", ".join(f"{name} {loads[name].power} of {total}" for name in heavy)
    remedy = "spread the validators over four Docker hosts or more" if len(places) < 4 else "spread the voting power more evenly"
    return [f"a third or more of the voting power is on one Docker host ({shares}): without it the chain halts; {remedy}"]


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:g} MiB"
