# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to Ansible: runs the collection's playbooks with ansible-runner."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible_runner  # type: ignore[import-untyped]

from .environment import environment, link
from .errors import ClusterError, SpecError
from .inventory import Inventory, no_cluster, parse
from .threads import Stopped
from .transcript import Transcript

log = logging.getLogger("gravity_cluster")

# Seconds that a playbook gets to end itself before it is killed, and between two looks whether it should.
GRACE = 10.0
LOOK = 0.5
# The exit code of Ansible when it cannot read something. With hosts that are out of reach it is the same.
UNREADABLE = 4
# What Ansible says when nobody knows the collection, and when none of its inventory plugins takes the file.
NO_COLLECTION = "No module named 'ansible_collections.gravity"
NO_SPEC = "failed to parse inventory source"


class Playbooks:
    """Runs playbooks on one cluster spec. ``extra_vars`` go to each of them."""

    def __init__(self, spec: Path, collection: Path | None, extra_vars: Mapping[str, Any]) -> None:
        self.spec = spec
        self.collection = collection
        self.extra_vars = dict(extra_vars)

    def inventory(self, stop: threading.Event) -> Inventory:
        """Read the spec.

        Raises:
            SpecError: The spec is refused, or is not there.
            ClusterError: Ansible fails for another reason.
            Stopped: ``stop`` was set.
        """
        if not self.spec.exists():
            raise SpecError([f"{self.spec}: there is no such file"])
        with _folder() as folder:
            target = folder / "inventory.json"
            cmdline = f"--list --output {shlex.quote(str(target))}"
            rc, said = self._run(folder, stop, self.extra_vars, binary="ansible-inventory", cmdline=cmdline)
            if rc == 0:
                return parse(target.read_text(encoding="utf-8"), str(self.spec), self.extra_vars.get("engine_url"))
        if NO_COLLECTION in said.stdout:
            remedy = "install it where Ansible looks for collections, or name its folder with collection="
            raise ClusterError(f"Ansible finds no collection gravity.cluster: {remedy}", stdout=said.stdout)
        if rc == UNREADABLE and said.errors:
            raise SpecError(said.errors, stdout=said.stdout)
        if any(NO_SPEC in line for line in said.errors):
            raise SpecError([no_cluster(str(self.spec))], stdout=said.stdout)
        raise ClusterError(f"ansible-inventory: {said.summary(rc)}", stdout=said.stdout)

    def run(
        self,
        verb: str,
        stop: threading.Event,
        *,
        limit: str | None = None,
        extra_vars: Mapping[str, Any] | None = None,
        accept: Callable[[Transcript], bool] = lambda _said: False,
    ) -> Transcript:
        """Run the playbook ``gravity.cluster.<verb>``. A failure that ``accept`` says yes to is none.

        Raises:
            SpecError: The spec is refused.
            ClusterError: The playbook fails.
            Stopped: ``stop`` was set.
        """
        title = f"{verb} ({limit})" if limit else verb
        log.info("%s begins", title)
        start = time.monotonic()
        with _folder() as folder:
            selection = {"limit": limit} if limit else {}
            variables = {**self.extra_vars, **(extra_vars or {})}
            rc, said = self._run(folder, stop, variables, playbook=f"gravity.cluster.{verb}", **selection)
        failed = rc != 0 and not accept(said)
        log.info("%s %s after %.1f s", title, "failed" if failed else "ended", time.monotonic() - start)
        if not failed:
            return said
        if rc == UNREADABLE and not said.begun and said.errors:
            raise SpecError(said.errors, stdout=said.stdout)
        raise ClusterError(f"{verb}: {said.summary(rc)}", playbook=verb, failures=said.failures, stdout=said.stdout)

    def _run(self, folder: Path, stop: threading.Event, variables: Mapping[str, Any], **what: Any) -> tuple[int | None, Transcript]:
        """One run of ansible-runner: the exit code (None when a signal ended it), and what was said."""
        collections = link(self.collection, folder / "collections") if self.collection else None
        temporary = folder / "tmp"
        temporary.mkdir()
        said, end = Transcript(), Ending(stop)

        def hear(event: Mapping[str, Any]) -> bool:
            end.hear(event)
            for line in said.hear(event):
                log.debug("%s", line)
            return False  # nobody reads the event's file

        try:
            runner = ansible_runner.run(
                private_data_dir=str(folder),
                inventory=[str(self.spec)],
                # In a file, which others may not read: command lines are public.
                extravars=dict(variables),
                envvars=environment(os.environ, str(temporary), collections),
                settings={"pexpect_timeout": LOOK, "suppress_output_file": True},
                fact_cache_type="memory",
                quiet=True,
                event_handler=hear,
                cancel_callback=end,
                **what,
            )
        # Whatever ansible-runner and pexpect raise; the caller knows one exception tree.
        except Exception as exc:
            if stop.is_set():
                raise Stopped from exc
            raise ClusterError(f"ansible-runner: {' '.join(str(exc).split()) or type(exc).__name__}", stdout=said.stdout) from exc
        if stop.is_set():
            raise Stopped
        return runner.rc, said


class Ending:
    """Ends a run when ``stop`` is set: the ``cancel_callback`` of ansible-runner.

    ansible-runner kills the process group of Ansible, whose workers are in groups of their own and would go on. So Ansible is asked first:
    it hands SIGTERM on to its workers, and to what they run.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._process: int | None = None
        self._deadline: float | None = None

    def hear(self, event: Mapping[str, Any]) -> None:
        """Learn from an event which process Ansible is; before the first one it has no workers."""
        if self._process is None and event.get("pid"):
            self._process = int(event["pid"])

    def __call__(self) -> bool:
        """Whether ansible-runner shall kill it now."""
        if not self._stop.is_set():
            return False
        if self._process is None:
            return True
        if self._deadline is None:
            self._deadline = time.monotonic() + GRACE
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGTERM)
        return time.monotonic() > self._deadline


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one run, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gravity-cluster-", ignore_cleanup_errors=True) as name:
        yield Path(name)
