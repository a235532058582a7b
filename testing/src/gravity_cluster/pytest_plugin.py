# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin: one cluster for all tests, and what it says about those that fail."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .cluster import Cluster
from .errors import ClusterError, SpecError
from .evidence import save
from .loops import run

FIXTURE = "gravity_cluster"
KEPT = "gravity_cluster_logs"
LAUNCH = "launch"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the settings."""
    parser.addini("gravity_cluster_spec", "cluster spec of the fixture gravity_cluster, relative to this file")
    parser.addini("gravity_cluster_logs", "folder for the logs of tests that fail, relative to this file", default="gravity-cluster-logs")
    group = parser.getgroup("gravity.cluster")
    group.addoption("--gravity-cluster-spec", metavar="FILE", help="cluster spec of the fixture gravity_cluster")
    group.addoption("--gravity-cluster-keep", action="store_true", help="leave the cluster of the fixture gravity_cluster running")


class Session:
    """The cluster of this session, and where its logs go."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._base = config.inipath.parent if config.inipath else config.rootpath
        self.running: Cluster | None = None
        # The logs of a launch that failed.
        self.failed: Path | None = None

    def spec(self) -> Path | None:
        """The spec of the command line, else that of the configuration file."""
        given = self._config.getoption("--gravity-cluster-spec")
        configured = self._config.getini("gravity_cluster_spec")
        if given:
            return self._config.invocation_params.dir / str(given)
        return self._base / str(configured) if configured else None

    def save(self, cluster: Cluster, name: str) -> Path:
        """Keep what the cluster says now in a folder ``name``."""
        folder = self._base / str(self._config.getini("gravity_cluster_logs")) / re.sub(r"[^\w.,=+@\[\]-]+", "-", name)
        save(cluster, folder)
        return folder

    def end(self, cluster: Cluster) -> None:
        """Take the cluster away, unless it is to be kept."""
        self.running = None
        if not self._config.getoption("--gravity-cluster-keep"):
            run(cluster.shutdown())


SESSION = pytest.StashKey[Session]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session."""
    config.stash[SESSION] = Session(config)


@pytest.fixture(scope="session")
def gravity_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A running cluster of the spec that ``gravity_cluster_spec`` or ``--gravity-cluster-spec`` names, for the whole session."""
    session = pytestconfig.stash[SESSION]
    spec = session.spec()
    if spec is None:
        pytest.fail("no cluster spec: set gravity_cluster_spec in pytest's configuration, or give --gravity-cluster-spec", pytrace=False)
    # Kept, so that a launch that fails leaves its logs: this fixture takes it away.
    cluster = Cluster(spec, keep=True)
    try:
        run(cluster.launch())
    except SpecError as error:
        pytest.fail(str(error), pytrace=False)
    except BaseException as error:
        try:
            if isinstance(error, ClusterError):
                session.failed = session.save(cluster, LAUNCH)
        finally:
            session.end(cluster)
        if isinstance(error, ClusterError):
            pytest.fail(str(error), pytrace=False)
        raise
    session.running = cluster
    yield cluster
    session.end(cluster)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the logs when a test that uses the cluster fails."""
    report = yield
    if report.failed and FIXTURE in getattr(item, "fixturenames", ()):
        session = item.config.stash[SESSION]
        try:
            folder = session.save(session.running, item.name) if session.running else session.failed
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide why the test failed
            report.sections.append(("gravity.cluster", f"the logs could not be kept: {error}"))
        else:
            if folder:
                # A property of the report reaches the summary also from a worker of pytest-xdist.
                report.user_properties.append((KEPT, str(folder)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the folders."""
    reports = [report for outcome in ("failed", "error") for report in terminalreporter.getreports(outcome)]
    kept: dict[str, str] = {}
    for report in reports:
        # The report of a module that cannot be imported has none.
        for key, value in getattr(report, "user_properties", ()):
            if key == KEPT:
                kept.setdefault(str(value), report.nodeid)
    if kept:
        terminalreporter.section("logs of gravity.cluster")
        for folder, test in kept.items():
            path = Path(folder)
            shown = path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path
            terminalreporter.line(f"{test}: {shown}")
