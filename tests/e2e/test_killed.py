# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that dies at any moment leaves nothing that the next run trips over."""

from __future__ import annotations

import signal
import subprocess
import time
import typing as t

import docker

from .conftest import Cluster, kill

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


def test_deploy_killed_again_and_again(engine: docker.APIClient, cluster: Cluster) -> None:
    """Each run finds what the one before has left, and comes further: only a run that begins anew what is half done gets there."""
    for moment in MOMENTS.values():
        process = cluster.start("deploy")
        until(engine, cluster, process, moment)
        kill(process)

    cluster.ok("deploy")

    seen = watch(engine, cluster)
    assert seen["oneoffs"] == []
    facts = cluster.facts()
    assert [facts[f"node_{node}"]["state"] for node in range(4)] == ["running"] * 4
    assert all(fact["chain_id"] == 1337 and fact["peers"] == 3 for fact in facts.values())
    cluster.unchanged("deploy")


def test_deploy_interrupted_by_the_user_then_run_again(engine: docker.APIClient, cluster: Cluster) -> None:
    cluster.ok("teardown")
    process = cluster.start("deploy")
    until(engine, cluster, process, started(1))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    assert process.returncode != 0

    cluster.ok("deploy")
    assert {fact["state"] for fact in cluster.facts().values()} == {"running"}
