# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness predicates: pure functions over what was seen. A new one is a function here and an entry in PREDICATES.

The names that the spec may use, and the arguments that they take, are in ``_targets.CONDITIONS``.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer, Scene, Sight
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Condition

# An answer older than this many seconds, on top of the time that two requests may take, does not count any more.
STALE = 2.0

# How long a container must run to be ready when there is no other way to tell (seconds): one that fails, mostly does soon.
SETTLED = 2.0
# The same after the Engine had to restart it (seconds): as long as the Engine itself takes to believe in a run.
RECOVERED = 10.0

# caught_up without a value: how many blocks behind the highest node are near enough.
NEAR = 2


@dataclass(frozen=True)
class Verdict:
    """Whether a condition holds, and if not, what was seen instead (one line)."""

    ok: bool
    reason: str = ""


HOLDS = Verdict(True)

Predicate = t.Callable[[Condition, Sight, Scene], Verdict]


def judge(sight: Sight, scene: Scene) -> Verdict:
    """Whether a node is ready: its container runs long enough and every condition holds. The first that does not gives the reason."""
    verdict = running(Condition("running"), sight, scene)
    if not verdict.ok:
        return verdict
    for condition in sight.target.conditions:
        verdict = PREDICATES[condition.name](condition, sight, scene)
        if not verdict.ok:
            return verdict
    if not sight.target.conditions:
        verdict = healthy(Condition("healthy"), sight, scene)
    return _stable(sight, scene) if verdict.ok else verdict


def _stable(sight: Sight, scene: Scene) -> Verdict:
    """The container has been running long enough. Unless the target says how long, that matters where nothing else is known of the node."""
    container, patience = sight.container, sight.target.stable
    if container is None:
        return HOLDS
    if patience is None and (sight.target.conditions or container.health is not None):
        return HOLDS
    if patience is None:
        patience = RECOVERED if container.restarts else SETTLED
    if container.running_since is not None and scene.now - container.running_since < patience:
        begun = "restarted" if container.restarts else "started"
        return Verdict(False, f"container {container.name} has just been {begun}: it must run for {patience:g} s")
    return HOLDS


