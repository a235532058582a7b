# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask which node, and what must hold of the answers: the checked form of the modules' option ``nodes``."""

from __future__ import annotations

import difflib
import typing as t
import urllib.parse
from dataclasses import dataclass, field, replace

from ansible_collections.gravity.cluster.plugins.module_utils._engine_address import machine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused

# Seconds that one request of a probe may take (to connect, and then to answer).
PROBE_TIMEOUT = 2.0
LOOPBACK = "127.0.0.1"
# For how long a container may restart again and again before that counts as a crash loop (seconds).
CRASH_LOOP = 10.0

# Probe type -> the keys that it needs.
PROBE_NEEDS: t.Mapping[str, t.Tuple[str, ...]] = {
    "eth": ("url",),
    "cometbft": ("url",),
    "http": ("url",),
    "tcp": ("host", "port"),
    "exec": ("command",),
}
PROBE_KEYS = {"type", "url", "host", "port", "command", "status", "timeout"}

# Condition -> whether it needs a value ("yes"), may have one ("maybe") or takes none ("no"); and the probe type that it looks at.
CONDITIONS: t.Mapping[str, t.Tuple[str, t.Optional[str]]] = {
    "running": ("no", None),
    "healthy": ("no", None),
    "chain_id": ("yes", None),
    "height_at_least": ("yes", None),
    "advancing": ("no", None),
    "peers_at_least": ("yes", None),
    "not_syncing": ("no", None),
    "caught_up": ("maybe", None),
    "answers": ("no", None),
    "http_status": ("maybe", "http"),
    "tcp_open": ("no", "tcp"),
    "exec_ok": ("no", "exec"),
}
TOGETHER = ("same_block_hash",)

# What must hold of a probe when a node has probes but no conditions.
IMPLIED: t.Mapping[str, str] = {"eth": "answers", "cometbft": "answers", "http": "http_status", "tcp": "tcp_open", "exec": "exec_ok"}

Number = t.Union[int, float]


@dataclass(frozen=True)
class Probe:
    """One question to one node. ``timeout`` is in seconds."""

    name: str
    type: str
    url: str = ""
    host: str = ""
    port: int = 0
    command: t.Tuple[str, ...] = ()
    status: int = 200
    timeout: float = PROBE_TIMEOUT

    @property
    def chain(self) -> bool:
        """Whether the answers speak of a chain."""
        return self.type in ("eth", "cometbft")


@dataclass(frozen=True)
class Condition:
    """A named predicate. ``probe`` names the probe that it looks at, where that matters."""

    name: str
    value: t.Union[int, str, None] = None
    probe: t.Optional[str] = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {self.value}"


@dataclass(frozen=True)
class Target:
    """A node to observe. Without ``container``, no container is looked at (it is on another Docker host).

    ``log_files`` are paths of logs in the container. ``stable`` is how long the container must have been running (seconds), None stands for
    the default; ``crash_loop`` how long it may restart again and again.
    """

    name: str
    container: t.Optional[str]
    probes: t.Tuple[Probe, ...] = ()
    conditions: t.Tuple[Condition, ...] = field(default=())
    log_files: t.Tuple[str, ...] = ()
    stable: t.Optional[float] = None
    crash_loop: float = CRASH_LOOP


def parse_targets(nodes: t.Sequence[t.Any], engine_url: str = "") -> t.Tuple[Target, ...]:
    """Targets from the option ``nodes``; a mistake is refused with its place.

    The ports of an Engine on another machine are published there: what would ask 127.0.0.1 asks that machine.
    """
    targets = tuple(_target(node, f"nodes[{index}]") for index, node in enumerate(nodes))
    there = machine(engine_url)
    if there:
        targets = tuple(replace(target, probes=tuple(_moved(probe, there) for probe in target.probes)) for target in targets)
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"nodes: {name} is there twice: give each node once")
    return targets


def _moved(probe: Probe, there: str) -> Probe:
    if probe.host == LOOPBACK:
        return replace(probe, host=there)
    parts = urllib.parse.urlsplit(probe.url)
    if parts.hostname != LOOPBACK:
        return probe
    return replace(probe, url=parts._replace(netloc=parts.netloc.replace(LOOPBACK, f"[{there}]" if ":" in there else there)).geturl())


def parse_together(conditions: t.Sequence[t.Mapping[str, t.Any]]) -> t.Tuple[str, ...]:
    """Names of the conditions over all nodes."""
    names = []
    for index, condition in enumerate(conditions):
        name = str(condition.get("is", ""))
        if name not in TOGETHER:
            raise Refused(f"together[{index}]: {_unknown('condition', name, TOGETHER)}")
        names.append(name)
    return tuple(dict.fromkeys(names))


