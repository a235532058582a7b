# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until nodes are ready: one thread per probe and one for the Engine observe, one judges what they saw.

So a node that hangs delays nobody's observation but its own.
"""

from __future__ import annotations

import functools
import threading
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gravity.cluster.plugins.module_utils._answers import clean
from ansible_collections.gravity.cluster.plugins.module_utils._diagnosis import Cause, broken, diagnose, last_seen
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, NotReady, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._logs import Wanted, container_log, file_log
from ansible_collections.gravity.cluster.plugins.module_utils._observed import ABSENT
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner
from ansible_collections.gravity.cluster.plugins.module_utils._predicates import Verdict, judge, minority, same_block_hash
from ansible_collections.gravity.cluster.plugins.module_utils._probes import Prober, at_once
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._sight import (
    Answer,
    Container,
    Scene,
    Sight,
    chain_of,
    common_block,
    inspected,
    listed,
    with_block,
)
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Target, parse_targets, parse_together

# How often a wait tells what it waits for (seconds).
TELL_EVERY = 2.0

# A node that is ready is asked this many times less often: the others need the processor more.
CALM = 5

# A port at which nothing listens is tried again after this part of the interval: it costs next to nothing.
KNOCK = 0.5

# How often a running container that is not ready yet is inspected, for its restart count (seconds).
INSPECT_EVERY = 1.0

# For how long the Engine may fail to answer before the wait is given up (seconds).
ENGINE_GONE = 10.0

# How long check mode waits at most (seconds): what it would change is not there to wait for.
CHECK_MODE = 10.0

# Causes that are often the consequence of what is wrong with another node.
CONSEQUENCES = {"stuck", "syncing", "no_peers", "waiting"}

# Lines of a failed node's log that go into the result.
LOG_LINES = 20
# The longest of them (characters).
LONGEST_LOG_LINE = 1000


@dataclass(frozen=True)
class Wish:
    """What to wait for. ``timeout`` and ``interval`` are in seconds."""

    cluster: str
    targets: t.Tuple[Target, ...]
    together: t.Tuple[str, ...] = ()
    timeout: float = 120.0
    interval: float = 0.2
    fail_fast: bool = True
    powers: t.Mapping[str, int] = field(default_factory=dict)


def work(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``rpc_ready``."""
    if params["timeout"] <= 0:
        raise Refused(f"timeout {params['timeout']} is not a time: give more than 0 seconds")
    if params["interval"] < 10:
        raise Refused(f"interval {params['interval']} is too short: give at least 10 milliseconds")
    wish = Wish(
        cluster=params["cluster"],
        targets=parse_targets(params["nodes"], engine.options.url),
        together=parse_together(params["together"]),
        timeout=params["timeout"],
        interval=params["interval"] / 1000,
        fail_fast=params["fail_fast"],
        powers=parse_powers(params["validators"]),
    )
    return Wait(wish, engine, progress).check() if check_mode else Wait(wish, engine, progress).run()


def parse_powers(raw: t.Optional[t.Mapping[str, t.Any]]) -> t.Dict[str, int]:
    """Voting powers from an option: whole numbers, not negative."""
    powers = {}
    for name, power in (raw or {}).items():
        try:
            powers[str(name)] = int(power)
        except (TypeError, ValueError):
            raise Refused(f"validators: the voting power {power!r} of {name} is not a whole number: give one") from None
        if powers[str(name)] < 0:
            raise Refused(f"validators: the voting power {power!r} of {name} is negative: give 0 or more")
    return powers


