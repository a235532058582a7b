# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of nodes: what their containers put out, and log files in their volumes. The module ``node_logs_info``."""

from __future__ import annotations

import calendar
import collections
import contextlib
import io
import re
import tarfile
import time
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._commands import find_nodes
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

UNITS: t.Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
STAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?")

# A plain number below this is a span in seconds, otherwise a Unix time (this one was in 2001).
EPOCH = 10**9

# The time at the start of a line of a log file, after a bracket or so.
LINE_STAMP = re.compile(r"\W{0,3}(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?)")


def read_logs(params: t.Mapping[str, t.Any], engine: Engine, _progress: Progress, _check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``node_logs_info``."""
    tail = params["tail"]
    if tail < -1:
        raise Refused(f"tail {tail} is not a number of lines: give 0 or more, or -1 for all")
    since = parse_since(params["since"], time.time()) if params["since"] else None
    entries = find_nodes(engine, params["cluster"], params["nodes"])
    files = params["files"] or {}

    def read(node: str) -> t.List[str]:
        entry = entries[node]
        return container_log(engine, entry["Id"], tail, since, params["timestamps"]) if entry else []

    def read_file(place: t.Tuple[str, str]) -> t.Optional[t.List[str]]:
        entry = entries[place[0]]
        return file_log(engine, entry["Id"], place[1], tail, since) if entry else None

    names = list(entries)
    places = [(node, path) for node in names for path in files.get(node) or []]
    found: t.Dict[str, t.Dict[str, t.List[str]]] = {}
    for (node, path), lines in zip(places, each(places, read_file)):
        if lines is not None:
            found.setdefault(node, {})[path] = lines
    return {
        "changed": False,
        "logs": dict(zip(names, each(names, read))),
        "files": found,
        "absent": [name for name, entry in entries.items() if entry is None],
    }


def container_log(engine: Engine, container: str, tail: int, since: t.Optional[float] = None, timestamps: bool = False) -> t.List[str]:
    """The last lines that a container put out, both streams; ``tail`` -1 stands for all, ``since`` is a Unix time."""
    with engine.translating(f"reading the log of container {container[:12]}"):
        data = engine.api.logs(container, stdout=True, stderr=True, timestamps=timestamps, tail="all" if tail == -1 else tail, since=since)
    return _lines(data)


def file_log(engine: Engine, container: str, path: str, tail: int, since: t.Optional[float] = None) -> t.Optional[t.List[str]]:
    """The last lines of a file in a container, which need not run; None when it is not there.

    With ``since``, lines with an older time at their start are left out, and those without one that follow them.
    """
    with engine.translating(f"reading {path} of container {container[:12]}"):
        try:
            chunks, _stat = engine.api.get_archive(container, path)
        except docker.errors.NotFound:
            return None
        kept: t.Deque[str] = collections.deque(maxlen=None if tail == -1 else tail)
        fresh = True
        # As a stream: a log may be larger than the memory.
        with tarfile.open(fileobj=io.BufferedReader(_Stream(chunks)), mode="r|") as archive:
            entry = archive.next()
            source = archive.extractfile(entry) if entry is not None and entry.isreg() else None
            for raw in source or ():
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                stamp = LINE_STAMP.match(line) if since is not None else None
                if stamp and since is not None:
                    fresh = parse_since(stamp[1], 0.0) >= since
                if fresh:
                    kept.append(line)
    return list(kept) if source is not None else None


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file that is read once."""

    def __init__(self, chunks: t.Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: t.Any) -> int:
        """Fill ``buffer``; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _lines(data: bytes) -> t.List[str]:
    # Not splitlines: a carriage return of a progress bar is no end of line.
    lines = data.decode("utf-8", "replace").split("\n")
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


def parse_since(text: str, now: float) -> float:
    """Unix time of ``5m``, ``1h30m``, ``90`` (seconds ago), an RFC 3339 time (UTC unless it says otherwise) or a Unix time."""
    text = str(text).strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        number = float(text)
        return number if number >= EPOCH else now - number
    if SPAN.fullmatch(text):
        return now - sum(float(span[:-1]) * UNITS[span[-1]] for span in re.findall(r"\d+(?:\.\d+)?[smhd]", text))
    match = STAMP.fullmatch(text)
    if match:
        day, clock, fraction, zone = match.groups()
        try:
            moment = time.strptime(f"{day} {(clock or '00:00:00') + (':00' if clock and len(clock) == 5 else '')}", "%Y-%m-%d %H:%M:%S")
        except ValueError:
            pass
        else:
            return calendar.timegm(moment) + float(fraction or 0) - _offset(zone)
    raise Refused(f"since {text!r} is not a time: give for example 90s, 5m, 1h30m, 2d or 2026-01-31T12:00:00Z")


def _offset(zone: t.Optional[str]) -> int:
    if not zone or zone in ("Z", "z"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds
