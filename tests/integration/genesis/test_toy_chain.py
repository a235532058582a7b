# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a toy chain: the machinery knows nothing of a real one."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

from .conftest import Stored, document_of, text, toy_node, with_nodes

Run = Callable[..., dict[str, Any]]
Look = Callable[[str], dict[str, Stored]]
Objects = Callable[[str], dict[str, Any]]


def born(run_module: Run, options: dict[str, Any]) -> dict[str, Any]:
    result = run_module("genesis", options)
    assert not result.get("failed"), result
    assert result["changed"]
    return result


def failure(run_module: Run, options: dict[str, Any], check: bool = False) -> str:
    result = run_module("genesis", options, check=check)
    assert result.get("failed"), result
    message: str = result["msg"]
    assert "\n" not in message
    return message


def test_birth_fills_the_volumes(run_module: Run, chain: dict[str, Any], look: Look, objects: Objects) -> None:
    result = born(run_module, chain)
    cluster = chain["cluster"]
    assert result["validators"] == {"node_0": 1, "node_1": 2}
    assert result["identities"] == {name: f"id-of-{name}" for name in ("node_0", "node_1", "full_0")}
    assert result["volumes"] == {name: f"{cluster}-{name}-data" for name in ("node_0", "node_1", "full_0")}
    assert result["reasons"] == ["node_0: born", "node_1: born", "full_0: born"]
    assert objects(cluster)["containers"] == []

    stored = look(f"{cluster}-node_0-data")
    assert {(one.uid, one.gid) for one in stored.values()} == {(10001, 10001)}
    assert {path: oct(one.mode) for path, one in stored.items()} == {
        "": "0o700",
        "config": "0o700",
        "config/genesis.json": "0o444",
        "config/key": "0o400",
        "ring": "0o700",
        "ring/a": "0o600",
    }
    assert document_of(stored) == {"chain": 7, "accounts": ["node_0", "node_1"], "txs": [{"power": 1}, {"power": 2}]}
    documents = {look(volume)["config/genesis.json"].content for volume in result["volumes"].values()}
    assert {hashlib.sha256(document or b"").hexdigest() for document in documents} == {result["digest"]}
    keys = {text(look(volume), "config/key") for volume in result["volumes"].values()}
    assert len(keys) == 3
    assert not any(key.strip() in json.dumps(result) for key in keys)


def test_second_run_changes_and_starts_nothing(
    engine: Engine, run_module: Run, chain: dict[str, Any], look: Look, objects: Objects
) -> None:
    first = born(run_module, chain)
    before, key = objects(chain["cluster"]), look(first["volumes"]["node_0"])["config/key"]
    begin = time.time()
    second = run_module("genesis", chain)
    # The Engine keeps its last events. Volumes without a container are read by one that never starts, and nothing is made.
    events = engine.api.events(since=begin, until=time.time(), filters={"type": ["container", "volume"]}, decode=True)
    own = [event for event in events if chain["cluster"] in json.dumps(event)]
    names = {event["Actor"]["Attributes"]["name"] for event in own if event["Type"] == "container"}
    assert len(names) == 1 and names.pop().startswith(f"{chain['cluster']}-carrier-")
    assert {event["Action"] for event in own} <= {"create", "mount", "unmount", "archive-path", "destroy"}
    assert not [event for event in own if event["Type"] == "volume" and event["Action"] == "destroy"]
    assert not second["changed"]
    assert {key: second[key] for key in ("digest", "chain_id", "validators", "identities", "volumes")} == {
        key: first[key] for key in ("digest", "chain_id", "validators", "identities", "volumes")
    }
    assert objects(chain["cluster"]) == before
    assert look(first["volumes"]["node_0"])["config/key"] == key


def test_check_mode_makes_nothing_and_says_what_it_would(run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    result = run_module("genesis", chain, check=True, diff=True)
    assert result["changed"]
    assert result["digest"] == "made-at-birth"
    assert result["identities"]["node_0"] == "made-at-birth-node_0"
    assert result["diff"]["before"] == {}
    assert set(result["diff"]["after"]["volumes"]) == set(result["volumes"].values())
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}

    born(run_module, chain)
    again = run_module("genesis", chain, check=True, diff=True)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert again["diff"]["after"]["genesis"] == again["digest"]


