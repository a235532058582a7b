# SPDX-License-Identifier: GPL-3.0-or-later
"""One genesis on two Docker hosts: this machine's Engine, and a second one beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import make_image

from ansible_collections.gravity.cluster.plugins.module_utils import _births as births
from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, EngineOptions

from .conftest import toy, toy_node

HOSTS = ("alpha", "beta")
PHASES = ("look", "make", "share", "fill", "commit")


@pytest.fixture(scope="module")
def beta(tmp_path_factory: pytest.TempPathFactory, busybox: Path, tiny_image: str) -> Iterator[Engine]:
    """A second Engine, with the tiny image. In a network namespace of its own: it would take the bridge of the first one away."""
    folder = tmp_path_factory.mktemp("engine")
    url = f"unix://{folder}/docker.sock"
    command = ["unshare", "--net", "dockerd", "--host", url, "--bridge", "none", "--iptables=false", "--ip6tables=false"]
    command += ["--pidfile", f"{folder}/pid", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/run"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "docker.sock").exists():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        engine = Engine(EngineOptions(url=url))
        make_image(engine, busybox, tiny_image)
        yield engine
        engine.api.close()
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engines(engine: Engine, beta: Engine, cluster: Any) -> Iterator[dict[str, Engine]]:
    yield {"alpha": engine, "beta": beta}
    own = {"label": f"{labels.CLUSTER}={cluster.name}"}
    for container in beta.api.containers(all=True, filters=own):
        beta.api.remove_container(container["Id"], force=True)
    for volume in beta.api.volumes(filters=own)["Volumes"] or []:
        beta.api.remove_volume(volume["Name"], force=True)


@pytest.fixture
def chain(cluster: Any, tiny_image: str) -> dict[str, Any]:
    """Two validators on alpha, one and a full node on beta."""
    name = cluster.name
    nodes = [toy_node(name, "node_0", 1), toy_node(name, "node_1", 2), toy_node(name, "node_2", 2), toy_node(name, "full_0")]
    for node, host in zip(nodes, ("alpha", "beta", "alpha", "beta")):
        node["host"] = host
    return toy(name, tiny_image, *nodes)


class Run:
    """The phases on all hosts, as the role has them done."""

    def __init__(self, start_module: Callable[..., subprocess.Popen[str]], engines: dict[str, Engine], options: dict[str, Any]) -> None:
        self.start_module, self.engines, self.options = start_module, engines, options

    def phase(self, phase: str, before: dict[str, Any], hosts: tuple[str, ...] = HOSTS, check: bool = False) -> dict[str, Any]:
        """One phase on ``hosts``: host -> result. ``before`` holds what all of them returned from the one before."""
        running = {
            host: self.start_module(
                "genesis",
                {**self.options, "phase": phase, "host": host, "hosts": before, "engine_url": self.engines[host].options.url},
                check=check,
            )
            for host in hosts
        }
        return {host: json.loads(process.communicate(timeout=120)[0]) for host, process in running.items()}

    def all(self, until: str = "commit", hosts: tuple[str, ...] = HOSTS, check: bool = False) -> dict[str, dict[str, Any]]:
        """The phases up to ``until``: phase -> host -> result. A phase that fails ends them."""
        seen: dict[str, dict[str, Any]] = {}
        before: dict[str, Any] = {}
        for phase in PHASES[: PHASES.index(until) + 1]:
            before = seen[phase] = self.phase(phase, before, hosts, check)
            if any(result.get("failed") for result in before.values()):
                break
        return seen

    def volumes(self, host: str) -> dict[str, dict[str, str]]:
        """Labels of the cluster's volumes on a host, by node."""
        found = self.engines[host].api.volumes(filters={"label": f"{labels.CLUSTER}={self.options['cluster']}"})["Volumes"] or []
        return {one["Labels"][labels.NODE]: one["Labels"] for one in found}

    def content(self, host: str, node: str, path: str) -> bytes:
        """A file of a node's volume."""
        api = self.engines[host].api
        volume = f"{self.options['cluster']}-{node}-data"
        config = api.create_host_config(binds=[f"{volume}:/look:ro"], network_mode="none")
        container = api.create_container(self.options["image"], command=["true"], host_config=config)["Id"]
        try:
            return self.engines[host].get(container, f"/look/{path}")[0].content
        finally:
            api.remove_container(container)

    def births(self) -> dict[str, list[str]]:
        """Names of the birth containers of each host."""
        return {host: [one.name for one in births.find_births(engine, self.options["cluster"])] for host, engine in self.engines.items()}


