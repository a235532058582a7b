# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments of a deploy at which a test ends it."""

from __future__ import annotations

import subprocess
import time
import typing as t

import docker

from .conftest import Cluster

Seen = t.Callable[[t.Dict[str, t.List[t.Dict[str, t.Any]]]], bool]


def started(count: int) -> Seen:
    """That ``count`` node containers run."""
    return lambda seen: sum(item["State"] == "running" for item in seen["nodes"]) >= count


# What the engine shows at the moment of death, in the order of a deploy. The first ones lie inside the birth of the genesis.
MOMENTS: t.Dict[str, Seen] = {
    "the birth container is there": lambda seen: len(seen["oneoffs"]) >= 1,
    "some volumes are there": lambda seen: len(seen["volumes"]) >= 1,
    "the network is there": lambda seen: len(seen["networks"]) >= 1,
    "the first container is there": lambda seen: len(seen["nodes"]) >= 1,
    "two nodes run": started(2),
    "all nodes run": started(4),
}


def watch(engine: docker.APIClient, cluster: Cluster) -> t.Dict[str, t.List[t.Dict[str, t.Any]]]:
    """What the cluster has on the engine now."""
    own = f"gravity.cluster.name={cluster.name}"
    return {
        "oneoffs": engine.containers(all=True, filters={"label": [own, "gravity.cluster.kind=oneoff"]}),
        "nodes": engine.containers(all=True, filters={"label": [own, "gravity.cluster.kind=node"]}),
        "volumes": engine.volumes(filters={"label": own})["Volumes"] or [],
        "networks": engine.networks(filters={"label": own}),
    }


def until(engine: docker.APIClient, cluster: Cluster, process: subprocess.Popen[str], moment: Seen) -> None:
    """Wait until a deploy has come so far."""
    deadline = time.monotonic() + 240
    while not moment(watch(engine, cluster)):
        assert process.poll() is None, "deploy has ended before"
        assert time.monotonic() < deadline
        time.sleep(0.005)
