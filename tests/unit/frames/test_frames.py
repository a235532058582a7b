# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils._frames import FRAME, Frames, Kept


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.binary(max_size=40)), max_size=12), st.integers(1, 50))
def test_frames_in_whatever_pieces(said: t.List[t.Tuple[int, bytes]], size: int) -> None:
    content = b"".join(FRAME.pack(stream, len(text)) + text for stream, text in said)
    frames = Frames(1000)
    for at in range(0, len(content), size):
        frames.feed(content[at : at + size])
    assert frames.outputs() == tuple(b"".join(text for stream, text in said if stream == wanted) for wanted in (1, 2))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_beginning_and_end_are_kept(size: int) -> None:
    kept = Kept(10)
    content = b"abcdefghijklmnopqrstuvwxyz"
    for at in range(0, len(content), size):
        kept.add(content[at : at + size])
    assert kept.content() == b"abcde\n[16 bytes left out]\nvwxyz"


def test_what_is_as_long_as_may_be_is_whole() -> None:
    kept = Kept(10)
    kept.add(b"0123456789")
    assert kept.content() == b"0123456789"
