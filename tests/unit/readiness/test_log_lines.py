# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._logs import DatedLines, Lines, Wanted

FILE = b"""2026-01-01T00:00:00Z old
follows
2026-01-02T00:00:00Z middle
2026-99-99T00:00:00Z no time
[2026-01-03 00:00:00] new
last"""


def read(content: bytes, wanted: Wanted, size: int = 7, kind: t.Type[Lines] = Lines) -> t.List[str]:
    lines = kind(wanted)
    for at in range(0, len(content), size):
        lines.feed(content[at : at + size])
    return lines.all()


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_lines_in_whatever_pieces(size: int) -> None:
    content = "a\r\n\nüü\x1b[31m\rb\nend".encode()
    assert read(content, Wanted(), size) == ["a", "", "üü\x1b[31m\rb", "end"]
    assert read(content + b"\n", Wanted(tail=1), size) == ["end"]
    assert read(content, Wanted(tail=0), size) == []


def test_bytes_that_are_no_text_can_be_sent_on() -> None:
    assert read(b"\xed\xa0\x80\xff\n", Wanted())[0].encode()


def test_the_last_lines_with_a_match() -> None:
    content = b"".join(b"%d\n" % number for number in range(100))
    assert read(content, Wanted(tail=2, grep=re.compile("^1"))) == ["18", "19"]


def test_long_lines_and_long_logs_are_cut() -> None:
    assert read(b"x" * 70_000 + b"\ny", Wanted(), 1000) == [f"{'x' * 65536} [4464 bytes left out]", "y"]
    assert read(b"0123\n" * 10, Wanted(longest=12)) == ["[8 earlier lines left out: they are too long together]", "0123", "0123"]


@pytest.mark.parametrize(
    ("since", "until", "kept"),
    [
        (None, None, ["old", "follows", "middle", "no time", "new", "last"]),
        (1767312000.0, None, ["middle", "no time", "new", "last"]),
        (None, 1767312000.0, ["old", "follows", "middle", "no time"]),
        (1767312000.0, 1767312000.0, ["middle", "no time"]),
    ],
)
def test_times_in_files(since: t.Optional[float], until: t.Optional[float], kept: t.List[str]) -> None:
    lines = read(FILE, Wanted(since=since, until=until), kind=DatedLines)
    assert [line.split("Z ")[-1].split("] ")[-1] for line in lines] == kept
