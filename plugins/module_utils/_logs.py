# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of nodes: what their containers put out, and log files in their volumes. The module ``node_logs_info``."""

from __future__ import annotations

import calendar
import collections
import contextlib
import io
import posixpath
import re
import tarfile
import time
import typing as t
from dataclasses import dataclass, replace

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

# Longest line (bytes), and the most that is returned of all logs of a Docker host and the least of one (bytes, in whole lines).
LONGEST_LINE = 64 * 1024
MOST_KEPT = 32 * 1024 * 1024
LEAST_KEPT = 1024 * 1024

# How much of a file is read at once (bytes), and how many links in a row are followed.
PIECE = 64 * 1024
MOST_LINKS = 8


@dataclass(frozen=True)
class Wanted:
    """Which lines: ``tail`` from the end (-1: all), between two Unix times, with a match of ``grep``; at most ``longest`` bytes of them."""

    tail: int = -1
    since: t.Optional[float] = None
    until: t.Optional[float] = None
    grep: t.Optional[t.Pattern[str]] = None
    timestamps: bool = False
    longest: int = LEAST_KEPT


class Lines:
    """Lines out of pieces of bytes; what does not count is forgotten at once, so that a log may be larger than the memory."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._kept: t.Deque[str] = collections.deque()
        self._size = 0
        self._gone = 0
        self._begun = bytearray()
        self._over = 0

    def feed(self, piece: bytes) -> None:
        """Take what follows."""
        # Not splitlines: a carriage return of a progress bar is no end of line.
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._grow(part)
            self._end()
        self._grow(rest)

    def all(self) -> t.List[str]:
        """The lines that count."""
        if self._begun:
            self._end()
        return [*([f"[{self._gone} earlier lines left out: they are too long together]"] if self._gone else []), *self._kept]

    def _grow(self, part: bytes) -> None:
        room = LONGEST_LINE - len(self._begun)
        self._begun += part[:room]
        self._over += max(0, len(part) - room)

    def _end(self) -> None:
        line = self._begun.decode("utf-8", "replace").rstrip("\r")
        if self._over:
            line += f" [{self._over} bytes left out]"
        self._begun, self._over = bytearray(), 0
        if self._wanted.tail == 0 or not self._counts(line):
            return
        self._kept.append(line)
        self._size += len(line) + 1
        if self._wanted.tail != -1 and len(self._kept) > self._wanted.tail:
            self._size -= len(self._kept.popleft()) + 1
        while self._size > self._wanted.longest and len(self._kept) > 1:
            self._size -= len(self._kept.popleft()) + 1
            self._gone += 1

    def _counts(self, line: str) -> bool:
        return self._wanted.grep is None or bool(self._wanted.grep.search(line))


class DatedLines(Lines):
    """Lines of a file, which have their time at their start; those without one belong to the one before."""

    _fresh = True

    def _counts(self, line: str) -> bool:
        since, until = self._wanted.since, self._wanted.until
        stamp = LINE_STAMP.match(line) if since is not None or until is not None else None
        if stamp:
            with contextlib.suppress(Refused):
                moment = parse_time(stamp[1], 0.0)
                self._fresh = (since is None or moment >= since) and (until is None or moment <= until)
        return self._fresh and super()._counts(line)


def read_logs(params: t.Mapping[str, t.Any], engine: Engine, _progress: Progress, _check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``node_logs_info``."""
    wanted = parse_wanted(params, time.time())
    entries = find_nodes(engine, params["cluster"], params["nodes"])
    files = params["files"] or {}
    names = list(entries)
    places = [(node, path) for node in names for path in files.get(node) or []]
    wanted = replace(wanted, longest=max(LEAST_KEPT, MOST_KEPT // max(1, len(names) + len(places))))

    def read(node: str) -> t.List[str]:
        entry = entries[node]
        return container_log(engine, entry["Id"], wanted) if entry else []

    def read_file(place: t.Tuple[str, str]) -> t.Optional[t.List[str]]:
        entry = entries[place[0]]
        return file_log(engine, entry["Id"], place[1], wanted) if entry else None

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


def parse_wanted(params: t.Mapping[str, t.Any], now: float) -> Wanted:
    """Options of the module as :class:`Wanted`."""
    tail = params["tail"]
    if tail < -1:
        raise Refused(f"tail {tail} is not a number of lines: give 0 or more, or -1 for all")
    since = parse_time(params["since"], now) if params["since"] else None
    until = parse_time(params["until"], now, "until") if params["until"] else None
    if since is not None and until is not None and since > until:
        raise Refused(f"since {params['since']} is later than until {params['until']}: swap them")
    grep = None
    if params["grep"]:
        try:
            grep = re.compile(params["grep"])
        except (re.error, RecursionError, OverflowError) as exc:
            raise Refused(f"grep {params['grep']!r} is not a regular expression ({exc}): write for example error|panic") from None
    return Wanted(tail, since, until, grep, params["timestamps"])


def container_log(engine: Engine, container: str, wanted: Wanted) -> t.List[str]:
    """Lines that a container put out, both streams."""
    # The Engine does not know what is looked for.
    tail = "all" if wanted.tail == -1 or wanted.grep else wanted.tail
    times = {key: value for key, value in (("since", wanted.since), ("until", wanted.until)) if value is not None}
    lines = Lines(wanted)
    options = {"stdout": True, "stderr": True, "timestamps": wanted.timestamps, "tail": tail, **times}
    with engine.translating(f"reading the log of container {container[:12]}"):
        # Without a word on following, the SDK would wait for what comes.
        for piece in engine.api.logs(container, stream=True, follow=False, **options):
            lines.feed(piece)
    return lines.all()


def file_log(engine: Engine, container: str, path: str, wanted: Wanted) -> t.Optional[t.List[str]]:
    """Lines of a file in a container, which need not run; None when it is not there. Links are followed.

    With a time, lines count that start with one in the range, and those without one that follow them.
    """
    with engine.translating(f"reading {path} of container {container[:12]}"):
        for _hop in range(MOST_LINKS):
            try:
                chunks, _stat = engine.api.get_archive(container, path)
            except docker.errors.APIError as exc:
                # Links in a circle lead nowhere.
                if isinstance(exc, docker.errors.NotFound) or "too many links" in str(exc.explanation):
                    return None
                raise
            # As a stream: a log may be larger than the memory.
            with tarfile.open(fileobj=io.BufferedReader(_Stream(chunks)), mode="r|") as archive:
                entry = archive.next()
                if entry is not None and entry.issym():
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.linkname))
                    continue
                source = archive.extractfile(entry) if entry is not None and entry.isreg() else None
                if source is None:
                    return None
                lines = DatedLines(wanted)
                while piece := source.read(PIECE):
                    lines.feed(piece)
                return lines.all()
    return None


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


def parse_time(text: str, now: float, what: str = "since") -> float:
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
    raise Refused(f"{what} {text!r} is not a time: give for example 90s, 5m, 1h30m, 2d or 2026-01-31T12:00:00Z")


def _offset(zone: t.Optional[str]) -> int:
    if not zone or zone in ("Z", "z"):
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds
