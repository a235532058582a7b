# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._answers import UnusableAnswer, clean, decode, harmless, quantity


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, None), (0, 0), (7, 7), ("7", 7), ("0x539", 1337), ("1337", 1337), ("0X0a", 10), ("007", 7), (2**63 - 1, 2**63 - 1)],
)
def test_counts_in_every_form(value: t.Any, number: t.Optional[int]) -> None:
    assert quantity(value, "height") == number


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.5,
        float("nan"),
        -1,
        "-1",
        "0x-1",
        "",
        "0x",
        "x",
        "1_0",
        " 7",
        "\u0667",
        2**63,
        "9" * 6000,
        "0x" + "f" * 6000,
        [],
        {},
        [[1]],
        "0x8" + "0" * 15,
    ],
)
def test_what_is_no_count(value: t.Any) -> None:
    with pytest.raises(UnusableAnswer, match=r"^no usable height ") as caught:
        quantity(value, "height")
    assert len(str(caught.value)) < 80


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no JSON"), (b"\xff", "no JSON"), (b"[" * 200_000, "nested too deep"), (b"\x1f\x8b\x08", "packed, which was not asked for")],
)
def test_what_is_no_answer(content: bytes, words: str) -> None:
    with pytest.raises(UnusableAnswer, match=f"^{words}$"):
        decode(content)


def test_long_numbers_stay_text() -> None:
    assert decode(b"[1, " + b"9" * 1_000_000 + b"]")[1] == "9" * 1_000_000


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m\x1b]0;title\x07", "red"),
        ("\x9b2Jx\x00", "2Jx"),
        ("\ud800x", "x"),
        ("a\u202eb", "a b"),
        ("x" * 3_000_000, "x" * 198 + ".."),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
    ],
)
def test_text_of_a_node_is_one_short_clean_line(text: t.Any, cleaned: str) -> None:
    assert clean(text) == cleaned
    clean(text).encode()


def test_text_of_several_lines_keeps_them() -> None:
    assert harmless("a\tb\n\x1b[31mc\ud800\x1b]0;t\x07\r\n") == "a\tb\nc\n"
