# SPDX-License-Identifier: GPL-3.0-or-later
"""The specs in the docs are specs, and the messages in the docs are what the code says."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from unit.docs.pages import README, ROOT, Page, pages

from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import Node, Recipe, Spec, Volume, plan
from ansible_collections.gravity.cluster.plugins.module_utils._preflight import bind_failure
from ansible_collections.gravity.cluster.plugins.module_utils._quorum import quorum_after
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read

OPERATIONS = Page(ROOT / "docs/operations.md")
FOUR = {f"node_{number}": 1 for number in range(4)}
KEY = "plugin: gravity.cluster.spec"

SPECS = [(page, text) for page in pages() for text in page.blocks("yaml") if KEY in text.splitlines()]
OLDER = [(page, text) for page in pages() for text in page.blocks("json") if '"network_ip"' in text and '"cluster_name"' in text]


def resolved(text: str, file: str = "cluster.yml", older: bool = False) -> dict[str, Any]:
    return load(read(text, file), file, older)


@pytest.mark.parametrize(("page", "text"), SPECS, ids=[f"{page.name}-{number}" for number, (page, _text) in enumerate(SPECS)])
def test_every_spec_is_one(page: Page, text: str) -> None:
    cluster = resolved(text)
    assert cluster["nodes"], page.name


def test_older_specs_are_specs() -> None:
    for page, text in OLDER:
        assert resolved(text, "cluster.json", older=True)["nodes"], page.name


def specs_of_the_readme() -> list[dict[str, Any]]:
    return [resolved(text) for page, text in SPECS if page.name == "README.md"]


def test_the_readme_has_a_small_spec_a_full_one_and_one_for_several_hosts() -> None:
    small, full, several = specs_of_the_readme()
    assert [node["network_ip"] for node in small["nodes"].values()] == [f"172.20.0.{10 + number}" for number in range(4)]
    assert [node["rpc_url"] for node in small["nodes"].values()] == [f"http://127.0.0.1:{8545 + number}" for number in range(4)]
    nodes = full["nodes"].values()
    assert {node["role"] for node in nodes} == {"validator", "fullnode", "service"}
    assert {node["flavor"] for node in nodes} == {"injective", "generic"}
    assert len({node["voting_power"] for node in nodes if node["role"] == "validator"}) > 1
    assert any(node["labels"] for node in nodes)
    carried = [node["host"] for node in several["nodes"].values()]
    assert [carried.count(host) for host in ("alpha", "beta", "gamma")] == [3, 2, 2]


def test_the_table_of_make_up_is_that_of_the_local_cluster() -> None:
    cluster = resolved((ROOT / "inventories/local/cluster.yml").read_text(encoding="utf-8"))
    shown = [line.split() for line in README.blocks("console")[0].splitlines() if line.startswith("node_")]
    assert [row[:5] for row in shown] == [
        [name, node["role"], node["host"], node["network_ip"], node["rpc_url"]] for name, node in cluster["nodes"].items()
    ]


def test_the_chain_id_that_curl_shows() -> None:
    answer = json.loads(next(line for line in README.text.splitlines() if line.startswith('{"jsonrpc"')))
    cluster = resolved((ROOT / "inventories/local/cluster.yml").read_text(encoding="utf-8"))
    assert int(answer["result"], 16) == cluster["cluster"]["network"]["chain_id"]


def test_the_message_of_a_mistake() -> None:
    with pytest.raises(SpecInvalid) as refused:
        resolved(f"{KEY}\ncluster_name: x\nnodes:\n  node_[0:3]: {{rolle: validator}}\n", "bad.yml")
    (line,) = refused.value.lines
    assert f"[ERROR]: {line}\n" in README.text


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=lambda page: page.name)
def test_the_message_of_a_lost_quorum(page: Page) -> None:
    message = quorum_after(FOUR, ["node_0", "node_1", "node_2"], ["node_2"])["message"]
    assert message in page.text


def test_the_message_of_a_new_validator() -> None:
    def node(name: str) -> Node:
        return Node(name, "validator", f"gravity_{name}-data", 1, (), (), ())

    digest = "2ff025ced020" + "0" * 52
    born = [Volume(f"gravity_{name}-data", name, "validator", digest, "", 1337, FOUR) for name in FOUR]
    spec = Spec("x", "injective", "i", 1, 1, 1337, tuple(map(node, [*FOUR, "node_4"])), Recipe("", ""), (), 1, 1)
    with pytest.raises(Refused) as refused:
        plan(spec, born)
    assert refused.value.message.split(" (teardown")[0] in README.text


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=lambda page: page.name)
def test_the_message_of_a_taken_port(page: Page) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failure = bind_failure(("127.0.0.1", port, "tcp"))
    assert failure is not None
    said = failure.replace(str(port), "28546") if page is README else failure.partition(":")[0]
    assert f"node_1: host port 127.0.0.1:28546 {said}" in page.text
