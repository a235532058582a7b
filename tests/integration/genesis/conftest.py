# SPDX-License-Identifier: GPL-3.0-or-later
"""A toy chain whose tool is the shell of a tiny image, and ways to look into volumes."""

from __future__ import annotations

import copy
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import docker.errors
import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

# Makes a key that is never the same, the node's own genesis, and what it contributes to the common one.
TOOL = """
set -e
mkdir -p /birth/{node}/keys
cat /proc/sys/kernel/random/uuid > /birth/{node}/key
echo word > /birth/{node}/keys/a
echo '{"chain": 0, "accounts": ["{node}"], "txs": []}' > /birth/{node}/genesis.json
echo '{"power": {power}}' > /birth/{node}/tx.json
"""


@dataclass(frozen=True)
class Stored:
    """A file or folder of a volume."""

    mode: int
    uid: int
    gid: int
    content: bytes | None


def toy_node(cluster: str, name: str, power: int = 0) -> dict[str, Any]:
    """One node of the toy chain, as the module's option has it."""
    tool = TOOL.replace("{node}", name).replace("{power}", str(power))
    return {
        "name": name,
        "role": "validator" if power else "fullnode",
        "volume": f"{cluster}-{name}-data",
        "voting_power": power,
        "commands": [{"argv": ["sh", "-c", tool], "quiet": True}],
        "identity": ["sh", "-c", f"echo id-of-{name}"],
        "files": [
            {"source": f"/birth/{name}/key", "path": "config/key"},
            {"source": f"/birth/{name}/keys/", "path": "ring", "mode": "0600"},
        ],
    }


def toy(cluster: str, image: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """The module's options for a toy chain."""
    return {
        "cluster": cluster,
        "flavor": "toy",
        "image": image,
        "chain_id": 7,
        "nodes": list(nodes),
        "document": {
            "base": "/birth/{node}/genesis.json",
            "append": ["accounts"],
            "collect": [{"source": "/birth/{node}/tx.json", "into": "txs"}],
            "merge": {"chain": 7},
            "validate": ["test", "-s", "{document}"],
            "path": "config/genesis.json",
        },
    }


@pytest.fixture
def chain(cluster: Any, tiny_image: str) -> dict[str, Any]:
    """Two validators and a full node that are not born yet."""
    name = cluster.name
    return toy(name, tiny_image, toy_node(name, "node_0", 1), toy_node(name, "node_1", 2), toy_node(name, "full_0"))


@pytest.fixture(scope="session")
def look(engine: Engine, tiny_image: str) -> Callable[[str], dict[str, Stored]]:
    """Read a whole volume: path -> what is there. Nothing is started for it."""

    def read(volume: str) -> dict[str, Stored]:
        host = engine.api.create_host_config(binds=[f"{volume}:/look:ro"])
        container = engine.api.create_container(tiny_image, command=["true"], host_config=host)["Id"]
        try:
            stream, _stat = engine.api.get_archive(container, "/look")
            with tarfile.open(fileobj=BytesIO(b"".join(stream))) as tar:
                return {
                    entry.name.rstrip("/").removeprefix("look").lstrip("/"): Stored(
                        entry.mode & 0o7777, entry.uid, entry.gid, source.read() if (source := tar.extractfile(entry)) else None
                    )
                    for entry in tar
                }
        finally:
            engine.api.remove_container(container)

    return read


@pytest.fixture
def objects(engine: Engine) -> Callable[[str], dict[str, Any]]:
    """What a cluster has on the Engine: ``{volumes: {name: made at}, containers: [names]}``."""

    def observe(cluster: str) -> dict[str, Any]:
        own = [f"{labels.CLUSTER}={cluster}"]
        volumes = engine.api.volumes(filters={"label": own})["Volumes"] or []
        containers = engine.api.containers(all=True, filters={"label": own})
        return {
            "volumes": {one["Name"]: one["CreatedAt"] for one in volumes},
            "containers": sorted(one["Names"][0].lstrip("/") for one in containers),
        }

    return observe


@pytest.fixture
def foreign_volume(engine: Engine) -> Iterator[Callable[[str], None]]:
    """Make a volume that is nobody's."""
    made = []

    def make(name: str) -> None:
        engine.api.create_volume(name)
        made.append(name)

    yield make
    for name in made:
        engine.api.remove_volume(name)


def with_nodes(options: dict[str, Any], *nodes: dict[str, Any]) -> dict[str, Any]:
    """Options with other nodes."""
    changed = copy.deepcopy(options)
    changed["nodes"] = copy.deepcopy(list(nodes))
    return changed


def text(stored: dict[str, Stored], path: str) -> str:
    """Content of a file."""
    return (stored[path].content or b"").decode()


def document_of(stored: dict[str, Stored]) -> Any:
    """The genesis of a volume."""
    return json.loads(text(stored, "config/genesis.json"))


def gone(engine: Engine, container: str) -> bool:
    """Whether there is no such container."""
    try:
        engine.api.inspect_container(container)
    except docker.errors.NotFound:
        return True
    return False
