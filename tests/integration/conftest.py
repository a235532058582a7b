# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests that use a real Docker Engine: an image without any registry, clusters that clean up, real module runs."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from integration.running import Chain, Nodes, install_anvil, start_chain

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, options_from

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".venv" / "collections"
POOL = ipaddress.ip_network("10.201.0.0/16")
# Several processes run these tests at the same time, each with ports and subnets of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
PORTS = range(21000 + 250 * WORKER, 21250 + 250 * WORKER)
APPLETS = (
    "cat",
    "chmod",
    "env",
    "false",
    "hostname",
    "httpd",
    "id",
    "ip",
    "kill",
    "ls",
    "mkdir",
    "nc",
    "ping",
    "rm",
    "sh",
    "sleep",
    "stat",
    "test",
    "touch",
    "true",
    "wget",
)

RunModule = Callable[..., dict[str, Any]]


@dataclass
class Cluster:
    """A cluster of one test. Whatever carries its label, or a name that starts with its name, is removed afterwards."""

    name: str
    subnet: str
    network: dict[str, Any] = field(default_factory=dict)

    def address(self, number: int) -> str:
        """The address ``number`` of its subnet."""
        return str(ipaddress.ip_network(self.subnet)[number])


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Engine of this machine. There is no test without one."""
    return Engine(options_from({}))


@pytest.fixture(scope="session")
def tiny_image(engine: Engine, busybox: Path) -> Iterator[str]:
    """Name of an image with a shell and little else."""
    name = f"t-tiny-{uuid.uuid4().hex[:8]}:1"
    make_image(engine, busybox, name)
    yield name
    with contextlib.suppress(docker.errors.NotFound):
        engine.api.remove_image(name, force=True)


@pytest.fixture(scope="session")
def another_image(engine: Engine, busybox: Path) -> Iterator[Callable[[str], None]]:
    """Make ``name`` an image of its own, other than any before it."""
    made = []

    def make(name: str) -> None:
        made.append(name)
        make_image(engine, busybox, name, stamp=uuid.uuid4().hex)

    yield make
    for name in set(made):
        with contextlib.suppress(docker.errors.NotFound):
            engine.api.remove_image(name, force=True)


def make_image(engine: Engine, busybox: Path, name: str, stamp: str = "") -> None:
    """Import an image that holds busybox, some folders, and the file ``/stamp``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("srv", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        content = busybox.read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(content), 0o755
        archive.addfile(entry, io.BytesIO(content))
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
        passwd, group = "app:x:10001:10002::/:/bin/sh\n", "crew:x:10003:app\n"
        for path, text in (("stamp", stamp), ("srv/seed", "from the image\n"), ("etc/passwd", passwd), ("etc/group", group)):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    repository, _colon, tag = name.rpartition(":")
    engine.api.import_image_from_data(buffer.getvalue(), repository=repository, tag=tag)


@pytest.fixture
def new_cluster(engine: Engine) -> Iterator[Callable[[], Cluster]]:
    """Make a cluster with a name and a subnet of its own; all are removed afterwards, whatever the test did."""
    made: list[Cluster] = []

    def make() -> Cluster:
        name = f"t-containers-{uuid.uuid4().hex[:8]}"
        subnet = free_subnet(engine, {one.subnet for one in made})
        made.append(Cluster(name, subnet, {"name": name, "subnet": subnet}))
        return made[-1]

    yield make
    for one in made:
        wipe(engine, one.name)


@pytest.fixture
def cluster(new_cluster: Callable[[], Cluster]) -> Cluster:
    """One such cluster."""
    return new_cluster()


def free_subnet(engine: Engine, taken: set[str]) -> str:
    """A /24 that no Docker network overlaps."""
    pools = [entry.get("Subnet") for one in engine.api.networks() for entry in (one.get("IPAM") or {}).get("Config") or []]
    used = [ipaddress.ip_network(pool) for pool in [*taken, *pools] if pool and ":" not in pool]
    start = uuid.uuid4().int
    candidates = list(POOL.subnets(new_prefix=24))[WORKER::4]
    for offset in range(len(candidates)):
        candidate = candidates[(start + offset) % len(candidates)]
        if not any(candidate.overlaps(one) for one in used):
            return str(candidate)
    pytest.fail(f"no subnet of {POOL} is free: remove Docker networks")


def wipe(engine: Engine, name: str) -> None:
    """Remove everything that carries the cluster's label or a name that starts with its name."""
    api = engine.api

    def ours(item: dict[str, Any], own: str) -> bool:
        return labels.is_own(item.get("Labels"), name) or own.startswith(name)

    for item in api.containers(all=True):
        if any(ours(item, one.lstrip("/")) for one in item["Names"] or [""]):
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_container(item["Id"], force=True, v=True)
    for item in api.networks():
        if ours(item, item["Name"]):
            drop_network(engine, item["Id"])
    for item in api.volumes().get("Volumes") or []:
        if ours(item, item["Name"]):
            api.remove_volume(item["Name"], force=True)


def drop_network(engine: Engine, network: str) -> None:
    """Remove a network and whatever is in it."""
    for endpoint in engine.api.inspect_network(network).get("Containers") or {}:
        engine.api.disconnect_container_from_network(endpoint, network, force=True)
    try:
        engine.api.remove_network(network)
    except docker.errors.APIError as exc:
        # An old Engine under load can miscount what is in a network, and then keeps it until it is restarted.
        if "active endpoints" not in str(exc):
            raise


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Give a host port that nothing uses now, a new one at each call."""
    given: set[int] = set()

    def take() -> int:
        start = uuid.uuid4().int % len(PORTS)
        for offset in range(len(PORTS)):
            port = PORTS[(start + offset) % len(PORTS)]
            with socket.socket() as trial:
                if port not in given and trial.connect_ex(("127.0.0.1", port)) != 0:
                    given.add(port)
                    return port
        pytest.fail(f"no port of {PORTS} is free")

    return take


@pytest.fixture(scope="session")
def start_module() -> Callable[..., subprocess.Popen[str]]:
    """Start a module as a process of its own, as Ansible does on a host, without waiting for it."""

    def start(name: str, args: dict[str, Any], check: bool = False, diff: bool = False) -> subprocess.Popen[str]:
        given = {"ANSIBLE_MODULE_ARGS": {**args, "_ansible_check_mode": check, "_ansible_diff": diff}}
        process = subprocess.Popen(
            [sys.executable, "-m", f"ansible_collections.gravity.cluster.plugins.modules.{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(given))
        process.stdin.close()
        process.stdin = None
        return process

    return start


@pytest.fixture(scope="session")
def run_module(start_module: Callable[..., subprocess.Popen[str]]) -> RunModule:
    """Run a module and return its result; ``failed`` is true in the result of one that failed."""

    def run(name: str, args: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        process = start_module(name, args, check, diff)
        stdout, stderr = process.communicate(timeout=300)
        try:
            result: dict[str, Any] = json.loads(stdout)
        except ValueError:
            pytest.fail(f"module {name} said no JSON (exit code {process.returncode}): {stdout}{stderr}")
        assert result.get("failed", False) == (process.returncode != 0), stderr
        return result

    return run


@pytest.fixture
def nodes(engine: Engine, cluster: Any, tiny_image: str) -> Nodes:
    """Containers of this test, made without the module ``containers``."""
    return Nodes(engine, cluster.name, tiny_image)


@pytest.fixture
def chain(free_port: Callable[[], int]) -> Iterator[Callable[..., Chain]]:
    """Start chains with options of anvil; all are stopped afterwards."""
    program = install_anvil()
    started: list[Chain] = []

    def start(*options: str) -> Chain:
        started.append(start_chain(program, free_port(), *options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
