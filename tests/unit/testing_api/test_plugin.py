# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin with a cluster that only notes what is asked of it."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path
from typing import ClassVar

import pytest
from gravity_cluster import ClusterError, NodeHealth, SpecError, loops, pytest_plugin

pytest_plugins = ["pytester"]


class StandIn:
    """Behaves as its spec says."""

    notes: ClassVar[list[str]] = []

    def __init__(self, spec: Path, *, keep: bool) -> None:
        assert keep
        self.way = spec.read_text(encoding="utf-8")

    async def launch(self) -> None:
        self.notes.append("launch")
        if self.way == "refused":
            raise SpecError(["cluster.yml: it is so"])
        if self.way == "fails":
            raise ClusterError("deploy: it is so")
        if self.way == "interrupted":
            raise KeyboardInterrupt

    async def shutdown(self) -> None:
        self.notes.append("shutdown")

    async def health(self) -> dict[str, NodeHealth]:
        return {"node_0": NodeHealth("node_0", "running", height=7)}

    async def all_logs(self, *, tail: int) -> dict[str, list[str]]:
        if self.way == "silent":
            raise ClusterError("logs: no Docker Engine answers")
        return {"node_0": [f"the last {tail} lines", "é"]}


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the cluster, which is a stand-in from now on."""
    monkeypatch.setattr(pytest_plugin, "Cluster", StandIn)
    monkeypatch.setattr(StandIn, "notes", [])
    return StandIn.notes


SUITE = """
import pytest

def test_passes(gravity_cluster): pass

@pytest.mark.parametrize("case", ["a/b"])
def test_fails(gravity_cluster, case): assert False

def test_of_another_kind_fails(): assert False

@pytest.mark.xfail
def test_fails_as_expected(gravity_cluster): assert False
"""


def run(pytester: pytest.Pytester, way: str, *options: str) -> pytest.RunResult:
    prepare(pytester, way)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def prepare(pytester: pytest.Pytester, way: str) -> None:
    pytester.makepyfile(test_suite=SUITE)
    pytester.makeini("[pytest]\ngravity_cluster_spec = spec/cluster.yml\ngravity_cluster_logs = kept")
    pytester.mkdir("spec").joinpath("cluster.yml").write_text(way, encoding="utf-8")


def test_a_failure_leaves_logs_and_health(pytester: pytest.Pytester, notes: list[str]) -> None:
    done = run(pytester, "works")
    done.assert_outcomes(passed=1, failed=2, xfailed=1)
    done.stdout.fnmatch_lines(["*logs of gravity.cluster*", "test_suite.py::test_fails?a/b?: kept/test_fails[[]a-b]"])
    assert [path.name for path in pytester.path.joinpath("kept").iterdir()] == ["test_fails[a-b]"]
    folder = pytester.path / "kept" / "test_fails[a-b]"
    assert folder.joinpath("node_0.log").read_text(encoding="utf-8") == "the last 500 lines\né\n"
    assert '"height": 7' in folder.joinpath("health.json").read_text(encoding="utf-8")
    assert notes == ["launch", "shutdown"]


def test_what_cannot_be_looked_at_is_said(pytester: pytest.Pytester, notes: list[str]) -> None:
    run(pytester, "silent").assert_outcomes(passed=1, failed=2, xfailed=1)
    assert notes == ["launch", "shutdown"]
    folder = pytester.path / "kept" / "test_fails[a-b]"
    assert folder.joinpath("errors.txt").read_text(encoding="utf-8") == "logs: no Docker Engine answers\n"
    assert folder.joinpath("health.json").exists()


def test_a_folder_that_cannot_be_made_spoils_nothing(pytester: pytest.Pytester, notes: list[str]) -> None:
    pytester.path.joinpath("kept").touch()
    done = run(pytester, "works")
    done.assert_outcomes(passed=1, failed=2, xfailed=1)
    done.stdout.fnmatch_lines(["*the logs could not be kept:*"])
    assert notes == ["launch", "shutdown"]


def test_whatever_keeps_the_logs_from_being_kept_hides_nothing(
    pytester: pytest.Pytester, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("it is so")

    monkeypatch.setattr(pytest_plugin, "save", fail)
    done = run(pytester, "works")
    done.assert_outcomes(passed=1, failed=2, xfailed=1)
    done.stdout.fnmatch_lines(["*the logs could not be kept: it is so", "*assert False*"], consecutive=False)
    assert notes == ["launch", "shutdown"]


LOOP = """
import asyncio
import pytest

