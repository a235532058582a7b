# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions, and what an Engine would say of containers that were made from them."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.gravity.cluster.plugins.module_utils._definition import ContainerDefinition, NetworkDefinition
from ansible_collections.gravity.cluster.plugins.module_utils._observed import (
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
)
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers
from ansible_collections.gravity.cluster.plugins.module_utils._plan import Request

CLUSTER = "demo"
NETWORK = NetworkDefinition("demo-net", "10.9.0.0/24", "10.9.0.1")
IMAGE = "example/node:1"
IMAGE_ID = "sha256:" + "a" * 64
RUNNING = {"Status": "running", "Running": True, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0}
CREATED = {"Status": "created", "Running": False, "StartedAt": "0001-01-01T00:00:00Z", "ExitCode": 0}


def exited(code: int = 0, **more: Any) -> dict[str, Any]:
    """The State of a container that ended."""
    return {"Status": "exited", "Running": False, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": code, **more}


def plain(number: int = 0, **more: Any) -> dict[str, Any]:
    """One definition as plain data."""
    return {
        "name": f"demo_{number}",
        "node": f"node_{number}",
        "role": "validator",
        "flavor": "generic",
        "image": IMAGE,
        "network_ip": f"10.9.0.{10 + number}",
        "aliases": [f"node_{number}"],
        **more,
    }


def defined(number: int = 0, **more: Any) -> ContainerDefinition:
    """One definition; it must be well-formed."""
    problems = Problems()
    found = parse_containers([plain(number, **more)], problems)
    assert not problems.lines
    return found[0]


def mistakes(*items: dict[str, Any]) -> list[str]:
    """The lines about definitions with mistakes."""
    problems = Problems()
    parse_containers(items, problems)
    return problems.lines


def requested(*definitions: ContainerDefinition, **more: Any) -> Request:
    """A request for definitions in the network of the tests."""
    return Request(**{"cluster": CLUSTER, "network": NETWORK, "containers": definitions, "nodes": (), **more})


def made(
    definition: ContainerDefinition, state: dict[str, Any] | None = None, salt: str | None = None, **changes: Any
) -> ObservedContainer:
    """The container that an Engine makes of ``definition``, changed by hand: ``Config__User="x"`` and so on."""
    payload = copy.deepcopy(definition.payload(CLUSTER, NETWORK.name, None if salt is None else lambda _path: salt))
    host = payload.pop("HostConfig")
    endpoints = payload.pop("NetworkingConfig")["EndpointsConfig"]
    for endpoint in endpoints.values():
        endpoint["Aliases"].append("0123456789ab")
        endpoint["NetworkID"] = "id-of-net"
    inspect = {
        "Id": f"id-of-{definition.name}",
        "Name": f"/{definition.name}",
        "Image": IMAGE_ID,
        "State": state or RUNNING,
        # An Engine fills in what nobody asked for.
        "Config": {"Hostname": "0123456789ab", "WorkingDir": "/", "Entrypoint": None, **payload},
        "HostConfig": {"ShmSize": 67108864, "MemorySwap": 1 << 30, "Binds": None, "PidsLimit": None, **host},
        "NetworkSettings": {"Networks": endpoints},
    }
    for path, value in changes.items():
        place: Any = inspect
        *folders, last = path.split("__")
        for folder in folders:
            place = place[folder]
        place[last] = value
    return ObservedContainer(definition.name, inspect)


def network(**more: Any) -> ObservedNetwork:
    """The network of the tests as the Engine lists it."""
    return ObservedNetwork(
        {
            "Name": NETWORK.name,
            "Id": "id-of-net",
            "Driver": "bridge",
            "Labels": {"gravity.cluster.name": CLUSTER, "gravity.cluster.kind": "network"},
            "IPAM": {"Config": [{"Subnet": NETWORK.subnet, "Gateway": NETWORK.gateway}]},
            "Options": {},
            **more,
        }
    )


def volume(called: str, /, **labels: str) -> ObservedVolume:
    """A volume of the cluster."""
    own = {"gravity.cluster.name": CLUSTER, "gravity.cluster.kind": "volume"}
    return ObservedVolume(called, {**own, **{f"gravity.cluster.{key}": value for key, value in labels.items()}})


def seen(*containers: ObservedContainer, **more: Any) -> Observed:
    """A Docker host with the network and the image of the tests."""
    return Observed(**{"containers": containers, "networks": (network(),), "images": {IMAGE: IMAGE_ID}, **more})
