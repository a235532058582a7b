# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a volume is not believed by its label: it is read before a node starts."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._birth import ensure
from ansible_collections.gravity.cluster.plugins.module_utils._birth_hosts import PHASES
from ansible_collections.gravity.cluster.plugins.module_utils._births import HOLDER
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._process import identity
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.modules.genesis import ARGUMENTS

from .conftest import Stored, with_nodes

Look = Callable[[str], dict[str, Stored]]
Objects = Callable[[str], dict[str, Any]]


def validated(options: dict[str, Any]) -> dict[str, Any]:
    result = ArgumentSpecValidator(ARGUMENTS).validate(copy.deepcopy(options))
    assert result.error_messages == []
    params: dict[str, Any] = result.validated_parameters
    return params


class Toy:
    """A toy chain that is born, and ways to spoil its volumes."""

    def __init__(self, engine: Engine, options: dict[str, Any], look: Look) -> None:
        self.engine, self.options, self.look = engine, options, look
        self.image, self.cluster = options["image"], options["cluster"]
        self.made: list[str] = []

    def deploy(self, check: bool = False) -> dict[str, Any]:
        return ensure(validated(self.options), self.engine, Progress(), check)

    def refused(self, check: bool = False) -> str:
        with pytest.raises(Refused) as caught:
            self.deploy(check)
        assert "\n" not in caught.value.message
        return caught.value.message

    def volume(self, node: str) -> str:
        return f"{self.cluster}-{node}-data"

    def node(self, name: str, start: bool = False, command: str = "sleep 100") -> str:
        """A container of a node with its volume, as `containers` makes it."""
        container: str = self.engine.api.create_container(
            self.image,
            entrypoint=["sh", "-c", command],
            name=f"{self.cluster}-{name}",
            labels=labels.own(self.cluster, "node", node=name, container=f"{self.cluster}-{name}"),
            host_config=self.engine.api.create_host_config(
                binds=[f"{self.volume(name)}:/data"], restart_policy={"Name": "unless-stopped", "MaximumRetryCount": 0}
            ),
        )["Id"]
        self.made.append(container)
        if start:
            self.engine.api.start(container)
        return container

    def write(self, node: str, path: str, content: bytes, mode: int = 0o400) -> None:
        """Change a file of a volume, without a trace in its times: what is written has those of what we write."""
        host = self.engine.api.create_host_config(binds=[f"{self.volume(node)}:/data"])
        container = self.engine.api.create_container(self.image, command=["true"], host_config=host)["Id"]
        try:
            self.engine.put(container, "/data", [File(path, content, mode, 10001, 10001)])
        finally:
            self.engine.api.remove_container(container)

    def strip(self, node: str, *names: str) -> None:
        """Make a volume anew with its content and without some labels: as an older version made it, or as it was restored."""
        name = self.volume(node)
        stored = self.look(name)
        kept = {key: value for key, value in self.engine.api.inspect_volume(name)["Labels"].items() if key not in names}
        self.engine.api.remove_volume(name)
        self.engine.api.create_volume(name, labels=kept)
        for path, file in stored.items():
            if file.content is not None:
                self.write(node, path, file.content, file.mode)

    def close(self) -> None:
        for container in self.made:
            self.engine.api.remove_container(container, force=True, v=True)


@pytest.fixture
def toy(engine: Engine, chain: dict[str, Any], look: Look) -> Iterator[Toy]:
    one = Toy(engine, chain, look)
    one.deploy()
    yield one
    one.close()


def test_labels_hold_no_key_and_no_plain_digest_of_one(toy: Toy) -> None:
    held = {node: toy.engine.api.inspect_volume(toy.volume(node))["Labels"][labels.HELD] for node in ("node_0", "node_1")}
    assert json.loads(held["node_0"])["keys"].keys() == {"config/key"}
    assert json.loads(held["node_0"])["keys"] != json.loads(held["node_1"])["keys"]
    assert json.loads(held["node_0"])["shared"] == json.loads(held["node_1"])["shared"]


@pytest.mark.parametrize("carried", [False, True])
def test_a_key_of_another_node_is_refused(toy: Toy, objects: Objects, carried: bool) -> None:
    if carried:
        for node in ("node_0", "node_1", "full_0"):
            toy.node(node, start=node == "node_1")
    key = toy.look(toy.volume("node_1"))["config/key"].content or b""
    toy.write("node_0", "config/key", key)
    message = toy.refused()
    assert message.startswith("node_0 and node_1: have one key in their volumes")
    assert key.decode().strip() not in message
    assert not [name for name in objects(toy.cluster)["containers"] if "carrier" in name]
    if carried:
        assert toy.refused(check=True) == message


def test_a_key_that_is_nobodys_is_refused_and_one_that_is_gone(toy: Toy) -> None:
    own = toy.look(toy.volume("node_0"))["config/key"].content or b""
    toy.write("node_0", "config/key", b"another\n")
    assert "node_0: the key config/key in volume" in toy.refused()
    toy.write("node_0", "config/key", own)
    assert not toy.deploy()["changed"]
    container = toy.node("full_0", start=True)
    toy.engine.run_in(container, ["rm", "-f", "/data/config/key"], user="10001")
    toy.engine.api.stop(container, timeout=0)
    assert "full_0: its key config/key is gone" in toy.refused()


