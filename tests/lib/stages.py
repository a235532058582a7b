# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of the test suite: what each one runs, and what it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
BIN = ROOT / ".venv" / "bin"
# Tests on the Engine wait more than they work. The tests of one file stay together and in order.
AT_ONCE = ("--numprocesses", "3", "--dist", "loadfile")


@dataclass(frozen=True)
class Command:
    """One command of a stage. ``extra`` is added to its environment."""

    label: str
    argv: list[str]
    folder: Path = ROOT
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """``commands`` is called when the stage begins; ``limit`` is in seconds; ``stops``: the first failure ends the stage."""

    name: str
    title: str
    commands: Callable[[], Sequence[Command]]
    needs: tuple[str, ...] = ("setup",)
    limit: float = 600.0
    stops: bool = False


def tool(*argv: str, folder: Path = ROOT, label: str = "", **extra: str) -> Command:
    return Command(label or " ".join(argv), list(argv), folder, extra)


def pytest(*arguments: str, **extra: str) -> Command:
    return Command(f"pytest {' '.join(arguments)}", ["pytest", "--durations=12", "--durations-min=3", *arguments], extra=extra)


def helper(name: str, *arguments: str) -> Command:
    """A script of tests/tools, run by the Python of .venv."""
    return tool(str(BIN / "python"), f"tests/tools/{name}.py", *arguments, label=f"tests/tools/{name}.py {' '.join(arguments)}".strip())


def setup() -> Sequence[Command]:
    return [tool("make", "setup-test", f"PYTHON={sys.executable}")]


def engine() -> Sequence[Command]:
    """The product's own role brings the Engine up, as `make up` does."""
    interpreter = f"ansible_python_interpreter={BIN / 'python'}"
    run = ("ansible", "localhost", "--inventory", "localhost,", "--connection", "local", "--extra-vars", interpreter)
    return [
        tool(*run, "--module-name", "ansible.builtin.include_role", "--args", "name=gravity.cluster.docker_host", label="role docker_host")
    ]


def lint() -> Sequence[Command]:
    return [
        tool("ruff", "check"),
        tool("ruff", "format", "--check"),
        tool("mypy", "--package", "ansible_collections.gravity.cluster.plugins"),
        tool("mypy", "tests/lib", "tests/tools"),
        tool("mypy", "tests/bench/bench.py", "tests/bench/hosts.py", "tests/bench/benchmark/callback"),
        tool("mypy", folder=ROOT / "testing", label="mypy in testing"),
        tool("yamllint", "--strict", "."),
        tool("ansible-lint"),
        tool("reuse", "lint", "--lines"),
        tool("antsibull-changelog", "lint"),
        tool("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", "."),
    ]


def unit() -> Sequence[Command]:
    return [pytest("tests/unit")]


def sanity() -> Sequence[Command]:
    return [helper("sanity")]


def integration() -> Sequence[Command]:
    return [pytest("tests/integration", *AT_ONCE)]


def molecule() -> Sequence[Command]:
    scenarios = sorted(path.parent.name for path in (ROOT / "extensions/molecule").glob("*/molecule.yml"))
    return [tool("molecule", "test", "--scenario-name", name) for name in scenarios] or [missing("a Molecule scenario")]


def tarball() -> Sequence[Command]:
    """Build, install into an empty folder, read all documentation, and let tests/e2e/installed use what was installed."""
    return [helper("tarball"), pytest("tests/e2e/installed", GRAVITY_CLUSTER_INSTALLED=str(CACHE / "tarball" / "collections"))]


def e2e() -> Sequence[Command]:
    return [pytest("tests/e2e", "--ignore", "tests/e2e/installed", *AT_ONCE)]


def bench() -> Sequence[Command]:
    return [tool(str(BIN / "python"), "tests/bench/bench.py", label="tests/bench/bench.py")]


def missing(what: str) -> Command:
    return tool("false", label=f"{what} is missing")


ENGINE = ("setup", "engine")

STAGES = {
    stage.name: stage
    for stage in (
        Stage("setup", "the environment of the checks", setup, needs=()),
        Stage("engine", "a Docker Engine answers", engine),
        Stage("lint", "linters and the type checker", lint),
        Stage("unit", "pytest tests/unit", unit),
        Stage("sanity", "ansible-test sanity on a clean copy", sanity),
        Stage("integration", "pytest tests/integration on the Engine", integration, needs=ENGINE, limit=1800),
        Stage("molecule", "the shipped playbooks, verified by asking the chain", molecule, needs=ENGINE, limit=1800),
        Stage("tarball", "the built collection, installed and used", tarball, needs=ENGINE, stops=True),
        Stage("e2e", "pytest tests/e2e: what a user does", e2e, needs=ENGINE, limit=2400),
        Stage("bench", "measurements beside other ways to do the same", bench, needs=ENGINE, limit=7200),
        # Done by the driver, always at the end.
        Stage("clean", "nothing is left behind", list, needs=()),
    )
}
FIRST = ("setup", "engine")
BESIDE = ("lint", "unit", "sanity")
ALONE = ("integration", "molecule", "tarball", "e2e", "bench")
DEFAULT = tuple(name for name in STAGES if name not in ("bench", "clean"))
