# SPDX-License-Identifier: GPL-3.0-or-later
"""Editing the spec of a cluster that lives."""

from __future__ import annotations

import copy
import typing as t

import docker
import pytest

from .conftest import Cluster
from .test_life import objects


@pytest.fixture(scope="module")
def living(cluster: Cluster) -> Cluster:
    """A deployed cluster."""
    cluster.ok("deploy")
    return cluster


@pytest.fixture(autouse=True)
def spec_as_born(cluster: Cluster) -> t.Iterator[None]:
    """Every test begins with the spec that the cluster was born from."""
    born = copy.deepcopy(cluster.spec)
    yield
    cluster.spec = born
    cluster.write()


def test_another_validator_is_refused(engine: docker.APIClient, living: Cluster) -> None:
    before = objects(engine, living)
    living.spec["nodes"]["node_4"] = {"role": "validator"}
    living.write()
    message = living.refused("deploy")
    assert "node_4" in message
    assert "fullnode" in message or "purge" in message
    assert objects(engine, living) == before


def test_another_chain_id_is_refused(engine: docker.APIClient, living: Cluster) -> None:
    before = objects(engine, living)
    living.spec["network"]["chain_id"] = 4242
    living.write()
    message = living.refused("deploy")
    assert "1337" in message
    assert "4242" in message
    assert objects(engine, living) == before


def test_a_full_node_joins_and_nothing_else_moves(engine: docker.APIClient, living: Cluster) -> None:
    before = objects(engine, living)
    living.spec["nodes"]["full_0"] = {"role": "fullnode"}
    living.write()
    facts = living.facts("deploy")
    after = objects(engine, living)
    assert set(before["containers"]) < set(after["containers"])
    assert len(after["containers"]) == 5
    assert facts["full_0"]["state"] == "running"
    assert facts["full_0"]["height"] > 0
    assert facts["full_0"]["peers"] >= 1
    assert facts["full_0"]["syncing"] is False
    living.unchanged("deploy")


def test_a_node_that_left_the_spec_goes_and_its_data_stays(engine: docker.APIClient, living: Cluster) -> None:
    before = objects(engine, living)
    living.ok("deploy")
    after = objects(engine, living)
    assert len(after["containers"]) == 4
    assert set(after["containers"]) < set(before["containers"])
    assert after["volumes"] == before["volumes"]
    living.unchanged("deploy")


def test_a_setting_that_needs_new_containers_keeps_the_quorum(engine: docker.APIClient, living: Cluster) -> None:
    height = living.height(0)
    living.spec["defaults"] = {"resources": {"memory": "1500m"}}
    living.write()
    assert "memory" in living.ok("deploy", "--check", "--diff")
    before = objects(engine, living)
    # As after a run that was killed in the middle: the one that starts must come up before the next goes down.
    mine = {"label": [f"gravity.cluster.name={living.name}", "gravity.cluster.node=node_1"]}
    engine.stop(engine.containers(filters=mine)[0]["Id"], timeout=5)
    living.ok("deploy")
    assert not set(objects(engine, living)["containers"]) & set(before["containers"])
    assert objects(engine, living)["volumes"] == before["volumes"]
    assert living.height(0) > height
    living.unchanged("deploy")


def test_a_limited_deploy_touches_only_what_is_named(engine: docker.APIClient, living: Cluster) -> None:
    before = objects(engine, living)
    living.spec["nodes"]["node_[0:3]"]["labels"] = {"tier": "{{ lookup('pipe', 'id') }}"}
    living.write()
    living.ok("deploy", "--limit", "node_2")
    after = objects(engine, living)
    assert len(set(after["containers"]) - set(before["containers"])) == 1
    (changed,) = set(after["containers"]) - set(before["containers"])
    labels = engine.inspect_container(changed.split()[0])["Config"]["Labels"]
    assert labels["gravity.cluster.node"] == "node_2"
    assert labels["tier"] == "{{ lookup('pipe', 'id') }}"
