# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster asks of its playbooks, and in which order; no playbook runs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from gravity_cluster import Cluster, ClusterError, ExecResult, NodeUnknown, SpecError
from gravity_cluster.inventory import Inventory, Node
from gravity_cluster.threads import Stopped
from gravity_cluster.transcript import Transcript

NODES = {
    name: Node(name, "validator", "generic", "local", f"c-{name}", "10.0.0.1", url, problem)
    for name, url, problem in (("a", "http://a", None), ("b", None, "has no JSON-RPC: its port rpc is not published"))
}
Way = Callable[["Runs", Mapping[str, Any]], None]


class Runs:
    """In the place of Playbooks: notes what is to be run. ``ways`` says by verb what happens."""

    def __init__(self, **ways: Way) -> None:
        self.ways = ways
        self.notes: list[tuple[str, str | None, dict[str, Any]]] = []
        self.said = Transcript()
        self.stop = threading.Event()

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _limit, _variables in self.notes]

    def inventory(self, _stop: threading.Event) -> Inventory:
        if "inventory" in self.ways:
            self.ways["inventory"](self, {})
        return Inventory("demo", NODES)

    def run(
        self,
        verb: str,
        stop: threading.Event,
        *,
        limit: str | None = None,
        extra_vars: Mapping[str, Any] | None = None,
        accept: Callable[[Transcript], bool],
    ) -> Transcript:
        self.notes.append((verb, limit, dict(extra_vars or {})))
        self.stop = stop
        try:
            if verb in self.ways:
                self.ways[verb](self, extra_vars or {})
        except ClusterError:
            if not accept(self.said):
                raise
        return self.said


def fails(text: str) -> Way:
    def way(_runs: Runs, _variables: Mapping[str, Any]) -> None:
        raise ClusterError(text)

    return way


def until_stopped(runs: Runs, _variables: Mapping[str, Any]) -> None:
    if runs.stop.wait(10):
        raise Stopped


def result(module: str, values: Mapping[str, Any], error: str = "") -> Way:
    def way(runs: Runs, _variables: Mapping[str, Any]) -> None:
        kind = "runner_on_failed" if error else "runner_on_ok"
        runs.said.hear({"event": kind, "event_data": {"host": "a", "task_action": f"gravity.cluster.{module}", "res": values}})
        if error:
            raise ClusterError(error)

    return way


def made(runs: Runs, **options: Any) -> Cluster:
    cluster = Cluster("cluster.yml", collection=None, **options)
    cluster._playbooks = runs  # type: ignore[assignment]
    return cluster


async def block(cluster: Cluster, error: BaseException | None = None) -> None:
    async with cluster:
        if error:
            raise error


PURGE = ("teardown", None, {"teardown_purge": True, "confirm": "demo"})


def test_a_block_launches_and_takes_away() -> None:
    runs = Runs()
    asyncio.run(block(made(runs)))
    assert runs.notes == [("deploy", None, {}), PURGE]


def test_a_kept_cluster_stays() -> None:
    runs = Runs()
    asyncio.run(block(made(runs, keep=True)))
    with pytest.raises(ClusterError, match="no"):
        asyncio.run(block(made(Runs(deploy=fails("no")), keep=True)))
    assert runs.verbs == ["deploy"]
    asyncio.run(made(runs, keep=True).shutdown())
    assert runs.verbs == ["deploy", "teardown"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_error_in_the_block_goes_on_after_the_teardown(error: BaseException) -> None:
    runs = Runs()
    with pytest.raises(type(error)):
        asyncio.run(block(made(runs), error))
    assert runs.verbs == ["deploy", "teardown"]


def test_a_launch_that_fails_is_taken_away() -> None:
    runs = Runs(deploy=fails("deploy: no"))
    with pytest.raises(ClusterError, match="deploy: no"):
        asyncio.run(block(made(runs)))
    assert runs.verbs == ["deploy", "teardown"]


def test_a_refused_spec_has_nothing_to_take_away() -> None:
    def refused(_runs: Runs, _variables: Mapping[str, Any]) -> None:
        raise SpecError(["cluster.yml: no"])

    runs = Runs(inventory=refused)
    with pytest.raises(SpecError):
        asyncio.run(block(made(runs)))
    assert runs.notes == []


def test_the_first_error_goes_on_and_a_teardown_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    runs = Runs(teardown=fails("teardown: no"))
    with pytest.raises(ValueError, match="mine"):
        asyncio.run(block(made(runs), ValueError("mine")))
    assert "cluster.yml may be left behind: teardown: no" in caplog.text
    with pytest.raises(ClusterError, match="teardown: no"):
        asyncio.run(block(made(runs)))


def test_a_cancelled_launch_is_ended_and_taken_away() -> None:
    runs = Runs(deploy=until_stopped)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(block(made(runs)), 0.3))
    assert runs.verbs == ["deploy", "teardown"]


def test_a_teardown_is_not_cancelled() -> None:
    ended = []

    def takes_long(runs: Runs, _variables: Mapping[str, Any]) -> None:
        time.sleep(0.3)
        ended.append(runs.stop.is_set())

    async def scenario() -> None:
        task = asyncio.create_task(block(made(Runs(teardown=takes_long))))
        for _number in range(3):
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert ended == [False]


