# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import File
from ansible_collections.gravity.cluster.plugins.module_utils._held import Held, held_by, held_from, key_marks, twins

A, B = "a1" * 32, "b2" * 32


@pytest.mark.parametrize(
    "content",
    [
        f"consensus_private_key: {A}\nconsensus_public_key: {B}\n",
        f"account_address: 1\nconsensus_private_key:   '0x{A.upper()}'\naccount_private_key: {B}\n",
        json.dumps({"consensus_private_key": A, "account_private_key": B}),
        json.dumps({"x": [{"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": A}}], "pub_key": {"value": B}}, indent=4),
    ],
)
def test_a_key_is_known_however_it_is_written(content: str) -> None:
    assert key_marks(content.encode(), "s") == key_marks(f"private: {A}".encode(), "s")


def test_of_other_files_the_whole_counts() -> None:
    assert key_marks(b"word\n", "s") == key_marks(b"  word", "s") != key_marks(b"wort", "s")
    assert len(key_marks(b"\xff\x00{", "s")) == 1


def test_the_salt_makes_another_mark() -> None:
    assert key_marks(b"word", "s") != key_marks(b"word", "t")


def test_what_a_node_writes_itself_is_not_held() -> None:
    files = [File("k", b"1", 0o400), File("g", b"2", 0o444), File("state", b"3", 0o600), File("conf", b"4", 0o644)]
    held = held_by(files, "s")
    assert (set(held.keys), set(held.shared)) == ({"k"}, {"g"})
    assert held_from({labels.HELD: held.text()}) == held


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"keys": 1}', '{"keys": {"a": 1}}', '{"shared": []}'])
def test_a_label_that_somebody_wrote_says_nothing(text: str) -> None:
    assert held_from({labels.HELD: text}) == Held() == held_from(None)


def test_twins() -> None:
    assert twins({"a": {"1", "2"}, "b": {"3"}, "c": {"2", "4"}, "d": {"4"}}) == [("a", "c"), ("c", "d")]
