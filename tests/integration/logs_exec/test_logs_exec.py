# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.client
import time
import tracemalloc
import typing as t

import pytest
from integration.running import Data, Nodes

from ansible_collections.gravity.cluster.plugins.module_utils._logs import Wanted, container_log

Run = t.Callable[..., Data]
pytestmark = pytest.mark.usefixtures("two")


@pytest.fixture
def logs(run_module: Run, nodes: Nodes) -> Run:
    """Run node_logs_info."""
    return lambda check=False, **options: run_module("node_logs_info", {"cluster": nodes.cluster, **options}, check=check)


@pytest.fixture
def execute(run_module: Run, nodes: Nodes) -> Run:
    """Run node_exec."""
    return lambda command, check=False, **options: run_module(
        "node_exec", {"cluster": nodes.cluster, "command": command, **options}, check=check
    )


@pytest.fixture
def two(nodes: Nodes) -> Nodes:
    """Two nodes that have said something. The Engine keeps no order between the two streams, so there is a pause."""
    for name in ("a", "b"):
        container = nodes.run(
            name, f"echo {name} one; echo {name} two >&2; sleep 0.3; echo; echo {name} three; while true; do sleep 1; done"
        )
        until = time.monotonic() + 10
        while b"three" not in nodes.engine.api.logs(container) and time.monotonic() < until:
            time.sleep(0.05)
    return nodes


def test_logs_of_all_nodes_with_both_streams(logs: Run) -> None:
    result = logs()
    assert not result["changed"]
    assert {name: sorted(lines) for name, lines in result["logs"].items()} == {
        name: ["", f"{name} one", f"{name} three", f"{name} two"] for name in ("a", "b")
    }
    assert result["absent"] == []
    assert logs(check=True)["logs"] == result["logs"]


def test_logs_of_some_nodes_and_the_last_lines(logs: Run) -> None:
    assert logs(nodes=["b"], tail=1)["logs"] == {"b": ["b three"]}
    assert logs(nodes=["b"], tail=0)["logs"] == {"b": []}
    assert len(logs(nodes=["b"], tail=-1)["logs"]["b"]) == 4


def test_logs_since_a_time(logs: Run, two: Nodes) -> None:
    assert len(logs(nodes=["a"], since="1h")["logs"]["a"]) == 4
    assert len(logs(nodes=["a"], since="3600")["logs"]["a"]) == 4
    assert len(logs(nodes=["a"], since="2020-01-01T00:00:00Z")["logs"]["a"]) == 4
    two.engine.api.restart(f"{two.cluster}-a", timeout=0)
    time.sleep(2.5)
    assert logs(nodes=["a"], since="1s")["logs"]["a"] == []


def test_logs_with_the_time_before_each_line(logs: Run) -> None:
    line = logs(nodes=["a"], tail=1, timestamps=True)["logs"]["a"][0]
    assert line.endswith("Z a three")
    assert line.startswith("20")


def test_log_files_of_a_node_that_runs_or_not(logs: Run, nodes: Nodes) -> None:
    lines = "2026-01-01T00:00:00.5Z INFO old\\nfollows\\n[2026-01-02 00:00:00] later\\nlast"
    container = nodes.run("c", f"printf '{lines}' > /c.log; mkdir /d; while true; do sleep 1; done")
    until = time.monotonic() + 10
    while nodes.engine.mode_of(container, "/d") is None and time.monotonic() < until:
        time.sleep(0.05)
    files = {"c": ["/c.log", "/none.log", "/d"], "b": ["/c.log"]}
    for _state in ("running", "stopped"):
        assert logs(nodes=["c", "b"], files=files)["files"] == {
            "c": {"/c.log": ["2026-01-01T00:00:00.5Z INFO old", "follows", "[2026-01-02 00:00:00] later", "last"]}
        }
        assert logs(nodes=["c"], files=files, tail=1)["files"]["c"]["/c.log"] == ["last"]
        since = logs(nodes=["c"], files=files, since="2026-01-01T12:00:00Z")
        assert since["files"]["c"]["/c.log"] == ["[2026-01-02 00:00:00] later", "last"]
        nodes.engine.api.stop(container, timeout=0)


