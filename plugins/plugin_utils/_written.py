# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that remember how they were written, so that text stays the text that stands in the spec.

YAML reads ``1.10`` as the number 1.1, ``0022`` as 18 and ``NO`` as false. Where text is meant, the text counts; where a number
is meant, one that people and YAML read differently is refused.
"""

from __future__ import annotations

import re
import typing as t

# Python itself refuses to read longer numbers; nothing in a spec needs one.
MOST_DIGITS = 1000

# What people read as one number and YAML as another one, or as none.
_ODD = re.compile(r"[-+]?0[0-9_]|[-+]?[0-9.]*_")


class WrittenInt(int):
    """A whole number. ``odd``: whether people and the file's format may read it differently."""

    written: str
    odd: bool


class WrittenFloat(float):
    """A number with a fraction."""

    written: str
    odd: bool


class WrittenBool(str):
    """A word such as ``NO`` that YAML takes for true or false: text where text is meant, ``value`` where a choice is."""

    __slots__ = ("value",)
    value: bool


Number = t.Union[WrittenInt, WrittenFloat]


def whole(value: int, written: str, odd: t.Optional[bool] = None) -> WrittenInt:
    """A whole number with its text."""
    result = WrittenInt(value)
    result.written, result.odd = written, _is_odd(written) if odd is None else odd
    return result


def fraction(written: str) -> WrittenFloat:
    """A number with a fraction, with its text."""
    result = WrittenFloat(written.replace("_", ""))
    result.written, result.odd = written, _is_odd(written)
    return result


def ambiguous(value: int) -> WrittenInt:
    """A whole number whose text is not known: good as a number, odd as text."""
    result = WrittenInt(value)
    result.written, result.odd = "", False
    return result


def choice(value: bool, written: str) -> t.Union[bool, WrittenBool]:
    """True or false as JSON writes them, or a word that may be text."""
    if written in ("true", "false"):
        return value
    result = WrittenBool(written)
    result.value = value
    return result


def _is_odd(written: str) -> bool:
    return _ODD.match(written) is not None


def written(value: t.Any) -> str:
    """How a number stands in the file."""
    return (value.written or str(int(value))) if isinstance(value, (WrittenInt, WrittenFloat)) else str(value)


def odd(value: t.Any) -> t.Optional[str]:
    """What is wrong with a number that can be read in two ways; None when nothing is."""
    if not isinstance(value, (WrittenInt, WrittenFloat)) or not value.odd:
        return None
    what = "an underscore" if "_" in value.written else "a leading zero"
    return f"the number {value.written} has {what}; write the digits alone, or put it in quotes where text is meant"


def odd_places(data: t.Any, path: t.Tuple[t.Union[str, int], ...] = ()) -> t.Iterator[t.Tuple[t.Tuple[t.Union[str, int], ...], str]]:
    """Where in free data there are numbers that can be read in two ways, and what is wrong with each."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from odd_places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from odd_places(value, (*path, index))
    else:
        wrong = odd(data)
        if wrong:
            yield path, wrong


def plain(data: t.Any) -> t.Any:
    """``data`` without what it remembers."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    if isinstance(data, WrittenBool):
        return data.value
    if isinstance(data, WrittenInt):
        return int(data)
    return float(data) if isinstance(data, WrittenFloat) else data
