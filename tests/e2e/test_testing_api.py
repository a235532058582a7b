# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python test API, as a suite uses it: it needs no ansible.cfg, no activated environment, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
import uuid
from pathlib import Path

import docker
import gravity_cluster
import pytest
import yaml
from gravity_cluster import ClusterError, NodeUnknown, RpcError, SpecError

from .conftest import Cluster, web_servers
from .moments import MOMENTS, until
from .test_life import objects

ROOT = Path(__file__).parents[2]
NODES = [f"node_{number}" for number in range(4)]
NOTHING: t.Dict[str, t.List[str]] = {"containers": [], "networks": [], "volumes": []}
READY = 300
T = t.TypeVar("T")

SCRIPT = """
import asyncio, logging, sys
from gravity_cluster import Cluster

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

async def main():
    async with Cluster(sys.argv[1], ready_timeout=300):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""

SUITE = """
import asyncio

def test_passes(gravity_cluster):
    assert asyncio.run(gravity_cluster.health())["web_0"].state == "running"

def test_fails(gravity_cluster):
    assert asyncio.run(gravity_cluster.health())["web_1"].state == "stopped"
"""
# A condition that web servers do not come to.
NEVER = {
    "probes": {"http": {"type": "http", "port": "http", "path": "/none"}},
    "conditions": [{"is": "http_status", "probe": "http", "value": 200}],
}


class Bare:
    """Programs in a folder of their own, without any setting of this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.mark = uuid.uuid4().hex

    @property
    def environment(self) -> t.Dict[str, str]:
        ours = ("ANSIBLE_", "PYTEST_", "VIRTUAL_ENV")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return {**kept, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(self.temporary), "TESTING_API": self.mark}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=500, check=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python."""
        return subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> t.Dict[int, str]:
        """What still runs of all that was started here."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if command and f"TESTING_API={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = command
            except OSError:
                continue
        return found

    def check_empty(self) -> None:
        """That no process and no temporary file is left."""
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.processes() == {}
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def bare(tmp_path: Path) -> t.Iterator[Bare]:
    """A folder for programs; whatever still runs at the end is killed."""
    made = Bare(tmp_path)
    yield made
    for process in made.processes():
        os.kill(process, signal.SIGKILL)


def api(cluster: Cluster, **options: t.Any) -> gravity_cluster.Cluster:
    return gravity_cluster.Cluster(cluster.path, ready_timeout=READY, **options)


def until_said(process: subprocess.Popen[str], text: str) -> t.List[str]:
    """Read what a program prints until a line begins with ``text``."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(text):
            return lines
    raise AssertionError("".join(lines))


# Without an Engine.


def test_a_refused_spec_and_an_unknown_node_run_nothing(cluster: Cluster, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(cluster.path.read_text(encoding="utf-8") + "nodez: {}\ncolor: blue\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        asyncio.run(gravity_cluster.Cluster(bad).launch())
    assert caught.value.problems[0] == f"{bad}: nodez: unknown key; did you mean 'nodes'?"
    assert caught.value.problems[1].startswith(f"{bad}: color: unknown key")
    c = api(cluster)
    with pytest.raises(NodeUnknown, match="there is no node 'node_7'; the cluster has node_0, node_1, node_2, node_3"):
        asyncio.run(c.stop_node("node_7"))
    with pytest.raises(KeyError):
        c.client("node_7")
    assert list(c.nodes) == NODES
    assert [node.rpc_url for node in c.nodes.values()] == [f"http://127.0.0.1:{cluster.port(number)}" for number in range(4)]


# Interrupted.


@pytest.fixture(scope="module")
def web(engine: docker.APIClient, busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """What does not ask for a chain is tested with these."""
    with web_servers(engine, busybox, tmp_path_factory) as made:
        yield made


@pytest.fixture
def never_ready(web: Cluster, tmp_path: Path) -> Path:
    """The spec of web servers that do not get ready."""
    nodes = {name: {**fields, "ready": NEVER} for name, fields in web.spec["nodes"].items()}
    path = tmp_path / "cluster.yml"
    path.write_text(yaml.safe_dump({**web.spec, "nodes": nodes}), encoding="utf-8")
    return path


def interrupt(engine: docker.APIClient, process: subprocess.Popen[str], cluster: Cluster, bare: Bare) -> None:
    """Ctrl-C while the launch goes on: nothing is left."""
    process.send_signal(signal.SIGINT)
    said, _none = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT, said
    assert "teardown ended after" in said
    assert "ready" not in said.splitlines()
    assert objects(engine, cluster) == NOTHING
    bare.check_empty()


def test_ctrl_c_during_the_birth_leaves_nothing(engine: docker.APIClient, cluster: Cluster, bare: Bare) -> None:
    process = bare.start("-c", SCRIPT, str(cluster.path))
    until(engine, cluster, process, MOMENTS["the birth container is there"])
    interrupt(engine, process, cluster, bare)


def test_ctrl_c_before_the_nodes_are_ready_leaves_nothing(engine: docker.APIClient, web: Cluster, never_ready: Path, bare: Bare) -> None:
    process = bare.start("-c", SCRIPT, str(never_ready))
    until(engine, web, process, MOMENTS["two nodes run"])
    interrupt(engine, process, web, bare)


def test_ctrl_c_twice_while_it_runs_leaves_nothing(engine: docker.APIClient, web: Cluster, bare: Bare) -> None:
    process = bare.start("-c", SCRIPT, str(web.path))
    until_said(process, "ready")
    assert len(objects(engine, web)["containers"]) == 2
    process.send_signal(signal.SIGINT)
    until_said(process, "teardown begins")
    process.send_signal(signal.SIGINT)
    said, _none = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT, said
    assert "teardown ended after" in said
    assert objects(engine, web) == NOTHING
    bare.check_empty()


# What the documentation shows.


def test_the_example_of_the_readme(engine: docker.APIClient, cluster: Cluster, bare: Bare) -> None:
    page = (ROOT / "testing" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```([a-z]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    example, shown = (next(text for kind, text in blocks if kind == wanted) for wanted in ("python", ""))
    (bare.folder / "example.py").write_text(example, encoding="utf-8")
    shutil.copy(cluster.path, bare.folder / "cluster.yml")
    done = bare.run("example.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown
    assert objects(engine, cluster) == NOTHING
    bare.check_empty()


# The pytest plugin.


def test_the_plugin_keeps_the_logs_of_what_fails(engine: docker.APIClient, web: Cluster, bare: Bare) -> None:
    (bare.folder / "pytest.ini").write_text(f"[pytest]\ngravity_cluster_spec = {web.path}\n", encoding="utf-8")
    (bare.folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    done = bare.run("-m", "pytest", "-p", "no:cacheprovider", "--gravity-cluster-keep")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "test_suite.py::test_fails: gravity-cluster-logs/test_fails" in done.stdout
    kept = bare.folder / "gravity-cluster-logs"
    assert [path.name for path in kept.iterdir()] == ["test_fails"]
    assert sorted(path.name for path in (kept / "test_fails").iterdir()) == ["health.json", "web_0.log", "web_1.log"]
    assert "serving" in (kept / "test_fails" / "web_1.log").read_text(encoding="utf-8")
    health = json.loads((kept / "test_fails" / "health.json").read_text(encoding="utf-8"))
    assert {fact["state"] for fact in health.values()} == {"running"}
    assert len(objects(engine, web)["containers"]) == 2
    bare.check_empty()


def test_an_exception_in_the_block_takes_everything_away(engine: docker.APIClient, web: Cluster) -> None:
    async def scenario() -> None:
        # What the test before has kept is found again.
        async with api(web) as c:
            assert len(objects(engine, web)["containers"]) == 2
            raise ZeroDivisionError(c.name)

    with pytest.raises(ZeroDivisionError, match=web.name):
        asyncio.run(scenario())
    assert objects(engine, web) == NOTHING


def test_a_launch_that_fails_takes_everything_away(engine: docker.APIClient, web: Cluster, never_ready: Path) -> None:
    asyncio.run(api(web, keep=True).launch())
    assert len(objects(engine, web)["containers"]) == 2
    with pytest.raises(ClusterError) as caught:
        asyncio.run(gravity_cluster.Cluster(never_ready, ready_timeout=2).launch())
    assert caught.value.playbook == "deploy"
    assert "2 of 2 nodes not ready" in str(caught.value)
    assert objects(engine, web) == NOTHING
    # There is nothing to do, and that is no failure.
    asyncio.run(api(web).shutdown())


# The life of a cluster, in its order. Every call has an event loop of its own.


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> gravity_cluster.Cluster:
    """The launched cluster; the fixture of the spec removes what is left of it."""
    made = api(cluster, keep=True)
    asyncio.run(made.launch())
    return made


def until_height(c: gravity_cluster.Cluster, node: str, wanted: int) -> None:
    deadline = time.monotonic() + 120
    while height(c, node) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def height(c: gravity_cluster.Cluster, node: str) -> int:
    return asyncio.run(c.client(node).block_number())


def test_health_after_a_launch(running: gravity_cluster.Cluster) -> None:
    health = asyncio.run(running.health())
    assert list(health) == NODES
    for name, node in health.items():
        assert (node.name, node.role, node.state, node.chain_id, node.peers, node.error) == (name, "validator", "running", 1337, 3, None)
        assert node.height is not None
        assert node.height >= 2
        assert re.fullmatch("0x[0-9a-f]{64}", node.block_hash or "")


def test_logs(running: gravity_cluster.Cluster) -> None:
    assert len(asyncio.run(running.logs("node_1", tail=7))) == 7
    recent = asyncio.run(running.logs("node_1", tail=-1, since="10s"))
    assert 0 < len(recent) < len(asyncio.run(running.logs("node_1", tail=-1)))
    logs = asyncio.run(running.all_logs(tail=2))
    assert {node: len(lines) for node, lines in logs.items()} == dict.fromkeys(NODES, 2)


def test_commands_in_a_node(running: gravity_cluster.Cluster) -> None:
    fine = asyncio.run(running.exec("node_1", "ls /data"))
    assert (fine.rc, fine.stderr) == (0, "")
    assert "config" in fine.stdout.split()
    # Text that a shell or Ansible could take for something else arrives as it is.
    failing = asyncio.run(running.exec("node_1", ["sh", "-c", "echo '{{ 1 + 1 }}' \"$0\" é; echo no >&2; exit 3", "{% raw"]))
    assert failing == gravity_cluster.ExecResult(3, "{{ 1 + 1 }} {% raw é\n", "no\n")
    assert asyncio.run(running.exec("node_1", ["no-such-program"])).rc != 0
    with pytest.raises(ClusterError, match="exec: "):
        asyncio.run(running.exec("node_1", "'unfinished"))


def test_the_client(running: gravity_cluster.Cluster) -> None:
    async def ask() -> None:
        client = running.client("node_2")
        assert await client.chain_id() == 1337
        block = await client.call("eth_getBlockByNumber", ["0x2", False])
        assert block["number"] == "0x2"
        with pytest.raises(RpcError, match=r"eth_nope: .* \(code -32601\)") as caught:
            await client.call("eth_nope")
        assert caught.value.code == -32601

    asyncio.run(ask())


def test_calls_take_turns(running: gravity_cluster.Cluster) -> None:
    async def scenario() -> None:
        first, second = asyncio.create_task(running.health()), asyncio.create_task(running.logs("node_0", tail=1))
        waiting = asyncio.create_task(running.exec("node_0", "id"))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert list(await first) == NODES
        assert len(await second) == 1

    asyncio.run(scenario())


def test_a_cancelled_call_ends_its_playbook(
    engine: docker.APIClient, running: gravity_cluster.Cluster, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTING_API", bare.mark)

    def sleeps() -> bool:
        return any("sleep 50" in " ".join(process) for process in engine.top(running.nodes["node_0"].container)["Processes"])

    async def scenario() -> None:
        task = asyncio.create_task(running.exec("node_0", "sleep 50"))
        while not sleeps():
            assert not task.done()
            await asyncio.sleep(0.2)
        assert bare.processes()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bare.processes() == {}
        assert (await running.exec("node_0", "id")).rc == 0

    asyncio.run(scenario())


def test_one_of_four_stops_and_the_chain_goes_on(running: gravity_cluster.Cluster) -> None:
    asyncio.run(running.stop_node("node_3"))
    assert asyncio.run(running.health())["node_3"].state == "stopped"
    until_height(running, "node_0", height(running, "node_0") + 2)
    with pytest.raises(ClusterError, match="node_3 does not run"):
        asyncio.run(running.exec("node_3", "id"))
    assert len(asyncio.run(running.logs("node_3", tail=3))) == 3


def test_a_second_one_needs_force(running: gravity_cluster.Cluster) -> None:
    with pytest.raises(ClusterError) as caught:
        asyncio.run(running.stop_node("node_2"))
    error = caught.value
    assert str(error).startswith("stop: stopping node_2 leaves 2 of 4 voting power (node_3 not ready)")
    assert (error.playbook, list(error.failures)) == ("stop", ["node_2"])
    assert "PLAY [" in error.stdout
    asyncio.run(running.stop_node("node_2", force=True))
    assert asyncio.run(running.health())["node_2"].state == "stopped"
    with pytest.raises(ClusterError, match="wait: "):
        asyncio.run(running.wait_ready(1))


def test_what_was_stopped_starts_and_catches_up_from_nothing_too(running: gravity_cluster.Cluster) -> None:
    with pytest.raises(ClusterError, match="clear_storage: "):
        asyncio.run(running.clear_storage("node_1"))
    asyncio.run(running.start_node("node_2"))
    asyncio.run(running.clear_storage("node_3"))
    moment = height(running, "node_0")
    asyncio.run(running.start_node("node_3"))
    asyncio.run(running.wait_ready())
    for node in ("node_2", "node_3"):
        until_height(running, node, moment + 1)


def test_a_restart_catches_up(engine: docker.APIClient, running: gravity_cluster.Cluster) -> None:
    name, moment = running.nodes["node_1"].container, height(running, "node_1")
    before = engine.inspect_container(name)["State"]
    asyncio.run(running.restart_node("node_1"))
    after = engine.inspect_container(name)["State"]
    assert after["Running"]
    assert after["StartedAt"] > before["StartedAt"]
    assert height(running, "node_1") > moment


def test_a_failed_upgrade_leaves_the_node_as_it_was(engine: docker.APIClient, running: gravity_cluster.Cluster) -> None:
    before = engine.inspect_container(running.nodes["node_0"].container)
    with pytest.raises(ClusterError, match=r"upgrade: .*nowhere\.invalid/nothing:1"):
        asyncio.run(running.upgrade_node("node_0", "nowhere.invalid/nothing:1"))
    after = engine.inspect_container(running.nodes["node_0"].container)
    assert after["State"]["Running"]
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
