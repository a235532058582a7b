# SPDX-License-Identifier: GPL-3.0-or-later
"""End to end: the shipped playbooks, as a user calls them, on a real engine and a real chain."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import typing as t
import uuid
from pathlib import Path

import docker
import pytest
import requests
import yaml

ROOT = Path(__file__).parents[2]
# Several processes run these tests at the same time, each with ports and subnets of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 3
BIN = ROOT / ".venv" / "bin"
# A tiny image with all that a shell needs.
DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
"""
# Host ports of the clusters that this process has made.
_given: t.Set[int] = set()


class Cluster:
    """One cluster spec in a folder of its own, and the playbooks that act on it."""

    def __init__(self, folder: Path, spec: t.Dict[str, t.Any]) -> None:
        self.path = folder / "cluster.yml"
        self.spec = spec
        self.write()

    @property
    def name(self) -> str:
        """The cluster's name."""
        return str(self.spec["cluster_name"])

    def write(self) -> None:
        """Save the spec after a change."""
        self.path.write_text(yaml.safe_dump(self.spec, sort_keys=False), encoding="utf-8")

    def command(self, verb: str, *options: str) -> t.List[str]:
        """The command line of a playbook, or of several with a space between them."""
        return [
            str(BIN / "ansible-playbook"),
            *(str(ROOT / "playbooks" / f"{one}.yml") for one in verb.split()),
            "-i",
            str(self.path),
            *options,
        ]

    def play(self, verb: str, *options: str, env: t.Optional[t.Dict[str, str]] = None) -> subprocess.CompletedProcess[str]:
        """Run a playbook to its end; pytest shows all that it said when the test fails."""
        command = self.command(verb, *options)
        done = subprocess.run(command, cwd=ROOT, env=environment(env), capture_output=True, text=True, timeout=400, check=False)
        print(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}exit code {done.returncode}")
        return done

    def ok(self, verb: str, *options: str, env: t.Optional[t.Dict[str, str]] = None) -> str:
        """Run a playbook that must succeed; its output."""
        done = self.play(verb, *options, env=env)
        assert done.returncode == 0
        return done.stdout

    def unchanged(self, verb: str, *options: str, env: t.Optional[t.Dict[str, str]] = None) -> str:
        """Run a playbook that must succeed and change nothing on any host; its output."""
        output = self.ok(verb, *options, env=env)
        recap = [line for line in output.splitlines() if "unreachable=" in line]
        assert recap, output
        assert all("changed=0 " in line for line in recap), output
        return output

    def refused(self, verb: str, *options: str, env: t.Optional[t.Dict[str, str]] = None) -> str:
        """Run a playbook that must fail; its output, on one line so that wrapped messages can be found."""
        done = self.play(verb, *options, env=env)
        assert done.returncode != 0
        return " ".join((done.stdout + done.stderr).split())

    def start(self, verb: str, *options: str) -> subprocess.Popen[str]:
        """Start a playbook in a session of its own, for tests that kill it."""
        return subprocess.Popen(
            self.command(verb, *options),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def facts(self, *after: str) -> t.Dict[str, t.Any]:
        """What the status playbook writes for programs, per node; ``after`` is a verb and its options, in the same run."""
        target = self.path.parent / "status.json"
        verb, *options = after or ("",)
        # A deploy shows and writes the same at its end.
        self.ok(verb if verb == "deploy" else f"{verb} status", "-e", f"status_output={target}", *options)
        return {record["node"]: record for record in json.loads(target.read_text(encoding="utf-8"))["nodes"]}

    def rpc(self, node: int, method: str, *params: t.Any) -> t.Any:
        """Ask a node of the chain over its published port."""
        return ask(self.port(node), method, *params)

    def port(self, node: int) -> int:
        """The host port of a validator's JSON-RPC."""
        return 8545 + int(self.spec["roles"]["validator"]["port_offset"]) + node

    def height(self, node: int) -> int:
        """A node's block height."""
        return int(self.rpc(node, "eth_blockNumber"), 16)


def ask(port: int, method: str, *params: t.Any) -> t.Any:
    """One JSON-RPC call."""
    session = requests.Session()
    session.trust_env = False
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return session.post(f"http://127.0.0.1:{port}", json=body, timeout=5).json()["result"]


def environment(more: t.Optional[t.Dict[str, str]] = None) -> t.Dict[str, str]:
    """The environment of a user in this repository."""
    return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "400", "ANSIBLE_FORCE_COLOR": "0", **(more or {})}


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL a playbook with everything that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def free_offset(count: int = 16) -> int:
    """A port offset at which the ports of a small cluster are free: servers, validators, and full nodes a hundred above them.

    No two clusters of the tests share a port, for a stopped one must find its own free again; and none is one of the
    ephemeral ports (32768 and up), which any program's connection may hold for a while.
    """
    bases = [base + role for base in (8080, 8545, 9001, 10000) for role in (0, 100)]
    first = 10900 + 7200 * WORKER
    for offset in range(first - min(bases), first + 7200 - max(bases) - count):
        wanted = {base + index + offset for base in bases for index in range(count)}
        if not wanted & _given and all(_is_free(port) for port in wanted):
            _given.update(wanted)
            return offset
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_subnet(engine: docker.APIClient) -> str:
    """A /24 that no Docker network uses."""
    used = {config.get("Subnet") for network in engine.networks() for config in network["IPAM"]["Config"] or []}
    return next(subnet for subnet in (f"10.206.{third}.0/24" for third in range(32 * WORKER, 256)) if subnet not in used)