@pytest.fixture
def run(start_module: Callable[..., subprocess.Popen[str]], engines: dict[str, Engine], chain: dict[str, Any]) -> Run:
    return Run(start_module, engines, chain)


def check_whole(run: Run) -> str:
    """Every node has a volume of one genesis on its own host; the digest."""
    everywhere = {host: run.volumes(host) for host in HOSTS}
    assert {host: set(found) for host, found in everywhere.items()} == {"alpha": {"node_0", "node_2"}, "beta": {"node_1", "full_0"}}
    digests = {marks[labels.GENESIS] for found in everywhere.values() for marks in found.values()}
    assert len(digests) == 1
    assert run.births() == {"alpha": [], "beta": []}
    document = run.content("alpha", "node_0", "config/genesis.json")
    assert document == run.content("beta", "node_1", "config/genesis.json") == run.content("beta", "full_0", "config/genesis.json")
    assert sorted(json.loads(document)["accounts"]) == ["node_0", "node_1", "node_2"]
    return digests.pop()


def test_a_genesis_of_two_hosts(run: Run) -> None:
    seen = run.all()
    assert [result["changed"] for result in seen["make"].values()] == [True, True]
    digest = check_whole(run)
    for result in seen["fill"].values():
        assert result["digest"] == digest
        assert result["identities"] == {node: f"id-of-{node}" for node in ("node_0", "node_1", "node_2", "full_0")}
        assert result["validators"] == {"node_0": 1, "node_1": 2, "node_2": 2}
    # Every volume names all validators, so that a host can be worked on alone.
    birth = json.loads(run.volumes("beta")["full_0"][labels.BIRTH])
    assert birth["identities"] == {node: f"id-of-{node}" for node in ("node_0", "node_1", "node_2")}


def test_no_key_leaves_its_host(run: Run) -> None:
    said = json.dumps(run.all())
    for host, nodes in (("alpha", ("node_0", "node_2")), ("beta", ("node_1", "full_0"))):
        for node in nodes:
            key = run.content(host, node, "config/key").decode().strip()
            assert len(key) == 36
            assert key not in said


def test_again_changes_nothing(run: Run) -> None:
    first = run.all()["fill"]["alpha"]
    again = run.all(until="fill")
    for phase in again.values():
        for result in phase.values():
            assert result["changed"] is False
    assert again["make"]["beta"]["newborn"] == []
    assert again["make"]["beta"]["digest"] == first["digest"]
    assert again["make"]["beta"]["identities"] == first["identities"]


def test_check_mode_tells_and_makes_nothing(run: Run) -> None:
    seen = run.all(check=True)
    assert seen["make"]["alpha"]["changed"] is True
    assert seen["fill"]["alpha"]["identities"]["node_1"] == "made-at-birth-node_1"
    assert run.volumes("alpha") == run.volumes("beta") == {}
    assert run.births() == {"alpha": [], "beta": []}


def test_a_full_node_joins_on_a_host_that_has_no_volume_of_the_genesis(run: Run) -> None:
    both = run.options["nodes"]
    for node in both:
        node["host"] = "alpha"
    run.options["nodes"] = both[:3]
    digest = run.all()["fill"]["alpha"]["digest"]
    run.options["nodes"] = [*both[:3], {**both[3], "host": "beta"}]
    joined = run.all()
    assert joined["fill"]["beta"]["reasons"] == ["full_0: joins the genesis"]
    assert run.volumes("beta")["full_0"][labels.GENESIS] == digest
    assert run.content("beta", "full_0", "config/genesis.json") == run.content("alpha", "node_0", "config/genesis.json")


@pytest.mark.parametrize("until", ["make", "share", "fill"])
def test_a_run_that_ended_before_any_host_committed_is_discarded(run: Run, until: str) -> None:
    run.all(until=until)
    assert all(run.births().values())
    seen = run.all()
    assert seen["fill"]["alpha"]["digest"] == check_whole(run)


def test_a_run_that_ended_half_way_through_a_phase(run: Run) -> None:
    looked = run.phase("look", {})
    run.phase("make", looked, ("alpha",))
    run.all()
    check_whole(run)


def test_a_run_that_ended_while_it_filled(run: Run) -> None:
    shared = run.all(until="share")["share"]
    run.phase("fill", shared, ("beta",))
    run.all()
    check_whole(run)


