# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of containers as it comes, of which only so much is kept."""

from __future__ import annotations

import struct
import typing as t

# Head of a frame of output: which stream (1 or 2), three zeros, and how long.
FRAME = struct.Struct(">BxxxL")


class Kept:
    """The beginning and the end of what is added, together not longer than ``longest`` bytes."""

    def __init__(self, longest: int) -> None:
        self._half = longest // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left = 0

    def add(self, piece: bytes) -> None:
        """Take what follows."""
        room = self._half - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        surplus = len(self._tail) - self._half
        if surplus > 0:
            self._left += surplus
            del self._tail[:surplus]

    def content(self) -> bytes:
        """What is kept; a line between the two says how much is not."""
        gap = f"\n[{self._left} bytes left out]\n".encode() if self._left else b""
        return bytes(self._head + gap + self._tail)


class Frames:
    """Tells standard output and standard error in what the Engine sends, in whatever pieces it comes."""

    def __init__(self, longest: int) -> None:
        self._kept = {1: Kept(longest), 2: Kept(longest)}
        self._head = b""
        self._left = 0
        self._current: t.Optional[Kept] = None

    def feed(self, piece: bytes) -> None:
        """Take what follows."""
        at = 0
        while at < len(piece):
            if self._left:
                part = piece[at : at + self._left]
                self._left -= len(part)
                if self._current is not None:
                    self._current.add(part)
                at += len(part)
                continue
            part = piece[at : at + FRAME.size - len(self._head)]
            self._head += part
            at += len(part)
            if len(self._head) == FRAME.size:
                stream, self._left = FRAME.unpack(self._head)
                self._current = self._kept.get(stream)
                self._head = b""

    def outputs(self) -> t.Tuple[bytes, bytes]:
        """What is kept of both streams."""
        return self._kept[1].content(), self._kept[2].content()
