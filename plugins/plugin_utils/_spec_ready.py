# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a node counts as ready: names of ports and of values become addresses and numbers."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._grammar import authority
from ansible_collections.gravity.cluster.plugins.module_utils._quorum import needed_of
from ansible_collections.gravity.cluster.plugins.module_utils._targets import CONDITIONS, IMPLIED, LOOPBACK, PROBE_NEEDS, TOGETHER
from ansible_collections.gravity.cluster.plugins.plugin_utils._allocation import EVERYWHERE
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems, nearest

Data = t.Dict[str, t.Any]


def combined(given: Data, flavor: t.Mapping[str, t.Any]) -> Data:
    """What the spec says of readiness, key by key, over what the flavor says. Own probes without conditions must succeed."""
    said = {key: value for key, value in given.items() if value is not None}
    if "probes" in said and "conditions" not in said:
        said["conditions"] = [{"is": IMPLIED[probe["type"]], "probe": name} for name, probe in said["probes"].items()]
    empty: Data = {"probes": {}, "conditions": [], "together": [], "timeout": None, "stable": None, "crash_loop": None}
    return {key: said.get(key, flavor.get(key) or value) for key, value in empty.items()}


def check(path: Path, ready: Data, problems: Problems) -> None:
    """Note conditions that do not exist, lack a value, or look at a probe that is not there."""
    for index, condition in enumerate(ready["conditions"]):
        where, name, probe = (*path, "conditions", index), condition["is"], condition.get("probe")
        if name not in CONDITIONS:
            problems.add((*where, "is"), f"unknown condition '{name}'; {nearest(name, CONDITIONS)}")
        elif CONDITIONS[name][0] == "yes" and condition.get("value") is None:
            problems.add(where, f"the condition {name} needs a value; add value")
        if probe and probe not in ready["probes"]:
            problems.add((*where, "probe"), f"there is no probe '{probe}'; {nearest(probe, ready['probes'])}")
    for index, condition in enumerate(ready["together"]):
        name = condition["is"]
        if name not in TOGETHER:
            problems.add((*path, "together", index, "is"), f"unknown condition '{name}'; {nearest(name, TOGETHER)}")


def resolved(path: Path, node: Data, values: t.Mapping[str, t.Any], problems: Problems, inside: bool = True) -> Data:
    """``ready`` of ``node`` with the addresses of its probes and with ``values`` in the place of ``$chain_id`` and the like.

    ``inside``: whether the Docker host reaches ports that are not published.
    """
    ready = node["ready"]
    return {
        **ready,
        "probes": {name: _probe((*path, "probes", name), node, probe, problems, inside) for name, probe in ready["probes"].items()},
        "conditions": [
            {key: values.get(value, value) if isinstance(value, str) else value for key, value in condition.items() if value is not None}
            for condition in ready["conditions"]
        ],
    }


def reachable(node: Data, port: Data) -> t.Tuple[str, int]:
    """Where the Docker host reaches a node's port: published, or else in the cluster's network."""
    if port.get("host"):
        return (LOOPBACK if port["address"] == EVERYWHERE else port["address"]), port["host"]
    return node["network_ip"], port["container"]


def _probe(path: Path, node: Data, probe: Data, problems: Problems, inside: bool) -> Data:
    """A probe with the address that it asks."""
    result = {key: value for key, value in probe.items() if key not in ("port", "path") and value is not None}
    kind, port = probe["type"], probe.get("port")
    if kind == "exec":
        if not probe.get("command"):
            problems.add(path, "an exec probe needs a command; add command")
        return result
    if probe.get("url") and "url" in PROBE_NEEDS[kind]:
        return result
    if port is None:
        problems.add(path, f"a probe of type {kind} needs a port; add port, the name of one of the node's ports")
        return result
    entry = _port(node, port)
    if entry is None:
        problems.add((*path, "port"), f"the node has no port '{port}'; {nearest(port, node['ports'])}")
        return result
    if not inside and not entry.get("host"):
        problems.add(
            (*path, "port"),
            f"the Docker host does not reach port '{port}' in an overlay network; give it a host port, or use an exec probe",
        )
    address, number = reachable(node, entry)
    if kind == "tcp":
        return {**result, "host": address, "port": number}
    tail = str(probe.get("path") or "")
    return {**result, "url": f"http://{authority(address, number)}{'' if not tail or tail.startswith('/') else '/'}{tail}"}


def _port(node: Data, port: t.Union[int, str]) -> t.Optional[Data]:
    """The node's port with this name or this number in the container."""
    if isinstance(port, str):
        return t.cast("t.Optional[Data]", node["ports"].get(port))
    return next((entry for entry in node["ports"].values() if entry["container"] == port), {"container": port})


class QuorumPeers:
    """How many other validators a node must see so that, with its own, more than 2/3 of the voting power is there."""

    def __init__(self, validators: t.Mapping[str, int]) -> None:
        self._powers = sorted(validators.values(), reverse=True)
        self._needed = needed_of(sum(self._powers))
        self._known: t.Dict[int, int] = {0: min(1, len(self._powers))}

    def of(self, own: int) -> int:
        """The fewest that do, the mightiest first, for a node with the power ``own``; one is enough for a node without a vote."""
        if own not in self._known:
            others = list(self._powers)
            others.remove(own)
            power, count = own, 0
            while power < self._needed:
                power += others[count]
                count += 1
            self._known[own] = count
        return self._known[own]
