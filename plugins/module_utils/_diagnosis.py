# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a node is not ready: pure functions from what was seen to the likely cause, in words."""

from __future__ import annotations

import contextlib
import re
import signal
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._predicates import judge
from ansible_collections.gravity.cluster.plugins.module_utils._quorum import quorum
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Container, Scene, Sight

# Restarts within one wait that make a loop, when they go on for as long as the target says.
LOOP = 3

# How long a state must last before it counts (seconds): someone may be starting the container right now.
EXITED_FOR = 0.5
ABSENT_FOR = 1.0
CREATED_FOR = 5.0

# How long a height must not change to be called stuck (seconds).
STUCK_FOR = 5.0

# How nodes of different chains say that a peer, or their own data, belongs to another genesis.
OTHER_GENESIS = re.compile(
    r"genesis[^\n]{0,60}(mismatch|incompatible|does not match|do not match|differ|unequal)"
    r"|(mismatch|incompatible|different|wrong)[^\n]{0,30}genesis"
    r"|(different|wrong|incompatible) network|node is on a different",
    re.IGNORECASE,
)

# How a probe failed -> the cause.
KINDS: t.Mapping[str, str] = {
    "refused": "port_closed",
    "reset": "port_closed",
    "timeout": "no_answer",
    "unreachable": "unreachable",
    "rpc": "rpc_error",
    "engine": "exec_failed",
}

# Conditions that ask for blocks.
PROGRESS = {"height_at_least", "advancing", "caught_up"}


@dataclass(frozen=True)
class Cause:
    """``kind`` is a word for programs, ``text`` one line for people."""

    kind: str
    text: str


def broken(sight: Sight, scene: Scene) -> t.Optional[Cause]:
    """Why waiting longer is of no use, None while it may be of use."""
    if sight.target.container is None or not sight.looked:
        return None
    container = sight.container
    if container is None:
        gone = sight.absent_since is not None and scene.now - sight.absent_since >= ABSENT_FOR
        return Cause("absent", f"container {sight.target.container} does not exist") if gone else None
    lasted = scene.now - container.since
    if container.status == "created":
        if container.error:
            return Cause("start_failed", f"could not be started: {container.error}")
        return Cause("not_started", "was created but never started") if lasted >= CREATED_FOR else None
    if _loops(container):
        # It may wait for another one to start.
        return _loop(container) if _restarts_for(container, scene) >= sight.target.crash_loop else None
    if container.status in ("exited", "dead") and lasted >= EXITED_FOR:
        return _ended(container)
    return None


def diagnose(sight: Sight, scene: Scene, log: str = "") -> Cause:
    """The likely cause why a node is not ready. ``log`` is the end of its log, where known."""
    container = sight.container
    if sight.target.container is not None and sight.looked:
        cause = broken(sight, scene)
        if cause is None and container is None:
            cause = Cause("absent", f"container {sight.target.container} does not exist")
        if cause is None and container is not None and _loops(container):
            cause = _loop(container)
        if cause is None and container is not None and container.status != "running":
            cause = _not_running(container)
        if cause is not None:
            return _with_genesis(cause, log) if cause.kind in ("exited", "restart_loop") else cause
    if container is not None and container.health == "unhealthy":
        return Cause("unhealthy", "the container's health check fails")
    return _of_chain(sight, scene, log) or _of_probes(sight, scene)


def ending(container: Container) -> str:
    """How a container's last run ended."""
    limit = f", limit {_size(container.memory)}" if container.memory else ""
    if container.oom_killed:
        return f"killed: out of memory{limit}"
    code = container.exit_code
    if code is None:
        return "exited"
    if code == 128 + signal.SIGKILL:
        # The Engine sometimes misses that the kernel did it.
        return f"exited with code {code} (SIGKILL: by somebody, or out of memory{limit})"
    with contextlib.suppress(ValueError):
        return f"exited with code {code} ({signal.Signals(code - 128).name})"
    return f"exited with code {code}"


def last_seen(sight: Sight) -> str:
    """The last observation of a node, in words."""
    parts = []
    if sight.container is not None:
        health = f", {sight.container.health}" if sight.container.health else ""
        parts.append(f"container {sight.container.status}{health}")
    chain = sight.chain
    if chain.height is not None:
        parts.append(f"height {chain.height}")
    if chain.peers is not None:
        parts.append(f"{chain.peers} peers")
    if chain.syncing:
        parts.append("syncing")
    if chain.chain_id is not None or chain.network is not None:
        parts.append(f"chain id {chain.chain_id if chain.chain_id is not None else chain.network}")
    parts += [f"{name}: {answer.error}" for name, answer in sight.answers.items() if answer.error]
    parts += [f"{name}: HTTP {answer.status}" for name, answer in sight.answers.items() if answer.status is not None]
    return ", ".join(parts) or "nothing"


def _ended(container: Container) -> Cause:
    return Cause("oom" if container.oom_killed else "exited", ending(container))


def _not_running(container: Container) -> Cause:
    if container.status in ("exited", "dead", "restarting"):
        return _ended(container)
    return Cause(container.status, f"container is {container.status}")


