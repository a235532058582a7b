# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes get one clear line, and nothing is changed."""

from __future__ import annotations

import socket
import subprocess
import typing as t
import uuid
from pathlib import Path

import docker
import pytest

from .conftest import Cluster, environment
from .test_life import objects

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_image(engine: docker.APIClient) -> t.Iterator[str]:
    """An image with nothing in it, for a container that is never started."""
    name = f"e2e-empty-{uuid.uuid4().hex[:8]}"
    engine.import_image_from_data(bytes(10240), repository=name, tag="1")
    yield f"{name}:1"
    engine.remove_image(f"{name}:1", force=True)


def test_an_engine_that_does_not_answer(cluster: Cluster) -> None:
    message = cluster.refused("status", "-e", "engine_url=unix:///nowhere/docker.sock")
    assert "no Docker Engine answers at unix:///nowhere/docker.sock" in message


def test_a_port_that_another_process_has(engine: docker.APIClient, cluster: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", cluster.port(1)))
        taken.listen()
        message = cluster.refused("deploy")
    assert str(cluster.port(1)) in message
    assert "node_1" in message
    assert objects(engine, cluster)["containers"] == objects(engine, cluster)["networks"] == []


def test_a_subnet_that_another_network_has(engine: docker.APIClient, cluster: Cluster) -> None:
    pool = docker.types.IPAMPool(subnet=cluster.spec["network"]["subnet"])
    other = engine.create_network(f"{cluster.name}-other", ipam=docker.types.IPAMConfig(pool_configs=[pool]))["Id"]
    try:
        message = cluster.refused("deploy")
    finally:
        engine.remove_network(other)
    assert f"{cluster.name}-other" in message
    assert objects(engine, cluster)["containers"] == []


def test_a_name_that_a_foreign_container_has(engine: docker.APIClient, cluster: Cluster, empty_image: str) -> None:
    other = engine.create_container(empty_image, ["sleep", "60"], name=f"{cluster.name}-node_1")["Id"]
    try:
        message = cluster.refused("deploy")
        assert engine.inspect_container(other)["Name"] == f"/{cluster.name}-node_1"
    finally:
        engine.remove_container(other, force=True)
    assert f"{cluster.name}-node_1" in message
    assert objects(engine, cluster)["containers"] == []


def test_an_image_that_is_not_there(engine: docker.APIClient, cluster: Cluster) -> None:
    cluster.spec["image"] = {"source": "present", "name": "nowhere/nothing:1"}
    cluster.write()
    message = cluster.refused("deploy")
    del cluster.spec["image"]
    cluster.write()
    assert "nowhere/nothing:1" in message
    assert objects(engine, cluster)["containers"] == []


def test_a_spec_with_a_mistake(cluster: Cluster) -> None:
    cluster.spec["nodez"] = {}
    cluster.write()
    message = cluster.refused("deploy")
    del cluster.spec["nodez"]
    cluster.write()
    assert "nodez" in message
    assert "did you mean" in message.lower()
    assert "nodes" in message


@pytest.mark.parametrize("inventory", ["localhost,", "/nowhere/cluster.yml"])
def test_no_cluster_in_the_inventory(cluster: Cluster, inventory: str) -> None:
    command = [part if part != str(cluster.path) else inventory for part in cluster.command("deploy")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0


def test_calls_that_would_do_nothing_or_something_else(engine: docker.APIClient, cluster: Cluster) -> None:
    said = cluster.refused("deploy", "-e", "quorum_overide=true", "-e", "command=ls -l", "--tags", "x")
    assert "did you mean quorum_override?" in said
    assert "'-l' belongs to no variable" in said
    assert "--tags x: the playbooks of gravity.cluster have no tags" in said
    for verb in ("deploy", "status"):
        said = cluster.refused(verb, "--limit", "local")
        assert "--limit local selects no node, so that there is nothing to do" in said
        assert "on_local" in said
    assert objects(engine, cluster)["containers"] == objects(engine, cluster)["networks"] == []


def test_the_report_is_where_the_user_stands(cluster: Cluster, tmp_path: Path) -> None:
    """In a folder that is an inventory, an export would break each later command."""
    command = [part if part != str(cluster.path) else str(cluster.path.parent) for part in cluster.command("status export_nodes")]
    report = ["-e", "status_output=reports/st.json"]
    done = subprocess.run(
        [*command, *report],
        cwd=tmp_path,
        env=environment({"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["nodes.json", "reports", "reports/st.json"]
    assert [path.name for path in cluster.path.parent.iterdir()] == [cluster.path.name]


def test_the_older_cluster_json_without_its_config_folders(cluster: Cluster) -> None:
    path = str(ROOT / "tests" / "fixtures" / "cluster.json")
    command = [part if part != str(cluster.path) else path for part in cluster.command("deploy")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "node_0: its config_dir" in said
    assert "is no folder with files; make it, or leave config_dir out so that the files are rendered" in said
    assert "Nothing was changed" in said
