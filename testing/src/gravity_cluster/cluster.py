# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster as a test suite sees it."""

from __future__ import annotations

import json
import logging
import math
import shlex
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, final

from .environment import find_collection
from .errors import ClusterError
from .inventory import Inventory, Node
from .playbooks import Playbooks
from .records import ExecResult, NodeHealth
from .rpc import RpcClient
from .threads import Stopped, in_thread
from .transcript import Transcript

log = logging.getLogger("gravity_cluster")

Result = TypeVar("Result")

LOGS = "gravity.cluster.node_logs_info"
EXEC = "gravity.cluster.node_exec"


@final
class Cluster:
    """The cluster of one spec, driven by the playbooks of the collection.

    ``async with Cluster("cluster.yml") as c`` launches it and waits until it is ready. However the block is left, by its end, an error,
    Ctrl-C or a cancelled task, the cluster is taken away with its data, keys and genesis, also where it had been there before.

    Args:
        spec: Path of the cluster spec.
        extra_vars: Variables for every playbook, as ``-e`` gives them to Ansible (``engine_url`` for example).
        keep: Leave the cluster running at the end of the block, and after a launch that failed.
        collection: Folder of the collection. By default the repository that this package lies in, else the collection
            ``gravity.cluster`` that Ansible finds.
        ready_timeout: Seconds that the nodes get to become ready. By default the playbooks' own.

    Nothing belongs to an event loop: one cluster may be used from several, one after the other or in threads. Its playbooks run one at a
    time. Every method raises :class:`ClusterError` when its playbook fails, :class:`SpecError` when the spec is refused, and
    :class:`NodeUnknown` for a node that the spec lacks. When the task is cancelled, the playbook is ended before ``CancelledError``
    goes on.
    """

    def __init__(
        self,
        spec: str | Path,
        *,
        extra_vars: Mapping[str, Any] | None = None,
        keep: bool = False,
        collection: str | Path | None = None,
        ready_timeout: float | None = None,
    ) -> None:
        self.spec = Path(spec).expanduser().absolute()
        self.keep = keep
        variables = {**_seconds(ready_timeout), **(extra_vars or {})}
        self._playbooks = Playbooks(self.spec, find_collection(collection, Path(__file__)), variables)
        self._inventory: Inventory | None = None
        # Not asyncio's: that belongs to one loop.
        self._lock = threading.Lock()

    async def __aenter__(self) -> Cluster:
        await self.launch()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.keep:
            await self._take_away(error)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._read().name

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in the order of the spec. Reads the spec when no other call has done so; that takes a second."""
        return self._read().nodes

    async def launch(self) -> None:
        """Deploy the cluster as the spec is now, and wait until it is ready. After a failure it is taken away, unless ``keep`` is set."""
        # A mistake in the spec ends here, before there is anything to take away.
        await self._call(lambda stop: self._read(stop, anew=True))
        try:
            await self._play("deploy")
        except BaseException as error:
            if not self.keep:
                await self._take_away(error)
            raise

    async def shutdown(self) -> None:
        """Remove containers, network, data, keys and genesis, also with ``keep``. It runs to its end even when the task is cancelled."""
        await self._call(self._purge, stoppable=False)

    async def stop_node(self, node: str, *, force: bool = False) -> None:
        """Stop a node with grace. Refused when the validators that are left would lose the quorum, unless ``force`` is set."""
        await self._play("stop", node, _forced(force))

    async def start_node(self, node: str) -> None:
        """Start a node, and wait until it is ready."""
        await self._play("start", node)

    async def restart_node(self, node: str, *, force: bool = False) -> None:
        """Restart a node, and wait until it has caught up. The others must hold the quorum, unless ``force`` is set."""
        await self._play("restart", node, _forced(force))

    async def clear_storage(self, node: str, *, force: bool = False) -> None:
        """Clear the data of a node that is stopped; its keys and its configuration stay. A start lets it catch up anew.

        The others must hold the quorum, unless ``force`` is set.
        """
        await self._play("clear_storage", node, _forced(force))

    async def upgrade_node(self, node: str, image: str, *, force: bool = False) -> None:
        """Bring a node to another image. One that does not become ready gets its old image back, and the call fails.

        The others must hold the quorum, unless ``force`` is set.
        """
        await self._play("upgrade", node, {"upgrade_image": _literal(image), **_forced(force)})

    async def wait_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the playbook says what is missing at its end
        """Wait until all nodes are ready; ``timeout`` in seconds, by default the cluster's."""
        await self._play("wait", None, _seconds(timeout))

    async def health(self) -> dict[str, NodeHealth]:
        """How every node is now, by name."""
        return await self._call(self._health)

    async def logs(
        self, node: str, *, tail: int = 100, since: str | None = None, until: str | None = None, grep: str | None = None
    ) -> list[str]:
        """The last lines that a node logged, also when it does not run; none when it has no container.

        What the container put out comes first. Each log file in its volumes follows, after a line ``==> path <==``.

        Args:
            node: The node.
            tail: Lines from the end, of the output and of each file; -1 for all.
            since: Only what is newer: ``5m``, or a time such as ``2026-01-31T12:00:00Z``.
            until: Only what is not newer.
            grep: Only lines in which this regular expression is found; ``tail`` counts those.
        """
        return (await self._call(lambda stop: self._logs(stop, _lines(tail, since, until, grep), node)))[node]

    async def all_logs(
        self, *, tail: int = 100, since: str | None = None, until: str | None = None, grep: str | None = None
    ) -> dict[str, list[str]]:
        """As :meth:`logs`, of all nodes by name, with one playbook."""
        return await self._call(lambda stop: self._logs(stop, _lines(tail, since, until, grep)))

    async def exec(self, node: str, cmd: str | Sequence[str]) -> ExecResult:
        """Run a command in a node: a list of words, or a line that is split as a shell does, without a shell.

        A command that fails is a result as well. One that does not end within a minute raises ClusterError, and so does a node that
        does not run.
        """
        line = cmd if isinstance(cmd, str) else shlex.join(cmd)
        return await self._call(lambda stop: self._exec(stop, node, line))

    def client(self, node: str, *, timeout: float = 10.0) -> RpcClient:
        """A JSON-RPC client of a node; ``timeout`` in seconds. It trusts no answer before the chain id is that of the spec.

        Raises:
            NodeUnknown: There is no such node.
            ClusterError: The node has no JSON-RPC, or none that this machine reaches.
        """
        known = self._read().node(node)
        if known.rpc_url is None:
            raise ClusterError(f"{node} {known.rpc_problem}")
        return RpcClient(known.rpc_url, timeout=timeout, chain_id=known.chain_id)

    # What follows runs in threads.

    async def _call(self, work: Callable[[threading.Event], Result], *, stoppable: bool = True) -> Result:
        """Run ``work`` in a thread when it is its turn."""

        def turn(stop: threading.Event) -> Result:
            while not stop.is_set():
                if self._lock.acquire(timeout=0.2):
                    try:
                        # Who was cancelled while waiting does not begin.
                        if not stop.is_set():
                            return work(stop)
                    finally:
                        self._lock.release()
            raise Stopped

        return await in_thread(turn, stoppable=stoppable)

    async def _play(self, verb: str, node: str | None = None, extra_vars: Mapping[str, Any] | None = None) -> None:
        await self._call(lambda stop: self._run(stop, verb, node, extra_vars))

    def _run(
        self,
        stop: threading.Event,
        verb: str,
        node: str | None = None,
        extra_vars: Mapping[str, Any] | None = None,
        accept: Callable[[Transcript], bool] = lambda _said: False,
    ) -> Transcript:
        known = self._read(stop)
        if node is not None:
            known.node(node)
        return self._playbooks.run(verb, stop, limit=node, extra_vars=extra_vars, accept=accept)

    def _read(self, stop: threading.Event | None = None, *, anew: bool = False) -> Inventory:
        known = self._inventory
        if known is None or anew:
            known = self._inventory = self._playbooks.inventory(stop or threading.Event())
        return known

    async def _take_away(self, error: BaseException | None) -> None:
        """Shut down after ``error``, which says more than a failure of this."""
        try:
            await self.shutdown()
        except ClusterError:
            if error is None:
                raise

    def _purge(self, stop: threading.Event) -> None:
        try:
            self._run(stop, "teardown", extra_vars={"teardown_purge": True, "confirm": self._read(stop).name})
        except ClusterError as exc:
            # Another error, or the cancellation, may go on in the place of this one.
            log.error("%s may be left behind: %s", self.spec.name, exc)  # noqa: TRY400 - one line says it
            raise

    def _health(self, stop: threading.Event) -> dict[str, NodeHealth]:
        with tempfile.TemporaryDirectory(prefix="gravity-cluster-") as folder:
            target = Path(folder) / "status.json"
            # Where a Docker host is away, the playbook fails after it has written what it knows.
            self._run(stop, "status", extra_vars={"status_output": str(target)}, accept=lambda _said: target.exists())
            records = json.loads(target.read_text(encoding="utf-8"))["nodes"]
        return {record["node"]: NodeHealth.from_record(record) for record in records}

    def _logs(self, stop: threading.Event, wanted: Mapping[str, Any], node: str | None = None) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in ([node] if node else self._read(stop).nodes)}
        # One result per Docker host.
        for result in self._run(stop, "logs", node, wanted).results(LOGS):
            for name, lines in result["logs"].items():
                files = (result.get("files") or {}).get(name) or {}
                found[name] = [*lines, *(line for path, content in files.items() for line in (f"==> {path} <==", *content))]
        return found

    def _exec(self, stop: threading.Event, node: str, line: str) -> ExecResult:
        def result(said: Transcript) -> Mapping[str, Any] | None:
            done = [nodes[node] for nodes in (one.get("nodes") or {} for one in said.results(EXEC)) if node in nodes]
            return done[-1] if done and done[-1].get("rc") is not None else None

        said = self._run(stop, "exec", node, {"command": _literal(line)}, accept=lambda said: result(said) is not None)
        done = result(said)
        if done is None:
            raise ClusterError(f"exec: {node} gave no result", playbook="exec", stdout=said.stdout)
        return ExecResult(int(done["rc"]), str(done["stdout"]), str(done["stderr"]))


def _seconds(timeout: float | None) -> dict[str, int]:
    return {} if timeout is None else {"ready_timeout": math.ceil(timeout)}


def _lines(tail: int, since: str | None, until: str | None, grep: str | None) -> dict[str, Any]:
    texts = {"since": since, "until": until, "grep": grep}
    return {"tail": tail, **{name: _literal(text) for name, text in texts.items() if text}}


def _forced(force: bool) -> dict[str, Any]:
    return {"quorum_override": True} if force else {}


def _literal(text: str) -> dict[str, str]:
    """Text that Ansible does not take for a template, whatever braces it has."""
    return {"__ansible_unsafe": text}