def test_log_files_that_are_links(logs: Run, nodes: Nodes) -> None:
    script = (
        "mkdir /l; ln -s /l /way; echo said > /l/1.log; ln -s 1.log /l/now.log; ln -s ../l/now.log /l/far.log;"
        " ln -s loop /l/loop; ln -s none /l/none.log; mkfifo /l/fifo; mkdir /done; while true; do sleep 1; done"
    )
    container = nodes.run("c", script)
    until = time.monotonic() + 10
    while nodes.engine.mode_of(container, "/done") is None and time.monotonic() < until:
        time.sleep(0.05)
    names = ["/l/1.log", "/l/now.log", "/l/far.log", "/way/far.log", "/l/loop", "/l/none.log", "/l/fifo"]
    assert logs(nodes=["c"], files={"c": names})["files"] == {"c": {name: ["said"] for name in names[:4]}}


def test_what_is_looked_for_in_logs(logs: Run) -> None:
    assert sorted(logs(nodes=["a"], grep="ONE|t[wh]")["logs"]["a"]) == ["a three", "a two"]
    assert logs(nodes=["a", "b"], grep="(?i)E$", tail=1)["logs"] == {"a": ["a three"], "b": ["b three"]}
    assert logs(nodes=["a"], until="1h")["logs"]["a"] == []
    assert len(logs(nodes=["a"], since="1h", until="0")["logs"]["a"]) == 4


def test_a_long_log_takes_little_memory(two: Nodes) -> None:
    script = "yes 0123456789abcdef | head -c 17000000; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"
    container = two.run("c", f"{script}; mkdir /done; sleep 1000")
    until = time.monotonic() + 60
    while two.engine.mode_of(container, "/done") is None and time.monotonic() < until:
        time.sleep(0.05)
    tracemalloc.start()
    try:
        lines = container_log(two.engine, container, Wanted())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024**2
    assert lines[0].endswith(" earlier lines left out: they are too long together]")
    assert lines[1] == "0123456789abcdef"
    assert lines[-2:] == [f"{'x' * 65536} [2934464 bytes left out]", "end"]


def test_logs_of_a_stopped_node_and_of_one_that_is_not_there(logs: Run, two: Nodes) -> None:
    two.engine.api.stop(f"{two.cluster}-a", timeout=0)
    result = logs(nodes=["a", "gone"], tail=1)
    assert result["logs"] == {"a": ["a three"], "gone": []}
    assert result["absent"] == ["gone"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": "yesterday"}, "since 'yesterday' is not a time: give for example 90s, 5m, 1h30m, 2d or 2026-01-31T12:00:00Z"),
        ({"until": "soon"}, "until 'soon' is not a time: give for example 90s, 5m, 1h30m, 2d or 2026-01-31T12:00:00Z"),
        ({"since": "1m", "until": "2m"}, "since 1m is later than until 2m: swap them"),
        (
            {"grep": "("},
            "grep '(' is not a regular expression (missing ), unterminated subpattern at position 0): write for example error|panic",
        ),
        ({"tail": -5}, "tail -5 is not a number of lines: give 0 or more, or -1 for all"),
    ],
)
def test_bad_options_of_logs_are_one_line(logs: Run, options: Data, message: str) -> None:
    assert logs(**options)["msg"] == message


def test_a_command_in_all_nodes(execute: Run) -> None:
    result = execute("sh -c 'echo out of $HOSTNAME; echo err >&2'")
    assert result["changed"]
    assert set(result["nodes"]) == {"a", "b"}
    for node in result["nodes"].values():
        assert node["rc"] == 0
        assert node["stdout"].startswith("out of ")
        assert node["stderr"] == "err\n"
        assert node["error"] is None