def _target(node: t.Any, place: str) -> Target:
    if not isinstance(node, t.Mapping) or not node.get("name"):
        raise Refused(f"{place}: a node needs a name: give name, and container, probes and conditions as needed")
    name = str(node["name"])
    raw = node.get("probes") or {}
    if not isinstance(raw, t.Mapping):
        raise Refused(f"{name}: probes is not a mapping: give probe names with their probes")
    probes = tuple(_probe(str(key), value, f"{name}: probes.{key}") for key, value in raw.items())
    conditions = tuple(
        _condition(value, probes, f"{name}: conditions[{index}]") for index, value in enumerate(node.get("conditions") or [])
    )
    if not conditions:
        conditions = tuple(_implied(probe) for probe in probes)
    container = node.get("container")
    logs = tuple(str(path) for path in node.get("log_files") or [])
    stable, loop = (node.get(key) for key in ("stable", "crash_loop"))
    return Target(
        name,
        str(container) if container else None,
        probes,
        conditions,
        logs,
        None if stable is None else _seconds(stable, f"{name}: stable", 0),
        CRASH_LOOP if loop is None else _seconds(loop, f"{name}: crash_loop", 0),
    )


def _implied(probe: Probe) -> Condition:
    value = probe.status if probe.type == "http" else None
    return Condition(IMPLIED[probe.type], value, probe.name)


def _probe(name: str, raw: t.Any, place: str) -> Probe:
    if not isinstance(raw, t.Mapping):
        raise Refused(f"{place}: not a mapping: give type and its keys")
    kind = str(raw.get("type", ""))
    if kind not in PROBE_NEEDS:
        raise Refused(f"{place}: {_unknown('probe type', kind, PROBE_NEEDS)}")
    for key in raw:
        if key not in PROBE_KEYS:
            raise Refused(f"{place}: {_unknown('key', str(key), PROBE_KEYS)}")
    for key in PROBE_NEEDS[kind]:
        if not raw.get(key):
            raise Refused(f"{place}: a probe of type {kind} needs {key}: add it")
    url = str(raw.get("url") or "")
    if url and not url.startswith(("http://", "https://")):
        raise Refused(f"{place}: url {url} is not an HTTP address: start it with http:// or https://")
    command = raw.get("command") or []
    if isinstance(command, str):
        command = ["sh", "-c", command]
    return Probe(
        name=name,
        type=kind,
        url=url.rstrip("/") if kind != "http" else url,
        host=str(raw.get("host") or ""),
        port=_integer(raw.get("port") or 0, f"{place}: port"),
        command=tuple(str(word) for word in command),
        status=_integer(raw.get("status") or 200, f"{place}: status"),
        timeout=_seconds(raw.get("timeout") or PROBE_TIMEOUT, f"{place}: timeout"),
    )


def _condition(raw: t.Any, probes: t.Sequence[Probe], place: str) -> Condition:
    if not isinstance(raw, t.Mapping):
        raise Refused(f"{place}: not a mapping: give for example is=advancing")
    name = str(raw.get("is", ""))
    if name not in CONDITIONS:
        raise Refused(f"{place}: {_unknown('condition', name, CONDITIONS)}")
    takes, kind = CONDITIONS[name]
    value = raw.get("value")
    if takes == "yes" and value is None:
        raise Refused(f"{place}: {name} needs a value: add it")
    if value is not None and not (name == "chain_id" and not str(value).isdigit()):
        value = _integer(value, f"{place}: value")
    probe = str(raw["probe"]) if raw.get("probe") else None
    if probe is not None and probe not in [known.name for known in probes]:
        raise Refused(f"{place}: {_unknown('probe', probe, [known.name for known in probes])}")
    if kind is not None and probe is None:
        fitting = [known.name for known in probes if known.type == kind]
        if len(fitting) != 1:
            raise Refused(f"{place}: {name} has {len(fitting)} probes of type {kind} to look at: name one with probe")
        probe = fitting[0]
    if name == "http_status" and value is None:
        value = next(known.status for known in probes if known.name == probe)
    return Condition(name, str(value) if isinstance(value, str) else value, probe)


def _integer(value: t.Any, place: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise Refused(f"{place} {value!r} is not a whole number: give one") from None


def _seconds(value: t.Any, place: str, least: t.Optional[float] = None) -> float:
    """Seconds up to an hour: ``least`` or more, by default more than 0."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 < seconds <= 3600 and seconds != least:
        raise Refused(f"{place} {value!r} is not a time: give seconds between 0 and 3600")
    return seconds


def _unknown(what: str, name: str, known: t.Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"
    return f"unknown {what} {name!r}: {hint}"
