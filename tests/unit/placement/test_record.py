# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down about placed nodes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils import _record as record

NODES = {"a": "h1", "b": "h2", "c": "h1"}


@pytest.mark.parametrize(
    ("carried", "moved"),
    [
        ({"h1": [], "h2": []}, []),
        ({"h1": ["a", "c"], "h2": ["b"]}, []),
        ({"h1": ["a"], "h2": ["c"]}, ["c"]),
        # Another node of the cluster is nobody's concern here.
        ({"h1": ["full_0"], "h2": []}, []),
        # Something on both: where the spec says.
        ({"h1": ["a"], "h2": ["a"]}, []),
        ({"h2": ["a"], "h1": ["a"]}, []),
    ],
)
def test_where_nodes_are_counts_more_than_where_they_would_be(carried: t.Dict[str, t.List[str]], moved: t.List[str]) -> None:
    places, elsewhere = record.settled(NODES, carried)
    assert elsewhere == moved
    assert places == {**NODES, **dict.fromkeys(moved, "h2")}


def test_a_record_is_found_again(tmp_path: Path) -> None:
    spec = str(tmp_path / "my.cluster.yml")
    assert record.read(spec, "x") == {}
    assert record.write(spec, "x", NODES)
    assert not record.write(spec, "x", NODES)
    assert record.read(spec, "x") == NODES
    assert record.read(spec, "y") == {}
    assert [path.name for path in tmp_path.iterdir()] == [".my.cluster.placement.json"]