@pytest.mark.parametrize("first", HOSTS)
def test_a_run_that_ended_while_it_committed_goes_on(run: Run, first: str) -> None:
    """Keys of a genesis that one host counts as valid are not made again on the others."""
    filled = run.all(until="fill")["fill"]
    run.phase("commit", filled, (first,))
    other = next(host for host in HOSTS if host != first)
    before = run.volumes(other)
    again = run.all()
    assert again["make"][other]["changed"] is True
    assert again["make"][other]["newborn"] == []
    assert run.volumes(other) == before
    assert check_whole(run) == filled["alpha"]["digest"]


def test_teardown_keeps_what_was_only_not_committed(run: Run) -> None:
    filled = run.all(until="fill")["fill"]
    run.phase("commit", filled, ("alpha",))
    assert births.discard_unfinished(run.engines["beta"], run.options["cluster"], purge=False) == []
    run.all()
    assert check_whole(run) == filled["alpha"]["digest"]


def test_a_run_that_is_overtaken_stops(run: Run) -> None:
    shared = run.all(until="share")["share"]
    run.all()
    late = run.phase("fill", shared)
    assert all(result["failed"] and "another run has begun" in result["msg"] for result in late.values())
    check_whole(run)


def test_what_is_made_of_the_document_is_made_on_one_host(run: Run) -> None:
    stamp = {
        "argv": ["sh", "-c", "sha256sum < {document} > {output}; date +%N >> {output}"],
        "source": "/birth/stamp",
        "path": "config/stamp",
    }
    run.options["document"]["products"] = [stamp]
    seen = run.all()
    assert [sorted(one["shared"]) for one in seen["share"].values()] == [["config/genesis.json", "config/stamp"], []]
    check_whole(run)
    made = run.content("alpha", "node_0", "config/stamp")
    assert made.decode().split()[0] == run.volumes("alpha")["node_0"][labels.GENESIS]
    assert made == run.content("beta", "node_1", "config/stamp") == run.content("beta", "full_0", "config/stamp")


def test_a_product_that_fails_leaves_nothing_valid(run: Run) -> None:
    run.options["document"]["products"] = [{"argv": ["false"], "source": "/birth/x", "path": "config/x"}]
    seen = run.all()
    assert "genesis: false failed with code 1" in seen["share"]["alpha"]["msg"]
    assert run.volumes("alpha") == run.volumes("beta") == {}
    run.options["document"]["products"] = []
    run.all()
    check_whole(run)


def test_keys_that_nodes_of_two_hosts_share_are_refused(run: Run) -> None:
    for node in run.options["nodes"][:2]:
        node.update(identity=[], known_as="id-of-both")
    seen = run.all()
    assert "node_1: has the identity of node_0 (id-of-both...): give each node keys of its own" in seen["share"]["alpha"]["msg"]
    assert run.volumes("alpha") == run.volumes("beta") == {}


def test_a_part_of_the_hosts_can_be_worked_on_once_all_are_born(run: Run) -> None:
    refused = run.all(hosts=("alpha",))["make"]["alpha"]
    assert refused["failed"] and "deploy once without --limit" in refused["msg"]
    assert run.volumes("alpha") == {}
    run.all()
    alone = run.all(until="make", hosts=("beta",))["make"]["beta"]
    assert alone["newborn"] == []
    assert alone["identities"] == {node: f"id-of-{node}" for node in ("node_0", "node_1", "node_2", "full_0")}


def test_a_node_that_is_put_on_another_host_is_refused(run: Run) -> None:
    run.all()
    run.options["nodes"][0]["host"] = "beta"
    refused = run.all()["make"]["alpha"]
    assert refused["failed"]
    assert "node_0: its data are on the Docker host alpha, the spec puts it on beta" in refused["msg"]


def test_a_tool_that_fails_on_one_host_leaves_nothing_valid(run: Run) -> None:
    run.options["nodes"][1]["commands"].append({"argv": ["false"]})
    seen = run.all()
    assert "node_1: false failed with code 1" in seen["make"]["beta"]["msg"]
    run.options["nodes"][1]["commands"].pop()
    run.all()
    check_whole(run)


def test_a_spec_for_one_host_does_not_take_what_belongs_to_several(run: Run, run_module: Callable[..., dict[str, Any]]) -> None:
    run.all(until="fill")
    alone = {**run.options, "nodes": [{**node, "host": ""} for node in run.options["nodes"]]}
    refused = run_module("genesis", alone)
    assert "holds a part of a genesis of several Docker hosts" in refused["msg"]
