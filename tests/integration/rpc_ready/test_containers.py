# SPDX-License-Identifier: GPL-3.0-or-later
"""rpc_ready and what happens to containers while it waits."""

from __future__ import annotations

import time
import typing as t

import pytest
from integration.running import Data, Nodes

Run = t.Callable[..., Data]
LISTENS = "httpd -f -p 80 -h /srv"


@pytest.fixture
def wait(run_module: Run, nodes: Nodes) -> Run:
    """Run rpc_ready for targets."""

    def run(*targets: Data, check: bool = False, **options: t.Any) -> Data:
        return run_module("rpc_ready", {"cluster": nodes.cluster, "nodes": list(targets), "timeout": 15, **options}, check=check)

    return run


def web(port: int) -> Data:
    return {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/seed"}}


def test_a_node_without_probes_is_ready_when_it_runs(wait: Run, nodes: Nodes) -> None:
    nodes.run("a")
    result = wait(nodes.target("a"))
    assert result["ready"]
    assert not result["changed"]
    assert result["nodes"]["a"]["state"] == "running"


def test_a_node_without_probes_that_fails_right_after_its_start_is_not_ready(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "sleep 0.1; exit 4", restart_policy={"Name": "always"})
    assert wait({**nodes.target("bad"), "crash_loop": 1})["failures"]["bad"]["cause"] == "restart_loop"


def test_a_health_check_is_waited_for(wait: Run, nodes: Nodes) -> None:
    second = 1_000_000_000
    container = nodes.run(
        "a",
        f"sleep 2; touch /tmp/ok; {'while true; do sleep 1; done'}",
        health={"test": ["CMD", "test", "-f", "/tmp/ok"], "interval": second, "retries": 30},
    )
    result = wait(nodes.target("a"))
    assert nodes.engine.api.inspect_container(container)["State"]["Health"]["Status"] == "healthy"
    assert result["nodes"]["a"]["state"] == "running"


def test_http_tcp_and_exec_probes_on_a_real_container(wait: Run, nodes: Nodes, free_port: t.Callable[[], int]) -> None:
    port = free_port()
    nodes.run("a", f"sleep 1; {LISTENS}", port=(80, port))
    probes = {
        **web(port),
        "open": {"type": "tcp", "host": "127.0.0.1", "port": port},
        "see": {"type": "exec", "command": ["cat", "/srv/seed"]},
    }
    assert wait(nodes.target("a", probes))["ready"]


def test_a_port_behind_which_nothing_listens_is_not_open(wait: Run, nodes: Nodes, free_port: t.Callable[[], int]) -> None:
    port = free_port()
    nodes.run("a", port=(80, port))
    result = wait(nodes.target("a", {"open": {"type": "tcp", "host": "127.0.0.1", "port": port}}), timeout=2)
    assert result["failed"]
    assert result["failures"]["a"]["cause"] == "port_closed"
    assert f"port {port} closes connections at once (nothing listens there)" in result["msg"]


def test_another_http_status_is_the_cause(wait: Run, nodes: Nodes, free_port: t.Callable[[], int]) -> None:
    port = free_port()
    nodes.run("a", LISTENS, port=(80, port))
    probes = {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/missing"}}
    result = wait(nodes.target("a", probes), timeout=2)
    assert result["failures"]["a"]["reason"] == "HTTP status 404, waiting for 200"
    assert result["failures"]["a"]["cause"] == "http_status"
    assert wait(nodes.target("a", probes, {"is": "http_status", "value": 404}))["ready"]


def test_a_probe_command_that_fails_is_the_cause(wait: Run, nodes: Nodes) -> None:
    nodes.run("a")
    result = wait(nodes.target("a", {"see": {"type": "exec", "command": "echo not yet; exit 3"}}), timeout=2)
    assert result["failures"]["a"]["cause"] == "exec_failed"
    assert "probe see ends with 3: not yet" in result["msg"]


def test_a_container_that_ends_stops_the_wait_at_once(wait: Run, nodes: Nodes) -> None:
    nodes.run("good")
    nodes.run("bad", "sleep 1; echo out; echo boom >&2; exit 7")
    began = time.monotonic()
    result = wait(nodes.target("good"), nodes.target("bad", {"see": {"type": "exec", "command": ["false"]}}), timeout=60)
    assert time.monotonic() - began < 60
    assert result["failed"]
    assert result["failures"]["bad"]["cause"] == "exited"
    assert sorted(result["failures"]["bad"]["log"]) == ["boom", "out"]
    assert result["msg"].startswith("1 of 2 nodes not ready after ")
    assert "bad: exited with code 7 (last seen: container exited" in result["msg"]
    assert "\n" not in result["msg"]
    assert result["nodes"]["bad"]["state"] == "error"
    assert result["nodes"]["bad"]["reason"] == "exited with code 7"
    assert result["nodes"]["good"]["ready"]


def test_without_fail_fast_the_time_is_used_up(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "exit 7")
    result = wait(nodes.target("bad"), timeout=3, fail_fast=False)
    assert result["seconds"] >= 3
    assert result["failures"]["bad"]["reason"] == "exited with code 7"


def test_a_restart_loop_stops_the_wait(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "echo again; exit 1", restart_policy={"Name": "always"})
    result = wait({**nodes.target("bad", {"see": {"type": "exec", "command": ["false"]}}), "crash_loop": 1}, timeout=60)
    assert result["failures"]["bad"]["cause"] == "restart_loop"
    assert "restarts in a loop (" in result["msg"]
    assert "exited with code 1" in result["msg"]
    assert "again" in result["failures"]["bad"]["log"]
    assert result["seconds"] < 60


def test_a_client_that_exits_until_its_server_is_up_is_waited_for(wait: Run, nodes: Nodes) -> None:
    # Five restarts, of which three come within a second.
    script = "echo x >> /tmp/tries; test $(wc -l < /tmp/tries) -gt 5 || exit 1; sleep 60"
    nodes.run("client", script, restart_policy={"Name": "always"})
    probes = {"see": {"type": "exec", "command": ["sh", "-c", "test $(wc -l < /tmp/tries) -gt 5"]}}
    result = wait(nodes.target("client", probes), timeout=60)
    assert result["ready"]


def test_a_program_that_fails_after_a_second_is_not_ready(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "sleep 1; exit 3")
    result = wait(nodes.target("bad"))
    assert (result["failures"]["bad"]["cause"], result["failures"]["bad"]["reason"]) == ("exited", "exited with code 3")


def test_how_long_a_node_must_run_can_be_set(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "touch /tmp/ok; sleep 3; exit 3")
    probes = {"see": {"type": "exec", "command": ["test", "-f", "/tmp/ok"]}}
    result = wait({**nodes.target("bad", probes), "stable": 5})
    assert result["failures"]["bad"]["cause"] == "exited"


def test_one_restart_is_not_a_loop(wait: Run, nodes: Nodes) -> None:
    nodes.run("a", "test -f /tmp/been && sleep 60; touch /tmp/been; sleep 1; exit 1", restart_policy={"Name": "on-failure"})
    result = wait(nodes.target("a", {"see": {"type": "exec", "command": ["test", "-f", "/tmp/been"]}}))
    assert result["ready"]


def test_memory_that_runs_out_is_named(wait: Run, nodes: Nodes) -> None:
    nodes.run("bad", "x=a; while true; do x=$x$x; done", mem_limit="16m", memswap_limit="16m")
    result = wait(nodes.target("bad", {"see": {"type": "exec", "command": ["false"]}}), timeout=60)
    # This Engine sometimes misses that the kernel did it.
    assert result["failures"]["bad"]["cause"] in ("oom", "exited")
    assert "out of memory, limit 16m" in result["msg"]


def test_a_command_that_does_not_exist_is_named(wait: Run, nodes: Nodes) -> None:
    container = nodes.make("bad", ["/no/such/program"], start=False)
    with pytest.raises(Exception, match="no such file"):
        nodes.engine.api.start(container)
    result = wait(nodes.target("bad"), timeout=60)
    assert result["failures"]["bad"]["cause"] == "start_failed"
    assert "could not be started" in result["msg"]
    assert "/no/such/program" in result["msg"]


def test_a_container_that_is_not_there_is_named(wait: Run, nodes: Nodes) -> None:
    result = wait(nodes.target("gone"), timeout=60)
    assert result["failures"]["gone"]["cause"] == "absent"
    assert result["nodes"]["gone"]["state"] == "absent"
    assert result["seconds"] < 60


def test_a_container_of_somebody_else_with_the_right_name_is_not_looked_at(
    wait: Run, nodes: Nodes, new_cluster: t.Callable[[], t.Any]
) -> None:
    other = Nodes(nodes.engine, new_cluster().name, nodes.image)
    container = other.run("a")
    result = wait({"name": "a", "container": container}, timeout=2)
    assert result["failures"]["a"]["cause"] == "absent"


def test_a_container_that_is_replaced_while_waiting_counts_anew(nodes: Nodes, start_module: t.Callable[..., t.Any]) -> None:
    container = nodes.run("a")
    waiting = start_module(
        "rpc_ready",
        {"cluster": nodes.cluster, "timeout": 30, "nodes": [nodes.target("a", {"s": {"type": "exec", "command": "test -f /tmp/new"}})]},
    )
    time.sleep(1)
    nodes.engine.api.remove_container(container, force=True)
    nodes.run("a", "touch /tmp/new; while true; do sleep 1; done")
    output, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, output + errors


def test_check_mode_of_a_cluster_that_is_not_there_says_so_and_does_not_fail(wait: Run, nodes: Nodes) -> None:
    result = wait(nodes.target("gone"), check=True)
    assert not result.get("failed")
    assert not result["ready"]
    assert "gone" in result["note"]
    assert result["seconds"] < 10


def test_check_mode_of_a_cluster_that_runs_looks_at_it(wait: Run, nodes: Nodes) -> None:
    nodes.run("a")
    assert wait(nodes.target("a"), check=True)["ready"]
    result = wait(nodes.target("a", {"see": {"type": "exec", "command": ["false"]}}), check=True, timeout=2)
    assert not result["ready"]
    assert result["note"] == "a: probe see ends with 1"


def test_an_engine_that_does_not_answer_is_one_line(wait: Run, nodes: Nodes) -> None:
    result = wait(nodes.target("a"), engine_url="unix:///nowhere/docker.sock")
    assert result["failed"]
    assert "no Docker Engine answers at unix:///nowhere/docker.sock" in result["msg"]


def test_progress_is_told_while_it_waits(nodes: Nodes, start_module: t.Callable[..., t.Any], tmp_path: t.Any) -> None:
    nodes.run("a")
    nodes.run("b")
    told = tmp_path / "told"
    targets = [nodes.target("a"), nodes.target("b", {"s": {"type": "exec", "command": "echo still; exit 1"}})]
    waiting = start_module("rpc_ready", {"cluster": nodes.cluster, "timeout": 90, "nodes": targets, "progress_path": str(told)})
    until = time.monotonic() + 60
    while time.monotonic() < until and not told.exists():
        time.sleep(0.1)
    assert told.read_text(encoding="utf-8").splitlines()[0] == "1 of 2 ready; b: probe s ends with 1: still"
    # A container that ended is not waited for.
    nodes.engine.api.kill(f"{nodes.cluster}-b")
    waiting.communicate(timeout=60)
    assert waiting.returncode != 0
    assert not told.exists()
