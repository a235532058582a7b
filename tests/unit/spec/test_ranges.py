# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges in names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils._ranges import MOST, RangeError, expand

PLAIN = st.text(alphabet="abcXYZ_.-", max_size=8)
NUMBERS = st.integers(min_value=0, max_value=2000)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("node_0", ["node_0"]),
        ("node_[0:3]", ["node_0", "node_1", "node_2", "node_3"]),
        ("node_[7:7]", ["node_7"]),
        ("node_[08:11]", ["node_08", "node_09", "node_10", "node_11"]),
        ("node_[0:9:4]", ["node_0", "node_4", "node_8"]),
        ("r[1:2]-n[0:1]", ["r1-n0", "r1-n1", "r2-n0", "r2-n1"]),
        ("[0:1]x", ["0x", "1x"]),
    ],
)
def test_names(written: str, names: list[str]) -> None:
    assert expand(written) == names


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("n[0:", "'n[0:' has an unpaired bracket; write a range as node_[0:3]"),
        ("n0]", "'n0]' has an unpaired bracket; write a range as node_[0:3]"),
        ("n[[0:1]]", "'n[[0:1]]' has an unpaired bracket; write a range as node_[0:3]"),
        ("n[]", "'n[]' has a malformed range []; write two numbers, the first and the last, as node_[0:3]"),
        ("n[3]", "'n[3]' has a malformed range [3]; write two numbers, the first and the last, as node_[0:3]"),
        ("n[0-3]", "'n[0-3]' has a malformed range [0-3]; write two numbers, the first and the last, as node_[0:3]"),
        ("n[a:c]", "'n[a:c]' has a malformed range [a:c]; write two numbers, the first and the last, as node_[0:3]"),
        ("n[-1:3]", "'n[-1:3]' has a malformed range [-1:3]; write two numbers, the first and the last, as node_[0:3]"),
        ("n[3:0]", "'n[3:0]' counts down; write the smaller number first, as [0:3]"),
        ("n[0:9:0]", "'n[0:9:0]' has a step of 0; use 1 or more"),
        ("n[00:100]", "'n[00:100]' has bounds of different width; write both with the same number of digits, as [00:10]"),
        ("n[0:100000]", "'n[0:100000]' stands for more than 100,000 names; use a smaller range"),
        ("n[0:999][0:999]", "'n[0:999][0:999]' stands for more than 100,000 names; use a smaller range"),
        (
            "n[0:9999999999]",
            "'n[0:9999999999]' has a malformed range [0:9999999999]; write two numbers, the first and the last, as node_[0:3]",
        ),
    ],
)
def test_refused(written: str, message: str) -> None:
    with pytest.raises(RangeError) as refused:
        expand(written)
    assert str(refused.value) == message


@given(PLAIN, NUMBERS, NUMBERS, PLAIN)
def test_a_range_is_the_list_of_its_numbers(head: str, one: int, other: int, tail: str) -> None:
    first, last = sorted((one, other))
    assert expand(f"{head}[{first}:{last}]{tail}") == [f"{head}{number}{tail}" for number in range(first, last + 1)]


@given(NUMBERS, NUMBERS, st.integers(min_value=1, max_value=50), st.integers(min_value=4, max_value=8))
def test_padding_and_steps(one: int, other: int, step: int, width: int) -> None:
    first, last = sorted((one, other))
    names = expand(f"n[{first:0{width}}:{last:0{width}}:{step}]")
    assert names == [f"n{number:0{width}}" for number in range(first, last + 1, step)]
    assert len(set(names)) == len(names)


@given(st.text(alphabet="n[]:0129-", max_size=20))
def test_any_text_gives_distinct_names_or_one_clear_line(written: str) -> None:
    try:
        names = expand(written)
    except RangeError as refused:
        assert "; " in str(refused)
        assert "\n" not in str(refused)
    else:
        assert 1 <= len(names) <= MOST