@pytest.fixture(scope="session", autouse=True)
def left_running():
    # As synchronous Playwright does: to asyncio, a loop runs in this thread from now on.
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    yield
    asyncio._set_running_loop(None)
    loop.close()
"""


def test_a_loop_that_another_fixture_leaves_running(pytester: pytest.Pytester, notes: list[str]) -> None:
    pytester.makeconftest(LOOP)
    done = run(pytester, "works")
    done.assert_outcomes(passed=1, failed=2, xfailed=1)
    done.stdout.no_fnmatch_line("*RuntimeError*")
    assert '"height": 7' in (pytester.path / "kept" / "test_fails[a-b]" / "health.json").read_text(encoding="utf-8")
    assert notes == ["launch", "shutdown"]


async def held(notes: list[str]) -> None:
    try:
        notes.append("begins")
        await asyncio.sleep(0.2)
        # As Ctrl-C does, while the other thread waits for this one.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        notes.append("cancelled")
        raise


def test_an_interrupt_beside_a_running_loop_cancels_the_work() -> None:
    said: list[str] = []

    async def outer() -> None:
        loops.run(held(said))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(outer())
    finally:
        signal.signal(signal.SIGINT, before)
        loop.close()
    assert said == ["begins", "cancelled"]


def test_a_kept_cluster(pytester: pytest.Pytester, notes: list[str]) -> None:
    run(pytester, "works", "--gravity-cluster-keep")
    assert notes == ["launch"]


def test_a_launch_that_fails_leaves_its_logs_and_is_taken_away(pytester: pytest.Pytester, notes: list[str]) -> None:
    done = run(pytester, "fails")
    done.assert_outcomes(errors=2, failed=1, xfailed=1)
    done.stdout.fnmatch_lines(["deploy: it is so", "*logs of gravity.cluster*", "test_suite.py::test_passes: kept/launch"])
    assert pytester.path.joinpath("kept/launch/node_0.log").exists()
    assert notes == ["launch", "shutdown"]


def test_an_interrupted_launch_is_taken_away(pytester: pytest.Pytester, notes: list[str]) -> None:
    prepare(pytester, "interrupted")
    pytester.inline_run("-p", "no:cacheprovider", no_reraise_ctrlc=True)
    assert notes == ["launch", "shutdown"]


def test_a_refused_spec_has_nothing_to_take_away(pytester: pytest.Pytester, notes: list[str]) -> None:
    done = run(pytester, "refused")
    done.assert_outcomes(errors=2, failed=1, xfailed=1)
    done.stdout.fnmatch_lines(["cluster.yml: it is so"])
    assert notes == ["launch"]


def test_a_suite_that_cannot_be_collected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import nothing_that_there_is")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    assert "INTERNALERROR" not in done.stdout.str()


def test_without_a_spec_one_line_says_what_to_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_x(gravity_cluster): pass")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["no cluster spec: set gravity_cluster_spec in pytest's configuration, or give --gravity-cluster-spec"])
    assert "Traceback" not in done.stdout.str()


def test_the_command_line_wins_and_is_relative_to_where_one_is(pytester: pytest.Pytester, notes: list[str]) -> None:
    pytester.path.joinpath("other.yml").write_text("refused", encoding="utf-8")
    run(pytester, "works", "--gravity-cluster-spec", "other.yml").assert_outcomes(errors=2, failed=1, xfailed=1)
    assert notes == ["launch"]