def running(_condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The container runs; always so when no container is looked at."""
    if sight.target.container is None:
        return HOLDS
    if not sight.looked:
        return Verdict(False, "not looked at yet")
    if sight.container is None:
        return Verdict(False, f"container {sight.target.container} does not exist")
    if sight.container.status == "running":
        return HOLDS
    return Verdict(False, f"container {sight.target.container} is {sight.container.status}")


def healthy(_condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The container's own health check passes; always so when it has none."""
    if sight.container is None or sight.container.health in (None, "healthy"):
        return HOLDS
    return Verdict(False, f"the container's health check says {sight.container.health}")


def answers(condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The probe is answered, whatever the answer."""
    answer = _answer(condition, sight, scene)
    return Verdict(False, answer) if isinstance(answer, str) else HOLDS


def chain_id(condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The node is on the chain ``value``: a number for Ethereum JSON-RPC, a name for CometBFT."""
    got: t.Union[int, str, None] = sight.chain.network if isinstance(condition.value, str) else sight.chain.chain_id
    if got is None:
        return Verdict(False, _silence(sight, "chain id"))
    return HOLDS if got == condition.value else Verdict(False, f"wrong chain id: got {got}, expected {condition.value}")


def height_at_least(condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The node's latest block is at ``value`` or above."""
    height = sight.chain.height
    if height is None:
        return Verdict(False, _silence(sight, "height"))
    return HOLDS if height >= _value(condition) else Verdict(False, f"height {height}, waiting for {condition}")


def advancing(_condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The height grew since it was first seen in this wait."""
    height, first = sight.chain.height, sight.first_height
    if height is None or first is None:
        return Verdict(False, _silence(sight, "height"))
    return HOLDS if height > first else Verdict(False, f"height {height}, waiting for it to grow")


def peers_at_least(condition: Condition, sight: Sight, _scene: Scene) -> Verdict:
    """The node is connected to at least ``value`` others."""
    wanted = _value(condition)
    if wanted <= 0:
        return HOLDS
    peers = sight.chain.peers
    if peers is None:
        return Verdict(False, _silence(sight, "number of peers"))
    return HOLDS if peers >= wanted else Verdict(False, f"{peers} peers, waiting for {condition}")


def not_syncing(_condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The node does not say that it is catching up."""
    if sight.chain.syncing is None:
        return Verdict(False, _silence(sight, "sync state"))
    if not sight.chain.syncing:
        return HOLDS
    return Verdict(False, f"still syncing at height {_known(sight.chain.height)} of {_known(_goal(sight, scene))}")


def caught_up(condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The height is within ``value`` blocks of the highest node (default 2)."""
    height, highest = sight.chain.height, scene.highest
    if height is None or highest is None:
        return Verdict(False, _silence(sight, "height"))
    near = NEAR if condition.value is None else _value(condition)
    return HOLDS if highest - height <= near else Verdict(False, f"still syncing at height {height} of {highest}")


def http_status(condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The probe's URL answers with the HTTP status ``value``."""
    answer = _answer(condition, sight, scene)
    if isinstance(answer, str):
        return Verdict(False, answer)
    return HOLDS if answer.status == condition.value else Verdict(False, f"HTTP status {answer.status}, waiting for {condition.value}")


def tcp_open(condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The probe's port accepts connections."""
    return answers(condition, sight, scene)


def exec_ok(condition: Condition, sight: Sight, scene: Scene) -> Verdict:
    """The probe's command ends with 0."""
    answer = _answer(condition, sight, scene)
    if isinstance(answer, str):
        return Verdict(False, answer)
    if answer.exit_code == 0:
        return HOLDS
    output = f": {answer.output}" if answer.output else ""
    return Verdict(False, f"probe {condition.probe} ends with {answer.exit_code}{output}")


def same_block_hash(hashes: t.Mapping[str, t.Optional[str]], height: int) -> Verdict:
    """All nodes have the same block at ``height``. ``hashes`` maps nodes to what they say, None when they don't."""
    silent = sorted(name for name, block in hashes.items() if block is None)
    if silent:
        return Verdict(False, f"{', '.join(silent)}: no block at height {height}")
    groups: t.Dict[str, t.List[str]] = {}
    for name, block in hashes.items():
        groups.setdefault(str(block).lower(), []).append(name)
    if len(groups) < 2:
        return HOLDS
    found = "; ".join(
        f"{', '.join(sorted(names))}: {_short(block)}"
        for block, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    )
    return Verdict(False, f"different blocks at height {height} ({found})")


def minority(hashes: t.Mapping[str, t.Optional[str]]) -> t.List[str]:
    """The nodes that are not in the largest group of equal hashes (all of them when there is no single largest)."""
    groups: t.Dict[str, t.List[str]] = {}
    for name, block in hashes.items():
        if block is not None:
            groups.setdefault(block.lower(), []).append(name)
    if len(groups) < 2:
        return []
    sizes = sorted((len(names) for names in groups.values()), reverse=True)
    if sizes[0] == sizes[1]:
        return sorted(name for names in groups.values() for name in names)
    return sorted(name for names in groups.values() if len(names) < sizes[0] for name in names)


PREDICATES: t.Mapping[str, Predicate] = {
    "running": running,
    "healthy": healthy,
    "answers": answers,
    "chain_id": chain_id,
    "height_at_least": height_at_least,
    "advancing": advancing,
    "peers_at_least": peers_at_least,
    "not_syncing": not_syncing,
    "caught_up": caught_up,
    "http_status": http_status,
    "tcp_open": tcp_open,
    "exec_ok": exec_ok,
}


def fresh(sight: Sight, name: str, now: float) -> t.Optional[Answer]:
    """The answer of a probe unless it is too old to count."""
    answer = sight.answers.get(name)
    timeout = next((probe.timeout for probe in sight.target.probes if probe.name == name), 0.0)
    return answer if answer is not None and now - answer.at <= 2 * timeout + STALE else None


def _answer(condition: Condition, sight: Sight, scene: Scene) -> t.Union[Answer, str]:
    """The answer that the condition looks at, or why there is none."""
    name = condition.probe or ""
    answer = fresh(sight, name, scene.now)
    if answer is None:
        return f"probe {name} has no answer" if name in sight.answers else f"probe {name} has no answer yet"
    return answer if answer.error is None else answer.error


def _silence(sight: Sight, what: str) -> str:
    if sight.chain.error:
        return sight.chain.error
    return f"does not say its {what}" if sight.chain.answered else f"no answer yet, waiting for its {what}"


def _goal(sight: Sight, scene: Scene) -> t.Optional[int]:
    return sight.chain.highest if sight.chain.highest is not None else scene.highest


def _value(condition: Condition) -> int:
    return int(condition.value or 0)


def _known(height: t.Optional[int]) -> str:
    return "?" if height is None else str(height)


def _short(block: str) -> str:
    return block if len(block) <= 14 else f"{block[:10]}..{block[-4:]}"
