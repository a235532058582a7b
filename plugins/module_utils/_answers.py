# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a node sends: a node is not trusted. Pure functions; whatever cannot be used is an :class:`UnusableAnswer`."""

from __future__ import annotations

import json
import re
import typing as t

# The greatest count that a chain can have: a signed number of 64 bits. Its longest forms are shorter than this.
GREATEST = 2**63 - 1
LONGEST_NUMBER = 24
DECIMAL = re.compile(r"[0-9]{1,24}")
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,22}")

# Longest text of a node that is kept (characters).
LONGEST_TEXT = 200

# Escape sequences of terminals, control characters, lone surrogates, and characters that change the direction of the text.
HIDDEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?"
    r"|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# How packed answers begin: gzip and zstd.
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class UnusableAnswer(Exception):
    """The message says what the answer is instead of something usable."""


def decode(content: bytes) -> t.Any:
    """The JSON in ``content``. Numbers that are too long to be a count stay text, so that they cost no time."""
    if content.startswith(PACKED):
        raise UnusableAnswer("packed, which was not asked for")
    try:
        return json.loads(content, parse_int=_integer)
    except RecursionError:
        raise UnusableAnswer("nested too deep") from None
    except ValueError:
        raise UnusableAnswer("no JSON") from None


def _integer(digits: str) -> t.Union[int, str]:
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits


def quantity(value: t.Any, what: str) -> t.Optional[int]:
    """A count that is given as a number, a decimal string or a hexadecimal string with 0x; None stays None."""
    if value is None:
        return None
    number: t.Any = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and DECIMAL.fullmatch(value):
        number = int(value)
    elif isinstance(value, str) and HEXADECIMAL.fullmatch(value):
        number = int(value, 16)
    if number is None or not 0 <= number <= GREATEST:
        raise UnusableAnswer(f"no usable {what} ({clean(value, 40)})")
    return int(number)


def clean(text: t.Any, longest: int = LONGEST_TEXT) -> str:
    """``text`` as one line without what could change a terminal or break an encoding, and not longer than ``longest``."""
    if isinstance(text, (dict, list)):
        # The text of a deep or large one is as dangerous as itself.
        return "a list" if isinstance(text, list) else "a mapping"
    # Much is cut off before the rest is looked at: a message of megabytes must not cost time.
    raw = str(text)[: 4 * longest]
    words = " ".join(HIDDEN.sub(" ", raw).split())
    return words if len(words) <= longest else f"{words[: longest - 2]}.."
