# SPDX-License-Identifier: GPL-3.0-or-later
"""How the genesis document is put together."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils import _genesis as genesis
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import Node, Recipe, Spec

RECIPE = Recipe(
    base="/birth/{node}/genesis.json",
    path="config/genesis.json",
    append=("state.accounts",),
    collect=(("/birth/{node}/tx.json", "state.txs"),),
    merge={"state": {"evm": {"id": "1337"}, "supply": []}, "new": {"a": 1}},
)


def document_of(files: dict[str, Any], names: tuple[str, ...] = ("node_0", "node_1"), recipe: Recipe = RECIPE) -> Any:
    nodes = (*(Node(name, "validator", name, 1, (), (), ()) for name in names), Node("full_0", "fullnode", "full_0", 0, (), (), ()))
    spec = Spec("t", "toy", "toy:1", 1, 1, 1337, nodes, recipe, ("sleep",), 60, 2)

    def read(path: str) -> bytes:
        content = files[path]
        return content if isinstance(content, bytes) else json.dumps(content).encode()

    parts = {node.name: genesis.part_of(spec, node, read) for node in nodes if node.votes}
    return json.loads(genesis.assemble_document(spec, json.loads(json.dumps(parts))))


def tree() -> dict[str, Any]:
    return {
        f"/birth/node_{number}/{name}": content
        for number in range(2)
        for name, content in {
            "genesis.json": {
                "time": f"t{number}",
                "state": {"accounts": [f"account {number}"], "txs": [], "supply": [1], "evm": {"id": "1", "other": 2**70}},
            },
            "tx.json": {"from": number},
        }.items()
    }


def test_document() -> None:
    assert document_of(tree()) == {
        "time": "t0",
        "state": {
            "accounts": ["account 0", "account 1"],
            "txs": [{"from": 0}, {"from": 1}],
            "supply": [],
            "evm": {"id": "1337", "other": 2**70},
        },
        "new": {"a": 1},
    }


@pytest.mark.parametrize("content", [b"no json", b"[]", b"1"])
def test_file_that_is_no_object(content: bytes) -> None:
    with pytest.raises(BirthFailed, match=r"node_1: /birth/node_1/tx.json is not (a )?JSON"):
        document_of({**tree(), "/birth/node_1/tx.json": content})


@pytest.mark.parametrize("path", ["state.evm", "state.nothing", "state.accounts.more"])
def test_list_that_the_document_lacks(path: str) -> None:
    with pytest.raises(BirthFailed, match=f"genesis: {path} is not a list"):
        document_of(tree(), recipe=Recipe("/birth/{node}/genesis.json", "g", append=(path,)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text(max_size=2), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_merged_holds_all_that_is_laid_over(base: dict[str, Any], more: dict[str, Any]) -> None:
    result = genesis.merged(base, more)
    assert genesis.merged(result, more) == result
    assert set(result) == {*base, *more}
    assert {key: result[key] for key in base if key not in more} == {key: base[key] for key in base if key not in more}


@given(OBJECTS)
def test_merged_with_nothing(base: dict[str, Any]) -> None:
    assert genesis.merged(base, {}) == base == genesis.merged({}, base)


def test_digest_is_what_sha256sum_says() -> None:
    assert genesis.digest_of(b"abc") == hashlib.sha256(b"abc").hexdigest()