def test_words_of_a_list_are_left_as_they_are(execute: Run) -> None:
    result = execute(["sh", "-c", 'echo "$0|$1"', "a b", "$HOME;*"], nodes=["a"])
    assert result["nodes"]["a"]["stdout"] == "a b|$HOME;*\n"


def test_a_command_as_another_user(execute: Run) -> None:
    assert execute("id -u", nodes=["a"], user="1234:1234")["nodes"]["a"]["stdout"] == "1234\n"


def test_a_command_that_fails_in_one_node_names_it_and_keeps_the_rest(execute: Run) -> None:
    execute("touch /tmp/here", nodes=["a"])
    result = execute("ls /tmp/here")
    assert result["failed"]
    assert result["msg"] == "ls /tmp/here failed: b: ended with 1 (ls: /tmp/here: No such file or directory)"
    assert result["nodes"]["a"]["stdout"] == "/tmp/here\n"
    assert result["nodes"]["b"]["rc"] == 1


def test_a_program_that_is_not_there(execute: Run) -> None:
    result = execute(["no-such-program"], nodes=["a"])
    assert result["failed"]
    assert "a: ended with 12" in result["msg"]
    assert "no-such-program" in result["msg"]


def test_a_command_that_takes_too_long_is_given_up(execute: Run) -> None:
    began = time.monotonic()
    result = execute("sleep 300", nodes=["a"], timeout=1)
    assert time.monotonic() - began < 300
    assert result["msg"] == "sleep 300 failed: a: did not end within 1 s and may still run in the container"


def test_nodes_that_do_not_run_are_refused_before_anything_is_done(execute: Run, two: Nodes) -> None:
    two.engine.api.stop(f"{two.cluster}-b", timeout=0)
    result = execute("touch /tmp/done")
    assert result["msg"] == "b does not run (its container is exited): start it first"
    assert execute("ls /tmp/done", nodes=["a"])["failed"]
    assert execute("true", nodes=["gone"])["msg"] == f"gone has no container in cluster {two.cluster}: deploy it first"


def test_check_mode_runs_nothing(execute: Run) -> None:
    result = execute("touch /tmp/done", check=True)
    assert result["skipped"]
    assert not result["changed"]
    assert execute("ls /tmp/done", nodes=["a"])["failed"]


@pytest.mark.parametrize("command", ["", [], "echo 'open"])
def test_a_command_that_is_none_is_one_line(execute: Run, command: t.Any) -> None:
    result = execute(command)
    assert result["failed"]
    assert "command" in result["msg"]
    assert "\n" not in result["msg"]


def test_output_that_is_there_before_anyone_listens(two: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the output of a short command comes together with the head of the Engine's answer."""
    prompt = http.client.HTTPConnection.getresponse

    def late(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        time.sleep(0.5)
        return prompt(self)

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", late)
    command = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    assert two.engine.run_in(f"{two.cluster}-a", command) == (3, b"out\n", b"err\n")


def test_much_output_of_both_streams(two: Nodes) -> None:
    command = ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; echo no $i >&2; i=$((i+1)); done"]
    code, out, err = two.engine.run_in(f"{two.cluster}-a", command)
    assert code == 0
    assert out.decode().splitlines() == [f"line {number}" for number in range(20000)]
    assert err.decode().splitlines() == [f"no {number}" for number in range(20000)]


def test_output_without_measure_is_not_kept(two: Nodes) -> None:
    command = ["sh", "-c", "echo first; head -c 100000000 /dev/zero; echo last; echo end >&2; exit 3"]
    tracemalloc.start()
    try:
        code, out, err = two.engine.run_in(f"{two.cluster}-a", command)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (code, err) == (3, b"end\n")
    assert peak < 16 * 1024**2
    assert out.startswith(b"first\n\0")
    assert out.endswith(b"\0last\n")
    assert b"\n[98951435 bytes left out]\n" in out