def test_full_node_joins_later(run_module: Run, chain: dict[str, Any], look: Look, objects: Objects) -> None:
    first = born(run_module, chain)
    before = objects(chain["cluster"])
    more = with_nodes(chain, *chain["nodes"], toy_node(chain["cluster"], "full_1"))

    planned = run_module("genesis", more, check=True, diff=True)
    assert planned["reasons"] == ["full_1: joins the genesis"]
    assert planned["digest"] == first["digest"]
    volumes = planned["diff"]["before"].pop("volumes"), planned["diff"]["after"].pop("volumes")
    assert set(volumes[1]) - set(volumes[0]) == {f"{chain['cluster']}-full_1-data"}
    assert planned["diff"]["before"] == planned["diff"]["after"]
    assert objects(chain["cluster"]) == before

    joined = born(run_module, more)
    assert joined["digest"] == first["digest"]
    assert joined["identities"] == {**first["identities"], "full_1": "id-of-full_1"}
    after = objects(chain["cluster"])
    assert after["containers"] == []
    assert {name: made for name, made in after["volumes"].items() if name in before["volumes"]} == before["volumes"]
    new, old = look(joined["volumes"]["full_1"]), look(joined["volumes"]["full_0"])
    assert new["config/genesis.json"] == old["config/genesis.json"]
    assert new["config/key"] != old["config/key"]
    assert not run_module("genesis", more)["changed"]


def test_full_node_does_not_take_a_genesis_that_was_edited(
    engine: Engine, run_module: Run, chain: dict[str, Any], tiny_image: str, objects: Objects
) -> None:
    first = born(run_module, chain)
    for volume in first["volumes"].values():
        host = engine.api.create_host_config(binds=[f"{volume}:/v"])
        container = engine.api.create_container(tiny_image, command=["sh", "-c", "echo {} > /v/config/genesis.json"], host_config=host)[
            "Id"
        ]
        engine.api.start(container)
        engine.api.wait(container)
        engine.api.remove_container(container)
    before = objects(chain["cluster"])
    said = failure(run_module, with_nodes(chain, *chain["nodes"], toy_node(chain["cluster"], "full_1")))
    assert "is not the genesis that its label names" in said
    assert objects(chain["cluster"]) == before


def test_what_a_chain_cannot_change_is_refused(run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    born(run_module, chain)
    before = objects(chain["cluster"])
    cluster, (first, second, full) = chain["cluster"], chain["nodes"]
    wishes = {
        "chain_id 8: the genesis of": {**chain, "chain_id": 8},
        "node_2: is a validator in the spec and not in the genesis": with_nodes(chain, first, second, toy_node(cluster, "node_2", 1)),
        "full_0: is a validator in the spec and not in the genesis": with_nodes(chain, first, second, toy_node(cluster, "full_0", 1)),
        "node_0: voting power 3 in the spec, 1 in the genesis": with_nodes(chain, toy_node(cluster, "node_0", 3), second, full),
        "node_1: validators of the genesis that the spec lacks": with_nodes(chain, first, full),
        "node_0: is a validator of the genesis and has another role": with_nodes(chain, toy_node(cluster, "node_0"), second),
    }
    for complaint, wish in wishes.items():
        for check in (False, True):
            assert failure(run_module, wish, check).startswith(complaint)
    assert objects(cluster) == before


def test_lost_validator_volume_is_refused(engine: Engine, run_module: Run, chain: dict[str, Any]) -> None:
    result = born(run_module, chain)
    engine.api.remove_volume(result["volumes"]["node_1"])
    assert "its volume" in failure(run_module, chain)
    engine.api.remove_volume(result["volumes"]["full_0"])
    # A full node's volume can be made again, but not while a validator's is gone.
    assert failure(run_module, chain).startswith("node_1")


def test_volumes_of_two_geneses_are_refused(engine: Engine, run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    result = born(run_module, chain)
    volume = result["volumes"]["full_0"]
    marks = engine.api.inspect_volume(volume)["Labels"]
    engine.api.remove_volume(volume)
    engine.api.create_volume(volume, labels={**marks, "gravity.cluster.genesis": "0" * 64})
    before = objects(chain["cluster"])
    said = failure(run_module, chain)
    assert said.startswith("volumes of 2 different geneses (000000000000: ")
    assert volume in said
    assert objects(chain["cluster"]) == before


def test_foreign_volume_is_refused(run_module: Run, chain: dict[str, Any], foreign_volume: Callable[[str], None], objects: Objects) -> None:
    foreign_volume(chain["nodes"][1]["volume"])
    said = failure(run_module, chain)
    assert said.startswith(f"volume {chain['nodes'][1]['volume']}: exists and carries no genesis of this cluster")
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}


def test_foreign_container_of_the_birth_name_is_refused(
    engine: Engine, run_module: Run, chain: dict[str, Any], tiny_image: str, objects: Objects
) -> None:
    name = f"{chain['cluster']}-birth"
    engine.api.create_container(tiny_image, command=["true"], name=name)
    assert failure(run_module, chain).startswith(f"container {name}: exists and is not ours")
    assert engine.inspect(name) is not None
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}


