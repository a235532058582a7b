# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as somebody uses it who has installed the tarball: playbooks by name, a spec of one's own, no settings.

``tests/run tarball`` builds and installs it first, and says where by GRAVITY_CLUSTER_INSTALLED.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import yaml

from ..conftest import free_offset, free_subnet, remove_all

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = Path(os.environ.get("GRAVITY_CLUSTER_INSTALLED", ROOT / ".cache" / "tarball" / "collections"))


class Project:
    """A folder with a cluster spec, away from this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"installed-{uuid.uuid4().hex[:8]}"
        self.spec = folder / "my" / "cluster.yml"
        self.spec.parent.mkdir()

    def write(self, text: str) -> None:
        self.spec.write_text(text, encoding="utf-8")

    def play(self, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the installed collection."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(INSTALLED)
        return subprocess.run(
            [str(ROOT / ".venv" / "bin" / "ansible-playbook"), f"gravity.cluster.{verb}", "-i", "my/cluster.yml", *options],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.APIClient]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


@pytest.fixture
def project(engine: docker.APIClient, tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    remove_all(engine, made.name)


def test_the_tests_use_what_was_installed() -> None:
    manifest = json.loads((INSTALLED / "ansible_collections/gravity/cluster/MANIFEST.json").read_text())
    assert manifest["collection_info"]["namespace"] == "gravity"
    assert not (INSTALLED / "ansible_collections/gravity/cluster").is_symlink()


def test_deploy_status_and_teardown_by_name(project: Project, engine: docker.APIClient) -> None:
    offset = free_offset()
    project.write(
        yaml.safe_dump(
            {
                "plugin": "gravity.cluster.spec",
                "cluster_name": project.name,
                "container_prefix": f"{project.name}-",
                "network": {"name": project.name, "subnet": free_subnet(engine), "chain_id": 1337},
                "roles": {"validator": {"port_offset": offset}},
                "nodes": {"node_0": {"role": "validator"}},
            }
        )
    )
    label = {"label": f"gravity.cluster.name={project.name}"}
    deployed = project.play("deploy")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert f"http://127.0.0.1:{8545 + offset}" in deployed.stdout
    assert "[WARNING]" not in deployed.stderr
    assert [container["State"] for container in engine.containers(filters=label)] == ["running"]
    status = project.play("status", "-e", "status_output=status.json")
    assert status.returncode == 0, status.stdout + status.stderr
    assert f"{project.name}-node_0" in status.stdout or "node_0" in status.stdout
    removed = project.play("teardown", "-e", "teardown_purge=true", "-e", f"confirm={project.name}")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert engine.containers(all=True, filters=label) == []
    assert not engine.volumes(filters=label)["Volumes"]


@pytest.mark.parametrize("text", ["plugin: gravity.cluster.spec\nnodes: {}\n", "plugin: gravity.cluster.spec\nnodez: {}\n"])
def test_a_spec_with_a_mistake_stops_the_run_without_any_settings(project: Project, text: str) -> None:
    """Ansible alone would only warn, and end with exit code 0."""
    project.write(text)
    done = project.play("deploy")
    assert done.returncode != 0, done.stdout + done.stderr
    assert "nodes" in " ".join((done.stdout + done.stderr).split())
