# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker hosts that are reached over SSH: bare ones get an Engine, and the shipped playbooks work on all of them at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
import uuid
from pathlib import Path

import docker
import docker_hosts
import pytest

from .conftest import BIN, ROOT, Cluster, environment, free_subnet

COUNT = 2


@pytest.fixture(scope="module")
def cluster(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Four nodes on two Docker hosts, which have no Engine yet."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp(name)
    try:
        addresses = docker_hosts.up(engine, name, folder, free_subnet(engine), COUNT, bare=docker_hosts.NAMES)
        ssh = f"-o UserKnownHostsFile={folder / 'known_hosts'} -o StrictHostKeyChecking=yes"
        connection = {
            "ansible_user": docker_hosts.USER,
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(folder / "key"),
            "ansible_ssh_common_args": ssh,
        }
        yield Cluster(
            folder,
            {
                "plugin": "gravity.cluster.spec",
                "cluster_name": name,
                "flavor": "generic",
                "hosts": {host: {"ansible_host": address, **connection} for host, address in addresses.items()},
                "image": {"source": "assemble", "name": "tiny:1", "assemble": {"programs": ["sh", "sleep", "cat"]}},
                "nodes": {"web_[0:3]": {"role": "validator", "command": ["sleep", "86400"], "resources": {"memory": "64m", "cpus": 0.5}}},
            },
        )
    finally:
        docker_hosts.down(engine, name)


def on(cluster: Cluster, host: str, *command: str) -> str:
    """What a command says on a Docker host."""
    done = subprocess.run(["docker", "exec", f"{cluster.name}-{host}", *command], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def containers(cluster: Cluster, host: str) -> t.Set[str]:
    """The names of the containers on a Docker host."""
    return set(on(cluster, host, "docker", "ps", "--format", "{{.Names}}").split())


def ids(cluster: Cluster, host: str) -> t.Set[str]:
    """The ids of the containers on a Docker host, in full."""
    return set(on(cluster, host, "docker", "ps", "-aq", "--no-trunc").split())


def test_one_deploy_brings_up_engines_and_nodes_on_all_hosts(cluster: Cluster) -> None:
    output = cluster.ok("deploy")
    assert containers(cluster, "alpha") == {"gravity_web_0", "gravity_web_2"}
    assert containers(cluster, "beta") == {"gravity_web_1", "gravity_web_3"}
    rows = [line.split() for line in output.splitlines() if line.startswith("web_") and "running" in line]
    assert {row[0]: row[2] for row in rows} == {"web_0": "alpha", "web_1": "beta", "web_2": "alpha", "web_3": "beta"}
    assert "[WARNING]" not in output
    settings = json.loads(on(cluster, "beta", "cat", "/etc/docker/daemon.json"))
    assert settings == {"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}, "live-restore": True}
    assert on(cluster, "beta", "docker", "info", "--format", "{{.LiveRestoreEnabled}}").strip() == "true"


def test_the_image_is_made_once_and_copied(cluster: Cluster) -> None:
    made, copied = (on(cluster, host, "docker", "image", "inspect", "--format", "{{.Id}}", "tiny:1").strip() for host in ("alpha", "beta"))
    assert made == copied
    assert made.startswith("sha256:")


def test_another_spec_of_the_same_name_is_refused(cluster: Cluster) -> None:
    before, nodes = ids(cluster, "alpha"), cluster.spec["nodes"]
    cluster.spec["nodes"] = {"db_[0:1]": {"role": "validator", "command": ["sleep", "86400"]}}
    cluster.write()
    message = cluster.refused("deploy")
    cluster.spec["nodes"] = nodes
    cluster.write()
    assert "2 problems, nothing was changed: alpha: carries a cluster of this name with other nodes (web_0, web_2);" in message
    assert "-- beta: carries a cluster of this name with other nodes (web_1, web_3);" in message
    assert ids(cluster, "alpha") == before


def test_placed_nodes_are_written_down(cluster: Cluster) -> None:
    record = cluster.path.parent / ".cluster.placement.json"
    places = {"web_0": "alpha", "web_1": "beta", "web_2": "alpha", "web_3": "beta"}
    assert json.loads(record.read_text(encoding="utf-8")) == {"cluster": cluster.name, "nodes": places}
    # Where it is lost, what the Docker hosts carry counts, whatever the spec would do now.
    record.write_text(json.dumps({"cluster": cluster.name, "nodes": {"web_0": "alpha"}}), encoding="utf-8")
    cluster.spec["hosts"] = dict(reversed(cluster.spec["hosts"].items()))
    cluster.write()
    before = containers(cluster, "alpha") | containers(cluster, "beta")
    message = cluster.refused("deploy", "--check")
    assert "nodes of" in message
    assert json.loads(record.read_text(encoding="utf-8"))["nodes"] == {"web_0": "alpha"}
    assert "run again" in cluster.refused("deploy")
    assert json.loads(record.read_text(encoding="utf-8"))["nodes"] == places
    assert containers(cluster, "alpha") | containers(cluster, "beta") == before


def test_deploying_again_changes_nothing(cluster: Cluster) -> None:
    cluster.unchanged("deploy")


def test_a_limit_takes_one_node_on_its_own_host(cluster: Cluster) -> None:
    facts = cluster.facts("stop", "--limit", "web_3")
    assert containers(cluster, "beta") == {"gravity_web_1"}
    assert containers(cluster, "alpha") == {"gravity_web_0", "gravity_web_2"}
    assert {name: (fact["host"], fact["state"]) for name, fact in facts.items()} == {"web_3": ("beta", "stopped")}
    facts = cluster.facts("start")
    assert {name: (fact["host"], fact["state"]) for name, fact in facts.items()} == {
        "web_0": ("alpha", "running"),
        "web_1": ("beta", "running"),
        "web_2": ("alpha", "running"),
        "web_3": ("beta", "running"),
    }


def test_images_that_lie_on_the_controller_reach_the_hosts(cluster: Cluster, engine: docker.APIClient, busybox: Path) -> None:
    folder, name = cluster.path.parent, f"{cluster.name}:saved"
    context = folder / "context"
    context.mkdir()
    shutil.copy(busybox, context / "busybox")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY busybox word /bin/\n", encoding="utf-8")
    (context / "word").write_text("one", encoding="utf-8")
    try:
        subprocess.run(["docker", "build", "--quiet", "--tag", name, str(context)], check=True, capture_output=True, timeout=120)
        subprocess.run(["docker", "save", "--output", str(folder / "saved.tar"), name], check=True, timeout=120)
    finally:
        engine.remove_image(name, force=True)
    run = {"role": "service", "host": "beta", "command": ["/bin/busybox", "sleep", "86400"]}
    cluster.spec["nodes"]["built"] = {**run, "image": {"source": "build", "name": "built:1", "context": "context"}}
    cluster.spec["nodes"]["loaded"] = {**run, "image": {"source": "load", "name": name, "archive": "saved.tar"}}
    cluster.write()
    try:
        cluster.ok("deploy")
        assert containers(cluster, "beta") >= {"gravity_built", "gravity_loaded"}
        assert "sending" not in cluster.unchanged("deploy")
        (context / "word").write_text("two", encoding="utf-8")
        assert "sending" in cluster.ok("deploy")
        assert on(cluster, "beta", "docker", "exec", "gravity_built", "/bin/busybox", "cat", "/bin/word") == "two"
        (context / "Dockerfile").unlink()
        assert f"image built:1: {context / 'Dockerfile'} does not exist" in cluster.refused("deploy")
    finally:
        del cluster.spec["nodes"]["built"], cluster.spec["nodes"]["loaded"]
        cluster.write()


def test_a_user_whom_sudo_does_not_trust_is_told(cluster: Cluster) -> None:
    file = f"/etc/sudoers.d/{docker_hosts.USER}"
    # sudo ignores files with a dot in their names.
    on(cluster, "beta", "mv", file, f"{file}.away")
    try:
        message = cluster.refused("deploy")
    finally:
        on(cluster, "beta", "mv", f"{file}.away", file)
    assert "1 problem, nothing was changed: beta: sudo does not let the user become root (" in message
    assert "add --ask-become-pass" in message


@pytest.fixture
def beta_is_away(engine: docker.APIClient, cluster: Cluster) -> t.Iterator[None]:
    """The Docker host beta is switched off for the test, and is up again afterwards, without its Engine."""
    name = f"{cluster.name}-beta"
    engine.stop(name, timeout=1)
    yield
    engine.start(name)


@pytest.mark.usefixtures("beta_is_away")
def test_a_host_that_is_away_is_told_and_the_others_are_shown(cluster: Cluster) -> None:
    before = ids(cluster, "alpha")
    target = cluster.path.parent / "status.json"
    cluster.refused("status", "-e", f"status_output={target}")
    states = {node["node"]: node["state"] for node in json.loads(target.read_text(encoding="utf-8"))["nodes"]}
    assert states == {"web_0": "running", "web_1": "unknown", "web_2": "running", "web_3": "unknown"}
    # A new setting, and a host port that the SSH server has: nothing is changed, and both problems are told at once.
    cluster.spec["defaults"] = {"env": {"NEW": "1"}}
    cluster.spec["nodes"]["web_4"] = {
        "role": "validator",
        "host": "alpha",
        "ports": {"x": {"container": 80, "host": 22, "address": "0.0.0.0"}},
    }
    cluster.write()
    message = cluster.refused("deploy")
    assert "2 problems, nothing was changed: alpha: web_4 needs the host port 0.0.0.0:22, which another program holds" in message
    assert "-- beta: not reachable (" in message
    del cluster.spec["nodes"]["web_4"]
    cluster.write()
    # Two of four nodes are away: the others are not taken down, whatever they may be.
    message = cluster.refused("restart", "--limit", "web_0")
    assert "restarting web_0 leaves 1 of 4 voting power (web_1, web_3 not ready)" in message, message
    assert ids(cluster, "alpha") == before


def test_a_host_that_comes_back_is_deployed_again(cluster: Cluster) -> None:
    facts = cluster.facts("deploy")
    assert containers(cluster, "beta") == {"gravity_web_1", "gravity_web_3"}
    assert {fact["state"] for fact in facts.values()} == {"running"}


def test_teardown_leaves_nothing_on_any_host(cluster: Cluster) -> None:
    cluster.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={cluster.name}")
    for host in ("alpha", "beta"):
        assert on(cluster, host, "docker", "ps", "-aq").split() == []
        assert on(cluster, host, "docker", "volume", "ls", "-q").split() == []
        assert on(cluster, host, "docker", "network", "ls", "-q", "--filter", "label=gravity.cluster.name").split() == []


@pytest.mark.usefixtures("cluster")
def test_the_role_alone_changes_nothing_where_an_engine_answers(cluster: Cluster) -> None:
    command = [str(BIN / "ansible"), "docker_hosts", "-i", str(cluster.path), "-m", "ansible.builtin.include_role"]
    done = subprocess.run(
        [*command, "-a", "name=gravity.cluster.docker_host"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CHANGED" not in done.stdout