@pytest.fixture(scope="session")
def engine() -> t.Iterator[docker.APIClient]:
    """The engine of this machine."""
    client = docker.APIClient(version="auto")
    yield client
    client.close()


def remove_all(engine: docker.APIClient, name: str) -> None:
    """Remove every object of a cluster, whatever state a test left it in."""
    label = {"label": f"gravity.cluster.name={name}"}
    for container in engine.containers(all=True, filters=label):
        engine.remove_container(container["Id"], force=True, v=True)
    for network in engine.networks(filters=label):
        remove_network(engine, network["Id"])
    for volume in engine.volumes(filters=label)["Volumes"] or []:
        engine.remove_volume(volume["Name"], force=True)


def remove_network(engine: docker.APIClient, network: str) -> None:
    """Remove a network; one that an old Engine miscounts (moby issue 42119) has to stay until the Engine is restarted."""
    try:
        engine.remove_network(network)
    except docker.errors.APIError as exc:
        if "active endpoints" not in str(exc) or engine.inspect_network(network)["Containers"]:
            raise


def busybox_context(busybox: Path, folder: Path) -> Path:
    """A folder from which a tiny image is built."""
    context = folder / "image"
    context.mkdir()
    shutil.copy(busybox, context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return context


def web_cluster(engine: docker.APIClient, folder: Path, image: t.Dict[str, t.Any], nodes: str, fields: t.Dict[str, t.Any]) -> Cluster:
    """Web servers that are not deployed. The image has the cluster's name, which ``folder`` has too; ``fields`` are those of the nodes."""
    name = folder.name
    service = {
        "role": "service",
        "ports": {"http": {"container": 8080, "base": 8080}},
        "volumes": [{"name": "www", "target": "/www"}],
        "ready": {"probes": {"http": {"type": "http", "port": "http"}}},
    }
    return Cluster(
        folder,
        {
            "plugin": "gravity.cluster.spec",
            "cluster_name": name,
            "container_prefix": f"{name}-",
            "flavor": "generic",
            "network": {"name": name, "subnet": free_subnet(engine)},
            "image": {"name": f"{name}:1", **image},
            "roles": {"service": {"port_offset": free_offset()}},
            "nodes": {nodes: {**service, **fields}},
        },
    )


@contextlib.contextmanager
def web_servers(engine: docker.APIClient, busybox: Path, tmp_path_factory: pytest.TempPathFactory, **fields: t.Any) -> t.Iterator[Cluster]:
    """Two web servers that are not deployed, with an image that is there. They need no birth and cost next to nothing."""
    folder = tmp_path_factory.mktemp(f"e2e-{uuid.uuid4().hex[:8]}")
    serve = {"command": ["sh", "-c", "echo serving | tee /www/index.html; exec httpd -f -p 8080 -h /www"]}
    made = web_cluster(engine, folder, {"source": "present"}, "web_[0:1]", {**serve, **fields})
    try:
        for said in engine.build(path=str(busybox_context(busybox, folder)), tag=f"{made.name}:1", rm=True, decode=True):
            assert "error" not in said, said
        yield made
    finally:
        remove_all(engine, made.name)
        # By its name: other tests may have built the same one under other names.
        with contextlib.suppress(docker.errors.ImageNotFound):
            engine.remove_image(f"{made.name}:1")


@pytest.fixture(scope="module")
def cluster(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Four validators that are not deployed yet; removed afterwards whatever happened."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    offset = free_offset()
    made = Cluster(
        tmp_path_factory.mktemp(name),
        {
            "plugin": "gravity.cluster.spec",
            "cluster_name": name,
            "container_prefix": f"{name}-",
            "network": {"name": name, "subnet": free_subnet(engine), "chain_id": 1337},
            # Blocks cost more of the machine than all playbooks: as few as the tests can bear.
            "config": {"timeout_commit": "1s"},
            "roles": {"validator": {"port_offset": offset}, "fullnode": {"port_offset": offset + 100}},
            "nodes": {"node_[0:3]": {"role": "validator"}},
        },
    )
    try:
        yield made
    finally:
        remove_all(engine, name)