class Board:
    """What was seen last of every node. Written by the observers, read by the judge."""

    def __init__(self, targets: t.Sequence[Target], clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._sights = {target.name: Sight(target) for target in targets}
        self._news = True
        self._calm: t.Set[str] = set()
        self.failing_since: t.Optional[float] = None
        self.failure: t.Optional[ClusterError] = None

    def answered(self, name: str, probe: str, answer: Answer) -> None:
        """Note the answer of a probe of a node."""
        with self._changed:
            old = self._sights[name]
            answers = {**old.answers, probe: answer}
            chain = chain_of(old.target, answers)
            first, grew_at = old.first_height, old.grew_at
            if first is None:
                first = chain.height
            if chain.height is not None and (old.chain.height is None or chain.height > old.chain.height):
                grew_at = answer.at
            kind = next(one.type for one in old.target.probes if one.name == probe)
            blocks = with_block(old.blocks, kind, answer)
            self._put(name, replace(old, answers=answers, chain=chain, first_height=first, grew_at=grew_at, blocks=blocks))

    def saw(self, containers: t.Mapping[str, Container]) -> None:
        """Note the containers that the Engine listed, by container name."""
        now = self._clock()
        with self._changed:
            self.failing_since, self.failure = None, None
            for name, old in self._sights.items():
                if old.target.container is not None:
                    self._put(name, _merged(old, containers.get(old.target.container), now))

    def engine_failed(self, failure: ClusterError) -> None:
        """Note that the Engine did not answer."""
        with self._changed:
            self.failure = failure
            if self.failing_since is None:
                self.failing_since = self._clock()
            self._tell()

    def sights(self) -> t.Dict[str, Sight]:
        """Everything, as of now."""
        with self._changed:
            return dict(self._sights)

    def calm(self, ready: t.Iterable[str]) -> None:
        """Which nodes need less attention."""
        self._calm = set(ready)

    def is_calm(self, name: str) -> bool:
        """Whether a node needs less attention."""
        return name in self._calm

    def wait(self, timeout: float) -> None:
        """Return when something new was noted, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._news, max(timeout, 0))
            self._news = False

    def _put(self, name: str, sight: Sight) -> None:
        self._sights[name] = sight
        self._tell()

    def _tell(self) -> None:
        self._news = True
        self._changed.notify_all()


class Wait:
    """One wait for the nodes of a cluster."""

    def __init__(self, wish: Wish, engine: t.Optional[Engine], progress: Progress, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.wish = wish
        self._engine = engine
        self._progress = progress
        self._clock = clock
        self._board = Board(wish.targets, clock)
        self._over = threading.Event()
        self._probers = [Prober(target, probe, engine, clock) for target in wish.targets for probe in target.probes]
        self._started = clock()
        self._ready_at: t.Dict[str, float] = {}
        self._unlike = Verdict(True)
        self._odd: t.List[str] = []
        self._agree_at = self._started

    def run(self) -> t.Dict[str, t.Any]:
        """Wait until all are ready; :class:`NotReady` when they did not become so."""
        scene, causes = self._until(self.wish.timeout)
        if not causes:
            return self._result(scene)
        raise self._failure(scene, causes)

    def check(self) -> t.Dict[str, t.Any]:
        """For check mode: wait only for what is there, and never fail."""
        missing = self._containers_missing()
        if missing:
            return {**self._result(self._scene(), ready=False), "note": f"not waited: {', '.join(missing)} not running yet"}
        scene, causes = self._until(min(self.wish.timeout, CHECK_MODE))
        result = self._result(scene, causes, ready=not causes)
        return {**result, "note": "; ".join(f"{name}: {cause.text}" for name, cause in causes.items())} if causes else result

    def _until(self, timeout: float) -> t.Tuple[Scene, t.Dict[str, Cause]]:
        """Observe until all are ready (no causes), one cannot become so, or the time is over."""
        deadline = self._started + timeout
        tell_at = self._started + TELL_EVERY
        self._observe()
        try:
            while True:
                scene = self._scene()
                verdicts = {name: judge(sight, scene) for name, sight in scene.sights.items()}
                self._note(verdicts, scene.now)
                if all(verdict.ok for verdict in verdicts.values()) and self._agree(scene, deadline):
                    return self._scene(), {}
                causes = self._hopeless(scene) if self.wish.fail_fast else {}
                if causes or self._clock() >= deadline:
                    return scene, causes or self._late(scene, verdicts)
                if self._clock() >= tell_at:
                    tell_at += TELL_EVERY
                    self._progress.say(told(verdicts, self._unlike))
                self._give_up_without_engine()
                # A few milliseconds gather what fifty nodes answer at the same time.
                time.sleep(0.005)
                self._board.wait(min(deadline, tell_at, self._clock() + self.wish.interval) - self._clock())
        finally:
            self._over.set()

    def _scene(self) -> Scene:
        return Scene(self._clock(), self._started, self._board.sights(), self.wish.powers)

    def _note(self, verdicts: t.Mapping[str, Verdict], now: float) -> None:
        ready = {name for name, verdict in verdicts.items() if verdict.ok}
        self._ready_at = {name: self._ready_at.get(name, now) for name in ready}
        self._board.calm(ready)

    def _hopeless(self, scene: Scene) -> t.Dict[str, Cause]:
        found = {name: broken(sight, scene) for name, sight in scene.sights.items()}
        return {name: cause for name, cause in found.items() if cause is not None}

    def _late(self, scene: Scene, verdicts: t.Mapping[str, Verdict]) -> t.Dict[str, Cause]:
        """The causes when the time is over. Nodes of another genesis often only show that they find no peers."""
        self._agree(scene, self._clock() + 1.0, everyone=False)
        causes = {name: diagnose(scene.sights[name], scene) for name, verdict in verdicts.items() if not verdict.ok}
        for name in self._odd:
            if name not in causes or causes[name].kind in ("no_peers", "stuck", "waiting"):
                causes[name] = Cause("genesis_mismatch", f"not on the same chain as the others: {self._unlike.reason}")
        if not causes:
            causes = {name: Cause("waiting", self._unlike.reason or "became ready too late") for name in verdicts}
        return causes

    # Observers ------------------------------------------------------------------------------------------------------

    def _observe(self) -> None:
        if any(target.container for target in self.wish.targets):
            threading.Thread(target=self._watch_engine, daemon=True).start()
        for index, prober in enumerate(self._probers):
            # Spread over one interval, so that fifty nodes are not all asked in the same moment.
            delay = self.wish.interval * index / len(self._probers)
            threading.Thread(target=self._watch, args=(prober, delay), daemon=True).start()

    def _watch(self, prober: Prober, delay: float) -> None:
        name, probe = prober.target.name, prober.probe
        while not self._over.wait(delay):
            begun = self._clock()
            answer = prober.ask()
            self._board.answered(name, probe.name, answer)
            taken = self._clock() - begun
            pause = self.wish.interval * self._rhythm(name, answer)
            # A command in a container costs the host far more than a request: never keep it busy more than half of the time.
            delay = max(pause - taken, taken if probe.type == "exec" else 0.0)
        prober.close()

    def _rhythm(self, name: str, answer: Answer) -> float:
        """How many intervals to pause before the next question."""
        if self._board.is_calm(name):
            return CALM
        return KNOCK if answer.cause == "refused" else 1

    def _watch_engine(self) -> None:
        wanted = {target.container for target in self.wish.targets if target.container}
        known: t.Dict[str, Container] = {}
        inspected_at: t.Dict[str, float] = {}
        while True:
            begun = self._clock()
            try:
                self._board.saw(self._look(wanted, known, inspected_at))
            except ClusterError as exc:
                self._board.engine_failed(exc)
            except Exception as exc:  # noqa: BLE001 - this thread must not die silently
                self._board.engine_failed(ClusterError(f"observing the containers of {self.wish.cluster}: {type(exc).__name__}: {exc}"))
            if self._over.wait(max(self.wish.interval - (self._clock() - begun), 0)):
                return

    def _look(self, wanted: t.Set[str], known: t.Dict[str, Container], inspected_at: t.Dict[str, float]) -> t.Dict[str, Container]:
        """One list, and an inspection of what looks wrong or may restart between two looks."""
        containers = list_containers(self._engine, self.wish.cluster)
        now = self._clock()
        nodes = {target.container: target for target in self.wish.targets}
        due = []
        for name in sorted(wanted & set(containers)):
            current, before = containers[name], known.get(name)
            # Of a node without conditions, the container's start is all that there is to judge by.
            every = INSPECT_EVERY if nodes[name].conditions and nodes[name].stable is None else 0.0
            waited = now - inspected_at.get(name, float("-inf")) >= every and not self._board.is_calm(nodes[name].name)
            if waited or current.status != "running" or before is None or before.id != current.id or before.status != "running":
                due.append(current)
            else:
                containers[name] = replace(before, status=current.status, health=current.health)
        found = each(due, lambda container: inspect_container(self._engine, container.id))
        for container in (container for container in found if container is not None):
            since = None if container.started is None else now - max(time.time() - container.started, 0.0)
            known[container.name] = containers[container.name] = replace(container, running_since=since)
            inspected_at[container.name] = now
        return containers

    def _give_up_without_engine(self) -> None:
        since, failure = self._board.failing_since, self._board.failure
        if failure is not None and since is not None and self._clock() - since >= ENGINE_GONE:
            raise failure

    def _containers_missing(self) -> t.List[str]:
        wanted = {target.name: target.container for target in self.wish.targets if target.container}
        if not wanted:
            return []
        containers = list_containers(self._engine, self.wish.cluster)
        return [name for name, container in wanted.items() if container not in containers or containers[container].status != "running"]

    # Conditions over all nodes ----------------------------------------------------------------------------------------

    def _agree(self, scene: Scene, deadline: float, everyone: bool = True) -> bool:
        """Whether the conditions over all nodes hold. Without ``everyone``, nodes without blocks are left out."""
        if "same_block_hash" not in self.wish.together:
            return True
        if everyone and self._clock() < self._agree_at:
            return False
        self._agree_at = self._clock() + self.wish.interval
        for kind in ("eth", "cometbft"):
            probers = {prober.target.name: prober for prober in self._probers if prober.probe.type == kind}
            if kind == "cometbft":
                probers = {name: prober for name, prober in probers.items() if not _speaks_eth(scene.sights[name].target)}
            heights = {name: scene.sights[name].chain.height for name in probers}
            known = {name: height for name, height in heights.items() if height is not None and (everyone or height > 0)}
            if len(known) < 2:
                continue
            height, hashes = common_block([scene.sights[name] for name in known], kind) or self._asked(probers, known, deadline)
            if not everyone:
                hashes = {name: block for name, block in hashes.items() if block is not None}
            self._unlike = same_block_hash(hashes, height)
            self._odd = minority(hashes)
            if not self._unlike.ok:
                return False
        return True

    def _asked(
        self, probers: t.Mapping[str, Prober], heights: t.Mapping[str, int], deadline: float
    ) -> t.Tuple[int, t.Dict[str, t.Optional[str]]]:
        """The lowest height, and the hashes there that the nodes tell when they are asked."""
        height = min(heights.values())

        def ask(prober: Prober) -> t.Optional[str]:
            # A connection of its own: the prober's is in use by its thread.
            own = Prober(prober.target, prober.probe, self._engine, self._clock)
            try:
                return own.block_hash(height)
            finally:
                own.close()

        works = {name: functools.partial(ask, probers[name]) for name in heights}
        longest = max(probers[name].probe.timeout for name in heights)
        found = at_once(works, max(min(longest, deadline - self._clock()), 0.05))
        return height, {name: found.get(name) for name in heights}

    # Results ------------------------------------------------------------------------------------------------------------

    def _result(self, scene: Scene, causes: t.Optional[t.Mapping[str, Cause]] = None, ready: bool = True) -> t.Dict[str, t.Any]:
        causes = causes or {}
        return {
            "changed": False,
            "ready": ready,
            "seconds": round(scene.now - self._started, 3),
            "nodes": {name: self._report(sight, scene, causes.get(name)) for name, sight in scene.sights.items()},
        }

    def _report(self, sight: Sight, scene: Scene, cause: t.Optional[Cause]) -> t.Dict[str, t.Any]:
        ready_at = self._ready_at.get(sight.target.name)
        chain = sight.chain
        ready = ready_at is not None and cause is None
        return {
            "ready": ready,
            "seconds": round(ready_at - self._started, 3) if ready and ready_at is not None else None,
            "height": chain.height,
            "peers": chain.peers,
            "syncing": chain.syncing,
            "chain_id": chain.chain_id if chain.chain_id is not None else chain.network,
            "block_hash": chain.block_hash,
            "state": state_of_sight(sight),
            "reason": None if ready else (cause.text if cause is not None else judge(sight, scene).reason or None),
        }

    def _failure(self, scene: Scene, causes: t.Dict[str, Cause]) -> NotReady:
        logs = self._logs(scene, causes)
        for name, lines in logs.items():
            if causes[name].kind not in ("genesis_mismatch", "oom"):
                causes[name] = diagnose(scene.sights[name], scene, "\n".join(lines)) if causes[name].kind != "waiting" else causes[name]
        failures = {
            name: {"cause": cause.kind, "reason": cause.text, "last": last_seen(scene.sights[name]), "log": logs.get(name, [])}
            for name, cause in causes.items()
        }
        result = self._result(scene, causes, ready=False)
        return NotReady(message(failures, len(scene.sights), result["seconds"]), failures=failures, **result)

    def _logs(self, scene: Scene, causes: t.Mapping[str, Cause]) -> t.Dict[str, t.List[str]]:
        engine = self._engine
        if engine is None:
            return {}
        works: t.Dict[str, t.Callable[[], t.List[str]]] = {}
        for name in causes:
            container, files = scene.sights[name].container, scene.sights[name].target.log_files
            if container is not None:
                works[name] = functools.partial(log_lines, engine, container.id, files, LOG_LINES)
        return at_once(works, 5.0)


def message(failures: t.Mapping[str, t.Mapping[str, t.Any]], total: int, seconds: float) -> str:
    """One line that names the nodes (three at most), the causes and what was seen last.

    Nodes that suffer from others come last: who waits for a quorum says nothing of why there is none.
    """
    parts = []
    for name, failure in sorted(failures.items(), key=lambda item: item[1]["cause"] in CONSEQUENCES)[:3]:
        log = failure["log"] if failure["cause"] not in CONSEQUENCES else []
        last = f"; last log line: {log[-1][:200]}" if log else ""
        parts.append(f"{name}: {failure['reason']} (last seen: {failure['last']}{last})")
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    return f"{len(failures)} of {total} nodes not ready after {seconds:.1f} s: {'; '.join(parts)}{more}"


def told(verdicts: t.Mapping[str, Verdict], unlike: Verdict) -> str:
    """The progress line."""
    waiting = [(name, verdict.reason) for name, verdict in verdicts.items() if not verdict.ok]
    parts = [f"{name}: {reason}" for name, reason in waiting[:4]]
    if len(waiting) > 4:
        parts.append(f"and {len(waiting) - 4} more")
    if not waiting and not unlike.ok:
        parts.append(unlike.reason)
    return "; ".join([f"{len(verdicts) - len(waiting)} of {len(verdicts)} ready", *parts])


def state_of_sight(sight: Sight) -> t.Optional[str]:
    """The state of a node's container in our words; None when none is looked at."""
    if sight.target.container is None or not sight.looked:
        return None
    return ABSENT if sight.container is None else sight.container.state


def list_containers(engine: t.Optional[Engine], cluster: str) -> t.Dict[str, Container]:
    """The node containers of a cluster by container name, stopped ones too."""
    if engine is None:
        return {}
    return {container.name: container for container in map(listed, Owner(engine, cluster).list("node"))}


def inspect_container(engine: t.Optional[Engine], container: str) -> t.Optional[Container]:
    """A container, None when it is gone."""
    if engine is None:
        return None
    with engine.translating(f"inspecting container {container[:12]}"):
        try:
            return inspected(engine.api.inspect_container(container))
        except Exception as exc:
            if getattr(exc, "status_code", None) == 404 or getattr(getattr(exc, "response", None), "status_code", None) == 404:
                return None
            raise


def log_lines(engine: Engine, container: str, files: t.Sequence[str], tail: int) -> t.List[str]:
    """The last lines of each of a container's log files, and then of its output."""
    wanted = Wanted(tail)
    lines = [line for path in files for line in file_log(engine, container, path, wanted) or []]
    # They become a part of the result, and a line may be long.
    return [clean(line, LONGEST_LOG_LINE) for line in lines + container_log(engine, container, wanted)]


def _merged(old: Sight, found: t.Optional[Container], now: float) -> Sight:
    """The sight with what the Engine says now; keeps since when a status lasts, and of restarts how many were before and since when."""
    if found is None:
        return replace(old, looked=True, container=None, absent_since=old.absent_since if old.absent_since is not None else now)
    before = old.container
    same = before is not None and before.id == found.id
    at_first = before.restarts_at_first if same and before is not None else found.restarts
    restarting = found.status == "restarting" or found.restarts > at_first
    restarting_since = before.restarting_since if same and before is not None else None
    found = replace(
        found,
        since=before.since if same and before is not None and before.status == found.status else now,
        restarts_at_first=at_first,
        restarting_since=now if restarting and restarting_since is None else restarting_since,
    )
    return replace(old, looked=True, container=found, absent_since=None)


def _speaks_eth(target: Target) -> bool:
    return any(probe.type == "eth" for probe in target.probes)
