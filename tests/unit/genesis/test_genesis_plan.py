# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are born, and which wishes a chain cannot grant after its birth."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils import _genesis as genesis
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import Node, Plan, Recipe, Spec, Volume, plan

DIGEST = "d" * 64


def node(name: str, power: int = 0) -> Node:
    return Node(name, "validator" if power else "fullnode", f"t_{name}-data", power, (), (), ())


def spec(*nodes: Node, chain_id: int = 1337) -> Spec:
    return Spec("t", "toy", "toy:1", 10001, 10001, chain_id, nodes, Recipe("base", "genesis.json"), ("sleep",), 60, 2)


def volumes(of: Spec, digest: str = DIGEST) -> list[Volume]:
    """The volumes that a birth of ``of`` leaves, through the labels that the Engine keeps."""
    names = {one.name: f"id-{one.name}" for one in of.nodes}
    items = [{"Name": one.volume, "Labels": genesis.volume_labels(of, one, digest, names, of.powers)} for one in of.nodes]
    return [volume for volume in (genesis.volume_from(item, "toy") for item in items) if volume]


FOUR = spec(*(node(f"node_{number}", 1) for number in range(4)))


def refusal(of: Spec, there: list[Volume]) -> str:
    with pytest.raises(Refused) as caught:
        plan(of, there)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_first_birth_makes_every_node() -> None:
    assert plan(FOUR, []) == Plan(newborn=FOUR.nodes, powers=FOUR.powers)


def test_after_the_birth_nothing_is_made() -> None:
    there = volumes(FOUR)
    names = [node.name for node in FOUR.nodes]
    assert plan(FOUR, there) == Plan(
        digest=DIGEST,
        source=there[0],
        powers=FOUR.powers,
        identities={name: f"id-{name}" for name in names},
        secrets=dict.fromkeys(names, frozenset()),
    )


def test_full_node_joins_later() -> None:
    late = node("full_0")
    decided = plan(replace(FOUR, nodes=(*FOUR.nodes, late)), volumes(FOUR))
    assert decided.newborn == (late,)
    assert decided.digest == DIGEST
    assert decided.source is not None


def test_full_node_whose_volume_was_removed_is_born_again() -> None:
    whole = replace(FOUR, nodes=(*FOUR.nodes, node("full_0")))
    assert [one.name for one in plan(whole, volumes(FOUR)).newborn] == ["full_0"]


def test_new_validator_is_refused() -> None:
    said = refusal(replace(FOUR, nodes=(*FOUR.nodes, node("node_4", 1))), volumes(FOUR))
    assert said.startswith("node_4: is a validator in the spec and not in the genesis")
    assert "make it a fullnode" in said
    assert "teardown_purge=true -e confirm=t" in said


def test_other_chain_id_is_refused() -> None:
    said = refusal(replace(FOUR, chain_id=1), volumes(FOUR))
    assert said.startswith("chain_id 1: the genesis of t was made for 1337")


def test_other_voting_power_is_refused() -> None:
    said = refusal(spec(node("node_0", 5), *FOUR.nodes[1:]), volumes(FOUR))
    assert said.startswith("node_0: voting power 5 in the spec, 1 in the genesis: set it back to 1")


def test_validator_cannot_become_a_full_node() -> None:
    said = refusal(spec(node("node_0"), *FOUR.nodes[1:]), volumes(FOUR))
    assert said.startswith("node_0: is a validator of the genesis and has another role (fullnode) in the spec")


def test_full_node_cannot_become_a_validator() -> None:
    born = replace(FOUR, nodes=(*FOUR.nodes, node("node_4")))
    assert refusal(replace(FOUR, nodes=(*FOUR.nodes, node("node_4", 1))), volumes(born)).startswith("node_4: is a validator in the spec")


def test_lost_validator_volume_is_refused() -> None:
    said = refusal(FOUR, volumes(FOUR)[:3])
    assert said.startswith("node_3: its volume t_node_3-data is gone, and its validator key with it: restore the volume from a backup")


def test_renamed_volume_is_refused() -> None:
    moved = replace(FOUR.nodes[0], volume="other-data")
    said = refusal(replace(FOUR, nodes=(moved, *FOUR.nodes[1:])), volumes(FOUR))
    assert said.startswith("node_0: its data are in volume t_node_0-data, the spec asks for other-data: set container_name back")


def test_volumes_of_two_geneses_are_refused() -> None:
    there = volumes(FOUR)[:2] + volumes(FOUR, "e" * 64)[2:]
    said = refusal(FOUR, there)
    assert "2 different geneses (dddddddddddd: t_node_0-data, t_node_1-data; eeeeeeeeeeee: t_node_2-data, t_node_3-data)" in said


def test_one_of_four_validators_may_leave_the_spec() -> None:
    decided = plan(replace(FOUR, nodes=FOUR.nodes[:3]), volumes(FOUR))
    assert decided.newborn == ()
    assert decided.powers == FOUR.powers
    assert decided.warnings == (
        "node_3: still validators of the genesis, though not in the spec; the chain counts their voting power (1 of 4) as absent",
    )