def _loop(container: Container) -> Cause:
    return Cause("restart_loop", f"restarts in a loop ({container.restarts} restarts, {ending(container)})")


def _restarts_for(container: Container, scene: Scene) -> float:
    """Seconds since this wait saw the first of the restarts."""
    return 0.0 if container.restarting_since is None else scene.now - container.restarting_since


def _loops(container: Container) -> bool:
    if container.restarts - container.restarts_at_first >= LOOP:
        return True
    # It looped already before we came: it waits for its next restart after a short run.
    return container.status == "restarting" and container.restarts >= LOOP and container.short_run


def _with_genesis(cause: Cause, log: str) -> Cause:
    line = _genesis_line(log)
    return Cause("genesis_mismatch", f"{cause.text}: its genesis is another one ({line})") if line else cause


def _genesis_line(log: str) -> str:
    for line in log.splitlines():
        if OTHER_GENESIS.search(line):
            return " ".join(line.split())[:160]
    return ""


def _of_chain(sight: Sight, scene: Scene, log: str) -> t.Optional[Cause]:
    """What is wrong with the chain, when the node's chain probes were answered."""
    if not sight.chain.answered:
        return None
    wrong = _wrong_chain_id(sight)
    if wrong is not None:
        return wrong
    line = _genesis_line(log)
    if line:
        return Cause("genesis_mismatch", f"its genesis is another one ({line})")
    return _without_peers(sight, scene) or _behind(sight, scene) or _stuck(sight, scene)


def _wrong_chain_id(sight: Sight) -> t.Optional[Cause]:
    for condition in sight.target.conditions:
        if condition.name == "chain_id":
            got = sight.chain.network if isinstance(condition.value, str) else sight.chain.chain_id
            if got is not None and got != condition.value:
                return Cause("wrong_chain_id", f"wrong chain id: got {got}, expected {condition.value}")
    return None


def _without_peers(sight: Sight, scene: Scene) -> t.Optional[Cause]:
    wanted = next((condition.value for condition in sight.target.conditions if condition.name == "peers_at_least"), 0)
    others = any(other.target.name != sight.target.name and _speaks(other) for other in scene.sights.values())
    if sight.chain.peers == 0 and (int(wanted or 0) > 0 or (others and PROGRESS & _wants(sight))):
        return Cause("no_peers", f"no peers at height {_known(sight.chain.height)}")
    return None


def _behind(sight: Sight, scene: Scene) -> t.Optional[Cause]:
    if not sight.chain.syncing or not ({"not_syncing"} | PROGRESS) & _wants(sight):
        return None
    goal = sight.chain.highest if sight.chain.highest is not None else scene.highest
    return Cause("syncing", f"still syncing at height {_known(sight.chain.height)} of {_known(goal)}")


def _stuck(sight: Sight, scene: Scene) -> t.Optional[Cause]:
    height = sight.chain.height
    since = sight.grew_at if sight.grew_at is not None else scene.started
    # A wait that was short from the start can't ask for more than half of itself.
    still = scene.now - since >= min(STUCK_FOR, (scene.now - scene.started) / 2)
    if height is None or not still or not PROGRESS & _wants(sight) or judge(sight, scene).ok:
        return None
    return Cause("stuck", f"height stuck at {height}{_quorum_says(scene)}")


def _wants(sight: Sight) -> t.Set[str]:
    return {condition.name for condition in sight.target.conditions}


def _speaks(sight: Sight) -> bool:
    return any(probe.chain for probe in sight.target.probes)


def _quorum_says(scene: Scene) -> str:
    if not scene.powers:
        return ""
    up = [name for name in scene.powers if _works(scene.sights.get(name))]
    state = quorum(scene.powers, up)
    validators = f"{len(up)} of {len(scene.powers)} validators run ({state.remaining} of {state.total} voting power)"
    return f": {validators}" if state.ok else f": no quorum, {validators}"


def _works(sight: t.Optional[Sight]) -> bool:
    """Whether a validator seems to take part. One that is not looked at gets the benefit of the doubt."""
    if sight is None:
        return True
    if sight.target.container is None:
        return sight.chain.answered
    return sight.container is not None and sight.container.status == "running"


def _of_probes(sight: Sight, scene: Scene) -> Cause:
    """What the first condition that does not hold says, sorted into kinds."""
    reason = judge(sight, scene).reason
    for answer in sight.answers.values():
        if answer.error is not None and answer.error == reason:
            kind = KINDS.get(answer.cause or "", "no_answer")
            return Cause(kind, f"{reason} (nothing listens there)" if kind == "port_closed" else reason)
    if reason.startswith("HTTP status"):
        return Cause("http_status", reason)
    if reason.startswith("probe ") and " ends with " in reason:
        return Cause("exec_failed", reason)
    return Cause("waiting", reason or "not ready")


def _known(height: t.Optional[int]) -> str:
    return "?" if height is None else str(height)


def _size(count: int) -> str:
    for unit in ("", "k", "m"):
        if count < 1024 or count % 1024:
            return f"{count}{unit}"
        count //= 1024
    return f"{count}g"
