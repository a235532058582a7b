# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names with numeric ranges: ``node_[0:3]`` stands for node_0, node_1, node_2 and node_3."""

from __future__ import annotations

import itertools
import re
import typing as t

# A cluster of this size is far beyond what one spec is for; a larger range is a slip of the keyboard.
MOST = 100_000

_RANGE = re.compile(r"\[([^\[\]]*)\]")
_BOUNDS = re.compile(r"(\d+):(\d+)(?::(\d+))?\Z")


class RangeError(ValueError):
    """A range that cannot be expanded; the text says what is wrong and, after a semicolon, what would be right."""


def is_range(name: str) -> bool:
    """Whether ``name`` holds, or tries to hold, a range."""
    return "[" in name or "]" in name


def expand(name: str) -> t.List[str]:
    """The names that ``name`` stands for, both bounds included, in order; a name without a range stands for itself.

    ``[00:10]`` keeps the leading zeros, ``[0:10:2]`` takes every second. Several ranges in a name are combined.
    Raises :class:`RangeError`.
    """
    if not is_range(name):
        return [name]
    pieces = _RANGE.split(name)
    fixed, written = pieces[::2], pieces[1::2]
    if any(is_range(piece) for piece in fixed):
        raise RangeError(f"'{name}' has an unpaired bracket; write a range as node_[0:3]")
    columns: t.List[t.List[str]] = []
    count = 1
    for text in written:
        bounds = _bounds(name, text)
        count *= len(bounds[0])
        if count > MOST:
            raise RangeError(f"'{name}' stands for more than {MOST:,} names; use a smaller range")
        columns.append([str(number).zfill(bounds[1]) for number in bounds[0]])
    return [
        "".join(itertools.chain.from_iterable(itertools.zip_longest(fixed, numbers, fillvalue="")))
        for numbers in itertools.product(*columns)
    ]


def _bounds(name: str, text: str) -> t.Tuple[range, int]:
    """The numbers of the range ``text``, and the width that leading zeros ask for (0 without)."""
    match = _BOUNDS.match(text)
    if not match or max(map(len, match.groups(""))) > 9:
        raise RangeError(f"'{name}' has a malformed range [{text}]; write two numbers, the first and the last, as node_[0:3]")
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first:
        raise RangeError(f"'{name}' counts down; write the smaller number first, as [{last}:{first}]")
    if step < 1:
        raise RangeError(f"'{name}' has a step of 0; use 1 or more")
    padded = len(match[1]) > 1 and match[1].startswith("0")
    if padded and len(match[1]) != len(match[2]):
        raise RangeError(f"'{name}' has bounds of different width; write both with the same number of digits, as [00:10]")
    return range(first, last + 1, step), len(match[1]) if padded else 0