def test_calls_take_turns_and_one_that_waits_can_be_cancelled() -> None:
    at_once = threading.Semaphore(1)

    def alone(_runs: Runs, _variables: Mapping[str, Any]) -> None:
        assert at_once.acquire(blocking=False)
        time.sleep(0.05)
        at_once.release()

    runs = Runs(stop=alone, start=alone, wait=alone)
    cluster = made(runs)

    async def scenario() -> None:
        calls = [asyncio.create_task(call) for call in (cluster.stop_node("a"), cluster.start_node("a"), cluster.wait_ready())]
        await asyncio.gather(*calls)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(cluster.start_node("a"), cluster.stop_node("b")), 0.01)

    asyncio.run(scenario())
    assert sorted(runs.verbs[:3]) == ["start", "stop", "wait"]
    assert len(runs.notes) < 5
    asyncio.run(cluster.start_node("b"))


def test_the_playbooks_of_the_calls() -> None:
    runs = Runs()
    cluster = made(runs)

    async def scenario() -> None:
        await cluster.stop_node("a")
        await cluster.stop_node("a", force=True)
        await cluster.start_node("a")
        await cluster.restart_node("b", force=True)
        await cluster.clear_storage("b")
        await cluster.clear_storage("b", force=True)
        await cluster.upgrade_node("b", "image:{{ 2 }}")
        await cluster.upgrade_node("b", "image:3", force=True)
        await cluster.wait_ready(1.5)

    asyncio.run(scenario())
    assert runs.notes == [
        ("stop", "a", {}),
        ("stop", "a", {"quorum_override": True}),
        ("start", "a", {}),
        ("restart", "b", {"quorum_override": True}),
        ("clear_storage", "b", {}),
        ("clear_storage", "b", {"quorum_override": True}),
        ("upgrade", "b", {"upgrade_image": {"__ansible_unsafe": "image:{{ 2 }}"}}),
        ("upgrade", "b", {"upgrade_image": {"__ansible_unsafe": "image:3"}, "quorum_override": True}),
        ("wait", None, {"ready_timeout": 2}),
    ]


def test_variables_of_the_cluster_go_to_every_playbook() -> None:
    cluster = Cluster("cluster.yml", extra_vars={"engine_url": "unix:///x"}, ready_timeout=0.5)
    assert cluster._playbooks.extra_vars == {"engine_url": "unix:///x", "ready_timeout": 1}


def test_an_unknown_node_runs_nothing() -> None:
    runs = Runs()
    cluster = made(runs)
    for call in (cluster.stop_node("c"), cluster.exec("c", "ls"), cluster.logs("c"), cluster.upgrade_node("c", "x")):
        with pytest.raises(NodeUnknown, match="the cluster has a, b"):
            asyncio.run(call)
    with pytest.raises(ClusterError, match="b has no JSON-RPC"):
        cluster.client("b")
    assert cluster.client("a", timeout=3).url == "http://a"
    assert runs.notes == []


def writes(names: list[str]) -> Way:
    def way(_runs: Runs, variables: Mapping[str, Any]) -> None:
        report = {"nodes": [{"node": name, "state": "unknown"} for name in names]}
        Path(variables["status_output"]).write_text(json.dumps(report), encoding="utf-8")
        raise ClusterError("status: a Docker host is away")

    return way


def test_health_is_what_was_reported_also_when_a_docker_host_is_away() -> None:
    health = asyncio.run(made(Runs(status=writes(["a", "b"]))).health())
    assert {name: node.state for name, node in health.items()} == {"a": "unknown", "b": "unknown"}
    with pytest.raises(ClusterError, match="no Engine"):
        asyncio.run(made(Runs(status=fails("status: no Engine"))).health())


def test_logs_are_the_output_and_then_the_files() -> None:
    way = result("node_logs_info", {"logs": {"a": ["1"], "b": []}, "files": {"a": {"/x.log": ["2"]}}})
    runs = Runs(logs=way)
    assert asyncio.run(made(runs).all_logs(tail=5)) == {"a": ["1", "==> /x.log <==", "2"], "b": []}
    assert runs.notes == [("logs", None, {"tail": 5})]
    assert asyncio.run(made(Runs(logs=way)).logs("a", since="5m")) == ["1", "==> /x.log <==", "2"]


def test_a_command_that_fails_is_a_result() -> None:
    runs = Runs(exec=result("node_exec", {"nodes": {"a": {"rc": 3, "stdout": "o", "stderr": "e", "error": None}}}, "exec: ended with 3"))
    assert asyncio.run(made(runs).exec("a", ["echo", "a b", "$c"])) == ExecResult(3, "o", "e")
    assert runs.notes == [("exec", "a", {"command": {"__ansible_unsafe": "echo 'a b' '$c'"}})]


@pytest.mark.parametrize("values", [{}, {"nodes": {"a": {"rc": None, "stdout": "", "stderr": "", "error": "did not end"}}}])
def test_a_command_without_an_exit_code_raises(values: dict[str, Any]) -> None:
    with pytest.raises(ClusterError, match="exec: did not end"):
        asyncio.run(made(Runs(exec=result("node_exec", values, "exec: did not end"))).exec("a", "sleep 90"))