def test_twins_of_volumes_without_the_label(toy: Toy) -> None:
    # Volumes of an older version, of which one was restored from the backup of another.
    for node in ("node_0", "node_1", "full_0"):
        toy.strip(node, labels.HELD)
    assert not toy.deploy()["changed"]
    toy.write("full_0", "config/key", toy.look(toy.volume("node_1"))["config/key"].content or b"")
    assert toy.refused().startswith("full_0 and node_1: have one key")


def test_a_restored_volume_with_the_key_of_a_node_that_runs(toy: Toy) -> None:
    toy.node("node_1", start=True)
    toy.strip("node_0", labels.HELD)
    assert not toy.deploy()["changed"]
    toy.write("node_0", "config/key", toy.look(toy.volume("node_1"))["config/key"].content or b"")
    assert toy.refused().startswith("node_0 and node_1: have one key")


@pytest.mark.parametrize("older", [False, True])
def test_a_changed_genesis_is_put_back(toy: Toy, older: bool) -> None:
    document = toy.look(toy.volume("node_1"))["config/genesis.json"].content
    if older:
        toy.strip("node_0", labels.HELD)
    toy.write("node_0", "config/genesis.json", b"{}", 0o644)
    reason = "node_0: config/genesis.json was not that of the genesis, and is put back"
    toy.node("node_0")
    assert toy.deploy(check=True)["reasons"] == [reason]
    assert (toy.look(toy.volume("node_0"))["config/genesis.json"].content or b"") == b"{}"
    result = toy.deploy()
    assert result["changed"] and result["reasons"] == [reason]
    stored = toy.look(toy.volume("node_0"))["config/genesis.json"]
    assert (stored.content, stored.mode, stored.uid) == (document, 0o444, 10001)
    assert not toy.deploy()["changed"]


def test_a_node_in_a_restart_loop_is_stopped_for_it(toy: Toy) -> None:
    container = toy.node("node_0", command="grep -q chain /data/config/genesis.json && sleep 100")
    toy.write("node_0", "config/genesis.json", b"{}", 0o444)
    toy.engine.api.start(container)
    deadline = time.monotonic() + 60
    while (toy.engine.inspect(container) or {})["RestartCount"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert toy.deploy()["reasons"] == ["node_0: config/genesis.json was not that of the genesis, and is put back"]
    assert not toy.engine.api.inspect_container(container)["State"]["Running"]


def test_a_genesis_that_nobody_has_is_refused(toy: Toy) -> None:
    for node in ("node_0", "node_1", "full_0"):
        toy.write(node, "config/genesis.json", b"{}", 0o444)
    assert "no other volume on this Docker host has that" in toy.refused()


def test_what_a_killed_look_has_left_goes(toy: Toy, objects: Objects) -> None:
    marks = {**labels.own(toy.cluster, "oneoff"), HOLDER: json.dumps({**identity(), "since": "0"})}
    toy.engine.api.create_container(toy.image, command=["true"], name=f"{toy.cluster}-carrier-0", labels=marks)
    toy.deploy()
    assert objects(toy.cluster)["containers"] == []


def test_supplied_keys_that_are_alike(engine: Engine, chain: dict[str, Any]) -> None:
    secret = "f0" * 32
    nodes = [
        {**node, "commands": [], "identity": [], "known_as": node["name"], "files": [{"path": "identity.yaml", "content": text}]}
        for node, text in zip(
            chain["nodes"],
            [f"consensus_private_key: {secret}\n", f'{{"a": 1, "consensus_private_key": "0x{secret.upper()}"}}', "x"],
            strict=True,
        )
    ]
    with pytest.raises(ClusterError, match="node_0 and node_1: have a key in common"):
        ensure(validated(with_nodes(chain, *nodes)), engine, Progress(), True)


def test_twins_on_two_docker_hosts(toy: Toy) -> None:
    # Both hosts are one Engine here; what each of them says is what counts.
    options = validated(toy.options)
    seen = PHASES["look"](options, toy.engine, Progress(), False)
    valid = {volume["Labels"][labels.NODE]: volume for volume in seen["valid"]}
    for host, node in (("a", "node_0"), ("b", "node_1"), ("b", "full_0")):
        next(one for one in options["nodes"] if one["name"] == node)["host"] = host
    looks = {
        "a": {"valid": [valid["node_0"]], "filled": {}, "keys": {}},
        "b": {"valid": [valid["node_1"], valid["full_0"]], "filled": {}, "keys": {}},
    }
    here = {**options, "host": "a", "hosts": looks}
    assert not PHASES["make"](here, toy.engine, Progress(), False)["changed"]
    toy.write("node_0", "config/key", toy.look(toy.volume("node_1"))["config/key"].content or b"")
    with pytest.raises(ClusterError, match="node_0 and node_1: have one key"):
        PHASES["make"](here, toy.engine, Progress(), False)
    # An older volume has no label: the other host says what it read, never the key.
    toy.strip("node_1", labels.HELD)
    again = PHASES["look"](options, toy.engine, Progress(), False)
    assert set(again["keys"]) == {"node_1"}
    valid["node_1"] = next(one for one in again["valid"] if one["Labels"][labels.NODE] == "node_1")
    looks["b"] = {"valid": [valid["node_1"], valid["full_0"]], "filled": {}, "keys": again["keys"]}
    with pytest.raises(ClusterError, match="node_0 and node_1: have one key"):
        PHASES["make"](here, toy.engine, Progress(), False)