def test_two_flavors_of_one_cluster_have_a_genesis_each(run_module: Run, chain: dict[str, Any]) -> None:
    first = born(run_module, chain)
    other = with_nodes({**chain, "flavor": "other", "chain_id": 8}, toy_node(chain["cluster"], "other_0", 1))
    assert born(run_module, other)["digest"] != first["digest"]
    assert run_module("genesis", chain)["digest"] == first["digest"]


def test_missing_image(run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    said = failure(run_module, {**chain, "image": "t-no-such-image:1"})
    assert said.startswith("image t-no-such-image:1: is not on this Docker host")
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}


# What the quiet command prints; the command itself does not hold it.
SECRET = "word42"

# Each one breaks the second node, the document, or an option.
BROKEN: dict[str, dict[str, Any]] = {
    "command": {"node": {"commands": [{"argv": ["sh", "-c", "echo first; echo cause >&2; exit 3"]}]}},
    "quiet command": {"node": {"commands": [{"argv": ["sh", "-c", "echo word$((40+2)); exit 3"], "quiet": True}]}},
    "unknown program": {"node": {"commands": [{"argv": ["no-such-tool", "init"]}]}},
    "identity": {"node": {"identity": ["sh", "-c", "echo not one word"]}},
    "file": {"node": {"files": [{"source": "/birth/node_1/nothing", "path": "nothing"}]}},
    "folder": {"node": {"files": [{"source": "/birth/node_1/nothing/", "path": "nothing"}]}},
    "document": {"document": {"append": ["state.accounts"]}},
    "validation": {"document": {"validate": ["sh", "-c", "echo not valid; exit 1", "{document}"]}},
    "hold": {"options": {"hold": ["no-such-program"]}},
    "lease": {"options": {"lease": 1}, "node": {"commands": [{"argv": ["sleep", "3"]}, {"argv": ["true"]}]}},
}


def broken(chain: dict[str, Any], what: str) -> dict[str, Any]:
    """The chain with one thing that cannot work."""
    options = copy.deepcopy(chain)
    options["nodes"][1].update(BROKEN[what].get("node", {}))
    options["document"].update(BROKEN[what].get("document", {}))
    options.update(BROKEN[what].get("options", {}))
    return options


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("command", "node_1: sh -c echo first; echo cause >&2; exit 3 failed with code 3 (cause): no genesis was made"),
        ("quiet command", "failed with code 3 (its output may hold secrets and is not shown)"),
        ("unknown program", "node_1: no-such-tool init"),
        ("identity", "node_1: sh -c echo not one word gave no identity"),
        ("file", "/birth/node_1/nothing: the tool did not make this file"),
        ("folder", "/birth/node_1/nothing/: the tool did not make this file"),
        ("document", "genesis: state.accounts is not a list"),
        ("validation", "genesis: sh -c echo not valid; exit 1 failed with code 1 (not valid)"),
        ("hold", "cannot run no-such-program"),
        ("lease", "the lease of 1 s is over"),
    ],
)
def test_failed_birth_names_the_cause_and_leaves_nothing(
    run_module: Run, chain: dict[str, Any], objects: Objects, what: str, complaint: str
) -> None:
    said = failure(run_module, broken(chain, what))
    assert complaint in said
    assert SECRET not in said
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}
    born(run_module, chain)