def test_too_many_validators_left_out_are_refused() -> None:
    said = refusal(replace(FOUR, nodes=FOUR.nodes[:2]), volumes(FOUR))
    assert said.startswith("node_2, node_3: validators of the genesis that the spec lacks; the others hold 2 of 4 voting power")


POWERS = st.dictionaries(st.sampled_from([f"node_{number}" for number in range(6)]), st.integers(1, 9), min_size=1)


@given(POWERS, st.sets(st.sampled_from([f"node_{number}" for number in range(6)])))
def test_validators_may_be_left_out_exactly_while_more_than_two_thirds_remain(powers: dict[str, int], out: set[str]) -> None:
    born = spec(*(node(name, power) for name, power in powers.items()))
    left = replace(born, nodes=tuple(one for one in born.nodes if one.name not in out))
    assume(left.nodes)
    enough = 3 * sum(left.powers.values()) > 2 * sum(born.powers.values())
    if enough:
        assert plan(left, volumes(born)).digest == DIGEST
    else:
        refusal(left, volumes(born))


@given(POWERS)
def test_a_birth_is_stable(powers: dict[str, int]) -> None:
    born = spec(*(node(name, power) for name, power in powers.items()))
    decided = plan(born, volumes(born))
    assert (decided.newborn, decided.warnings) == ((), ())


def test_volumes_of_others_do_not_count() -> None:
    labels = genesis.volume_labels(FOUR, FOUR.nodes[0], DIGEST, {"node_0": ""}, FOUR.powers)
    assert genesis.volume_from({"Name": "a", "Labels": labels}, "other") is None
    # Another volume of a node that was born: it only names its genesis.
    data = {key: value for key, value in labels.items() if key != "gravity.cluster.birth"}
    assert genesis.volume_from({"Name": "a", "Labels": data}, "toy") is None
    assert genesis.volume_from({"Name": "a", "Labels": None}, "toy") is None
    assert genesis.volume_from({"Name": "a", "Labels": {"gravity.cluster.name": "t"}}, "toy") is None


@pytest.mark.parametrize("birth", ["", "{}", "[]", '{"chain_id": 1, "validators": []}', '{"chain_id": "x", "validators": {}}'])
def test_damaged_labels_are_refused(birth: str) -> None:
    labels = genesis.volume_labels(FOUR, FOUR.nodes[0], DIGEST, {"node_0": ""}, FOUR.powers)
    labels["gravity.cluster.birth"] = birth
    with pytest.raises(Refused, match="volume a: its labels of a genesis are damaged"):
        genesis.volume_from({"Name": "a", "Labels": labels}, "toy")


def test_labels_hold_what_a_node_and_its_peers_need() -> None:
    labels = genesis.volume_labels(FOUR, FOUR.nodes[0], DIGEST, {"node_0": "id-0", "node_1": "id-1", "full_0": "id-f"}, FOUR.powers)
    birth = json.loads(labels.pop("gravity.cluster.birth"))
    assert birth == {"chain_id": 1337, "validators": FOUR.powers, "identities": {"node_0": "id-0", "node_1": "id-1"}}
    assert labels == {
        "gravity.cluster.name": "t",
        "gravity.cluster.kind": "volume",
        "gravity.cluster.node": "node_0",
        "gravity.cluster.role": "validator",
        "gravity.cluster.flavor": "toy",
        "gravity.cluster.genesis": DIGEST,
        "gravity.cluster.identity": "id-0",
    }


def options(**more: Any) -> dict[str, Any]:
    return {
        "cluster": "t",
        "flavor": "toy",
        "image": "toy:1",
        "user": "10001:10001",
        "chain_id": 1337,
        "nodes": [{"name": "node_0", "role": "validator", "volume": "v0", "voting_power": 1}],
        "document": {"base": "/birth/{node}/genesis.json", "path": "config/genesis.json"},
        "hold": ["sleep", "{lease}"],
        "lease": 60,
        "concurrency": 0,
        **more,
    }


def test_spec_from_options() -> None:
    found = genesis.spec_from(options())
    assert (found.uid, found.gid, found.powers, found.document.mode) == (10001, 10001, {"node_0": 1}, 0o444)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"user": "node"}, "must be numeric"),
        ({"nodes": []}, "no node votes"),
        ({"nodes": [{"name": "a", "role": "fullnode", "volume": "v"}]}, "no node votes"),
        ({"nodes": [{"name": "a", "role": "validator", "volume": "v", "voting_power": -1}]}, "is negative"),
        ({"nodes": [{"name": "a", "role": "validator", "volume": v, "voting_power": 1} for v in "vw"]}, "node a is listed twice"),
        ({"nodes": [{"name": n, "role": "validator", "volume": "v", "voting_power": 1} for n in "ab"]}, "volume v is listed twice"),
        ({"document": {"base": "b", "path": "/genesis.json"}}, "must be relative"),
        ({"document": {"base": "b", "path": "../genesis.json"}}, "must be relative"),
        ({"document": {"base": "b", "path": "g", "mode": "9"}}, "not a file mode"),
    ],
)
def test_options_that_cannot_be_meant(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        genesis.spec_from(options(**more))
