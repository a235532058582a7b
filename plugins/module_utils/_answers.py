# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a node sends: a node is not trusted. Whatever cannot be used is an :class:`UnusableAnswer`.

Only the standard library: the package for tests (``testing/``) has a link to this file.
"""

from __future__ import annotations

import json
import re
import time
import typing as t

# The greatest count that a chain can have: a signed number of 64 bits. Its longest forms are shorter than this.
GREATEST = 2**63 - 1
# Longer numbers are no numbers to us (digits).
LONGEST_NUMBER = 100
DECIMAL = re.compile(r"[0-9]{1,24}")
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,22}")

# Longest text of a node that is kept (characters).
LONGEST_TEXT = 200

# Sequences that a terminal acts on.
SEQUENCES = r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?"
# Control characters other than tab and end of line, lone surrogates, and characters that change the direction of the text.
HIDDEN = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
HARMFUL = re.compile(f"{SEQUENCES}|{HIDDEN}")

# How much of an answer is read at once (bytes).
PIECE = 64 * 1024

# How packed answers begin: gzip and zstd.
PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class UnusableAnswer(Exception):
    """The message says what the answer is instead of something usable."""


class SlowAnswer(Exception):
    """It did not end in time."""


def read_body(raw: t.Any, seconds: float, longest: int) -> bytes:
    """What a response of urllib3 has, as it was sent (not unpacked), within ``seconds`` in all and up to ``longest`` bytes."""
    deadline = time.monotonic() + seconds
    content = bytearray()
    # Older ones only read until a piece is full, however long that takes; what they are made of can do better.
    source = raw if hasattr(raw, "read1") else raw._fp  # noqa: SLF001 - see above
    options = {"decode_content": False} if source is raw else {}
    while piece := source.read1(PIECE, **options):
        content += piece
        if len(content) > longest:
            raise UnusableAnswer(f"longer than {longest // 1024**2} MB")
        if time.monotonic() > deadline:
            raise SlowAnswer
    return bytes(content)


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


def harmless(text: t.Any) -> str:
    """``text`` without what could change a terminal or break an encoding; lines and tabs stay."""
    return HARMFUL.sub("", str(text))


def clean(text: t.Any, longest: int = LONGEST_TEXT) -> str:
    """``text`` as one harmless line, and not longer than ``longest``."""
    if isinstance(text, (dict, list)):
        # The text of a deep or large one is as dangerous as itself.
        return "a list" if isinstance(text, list) else "a mapping"
    # Much is cut off before the rest is looked at: a message of megabytes must not cost time.
    words = " ".join(HARMFUL.sub(" ", str(text)[: 4 * longest]).split())
    return words if len(words) <= longest else f"{words[: longest - 2]}.."