def test_what_is_brought_and_what_is_made_of_it(
    run_module: Run, chain: dict[str, Any], look: Look, objects: Objects, tiny_image: str
) -> None:
    """Keys that are brought, and shared files that are brought, made in the birth container and made by another image."""
    chain["nodes"][0].update(
        commands=chain["nodes"][0]["commands"],
        identity=[],
        known_as="brought-id",
        files=[{"content": "secret-key\n", "path": "config/key"}],
    )
    chain["document"].update(
        path="",
        genesis="config/final.json",
        given=[{"path": "config/waypoint", "content": "0:abc\n"}],
        products=[
            {
                "image": tiny_image,
                "argv": ["sh", "-c", 'cp {document} {output} && echo "made by another" >> {output}'],
                "source": "/birth/out.json",
                "path": "config/final.json",
                "mode": "0440",
            },
            {"argv": ["sh", "-c", "wc -c < {document} > {output}"], "source": "/birth/size", "path": "config/size"},
        ],
    )
    made = born(run_module, chain)
    assert made["identities"]["node_0"] == "brought-id"
    assert "secret-key" not in str(made)
    stored = look(chain["nodes"][0]["volume"])
    assert text(stored, "config/key") == "secret-key\n"
    assert (stored["config/key"].mode, stored["config/final.json"].mode) == (0o400, 0o440)
    final = text(stored, "config/final.json")
    assert json.loads(final.removesuffix("made by another\n"))["chain"] == 7
    assert made["digest"] == hashlib.sha256(final.encode()).hexdigest()
    assert "config/genesis.json" not in stored
    assert text(stored, "config/size").strip() == str(len(final.removesuffix("made by another\n")))
    for node in chain["nodes"][1:]:
        other = look(node["volume"])
        assert all(other[path].content == stored[path].content for path in ("config/final.json", "config/waypoint", "config/size"))
    assert objects(chain["cluster"])["containers"] == []
    assert not run_module("genesis", chain)["changed"]
    # A node that joins gets all that the others share.
    joined = with_nodes(chain, *chain["nodes"], toy_node(chain["cluster"], "full_1"))
    assert run_module("genesis", joined)["reasons"] == ["full_1: joins the genesis"]
    late = look(joined["nodes"][-1]["volume"])
    assert late["config/size"].content == stored["config/size"].content
    # Other keys for a node that has some.
    joined["nodes"][0]["known_as"] = "other-id"
    refused = run_module("genesis", joined)
    assert "node_0: the keys that are brought for it (other-id...) are not those in its volume (brought-id...)" in refused["msg"]
    assert "secret-key" not in str(refused)


def test_without_anything_to_run_any_image_will_do(run_module: Run, chain: dict[str, Any], look: Look) -> None:
    for number, node in enumerate(chain["nodes"]):
        node.update(commands=[], identity=[], known_as=f"id-{number}", files=[{"content": f"key {number}", "path": "key"}])
    chain["document"] = {"given": [{"path": "genesis.json", "content": "{}"}], "genesis": "genesis.json"}
    chain["hold"] = ["/no/such/program"]
    assert run_module("genesis", chain)["identities"] == {"node_0": "id-0", "node_1": "id-1", "full_0": "id-2"}
    assert text(look(chain["nodes"][2]["volume"]), "key") == "key 2"


@pytest.mark.parametrize(
    ("product", "line"),
    [
        ({"argv": ["true"]}, "/birth/out: true did not make this file"),
        ({"argv": ["sh", "-c", "echo no luck >&2; exit 3"]}, "genesis: sh -c echo no luck >&2; exit 3 failed with code 3 (no luck)"),
        (
            {"image": "", "argv": ["sh", "-c", "echo bad luck; exit 4"]},
            "ended with code 4 (bad luck): no genesis was made; check the image",
        ),
        ({"image": "no/such:image"}, "image no/such:image: is not on this Docker host, and it is to make config/out"),
    ],
)
def test_a_product_that_cannot_be_made_leaves_nothing(
    run_module: Run, chain: dict[str, Any], objects: Objects, tiny_image: str, product: dict[str, Any], line: str
) -> None:
    if product.get("image") == "":
        product = {**product, "image": tiny_image}
    chain["document"]["products"] = [{"source": "/birth/out", "path": "config/out", **product}]
    refused = run_module("genesis", chain)
    assert line in refused["msg"]
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}


def test_two_nodes_with_the_same_keys_are_refused(run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    chain["nodes"][1]["identity"] = ["sh", "-c", "echo id-of-node_0"]
    refused = run_module("genesis", chain)
    assert refused["msg"] == "node_1: has the identity of node_0 (id-of-node_0...): give each node keys of its own; no genesis was made"
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}


def test_a_genesis_that_nothing_makes_is_refused(run_module: Run, chain: dict[str, Any]) -> None:
    chain["document"]["genesis"] = "config/other.json"
    assert "nothing makes config/other.json: give document.path, or name in" in run_module("genesis", chain)["msg"]


def test_new_keys_for_a_genesis_that_names_others_are_refused(run_module: Run, chain: dict[str, Any], objects: Objects) -> None:
    chain["nodes"][1]["needs_keys"] = True
    refused = run_module("genesis", chain)
    assert refused["msg"].startswith("node_1: the genesis that is brought names the keys of its validators, and theirs are not brought")
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}
