# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the nodes, as frozen data: the input of predicates and diagnosis. No input or output here.

All times called ``at``, ``since`` or ``now`` are seconds of one monotonic clock.
"""

from __future__ import annotations

import calendar
import re
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gravity.cluster.plugins.module_utils import _labels
from ansible_collections.gravity.cluster.plugins.module_utils._observed import RUNNING, STARTING, UNHEALTHY, state_of
from ansible_collections.gravity.cluster.plugins.module_utils._quorum import likely_height
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Target

# How many blocks are remembered of each node, and how far behind the lowest node a block may be to speak of now.
KEPT_BLOCKS = 64
NEAR_BLOCKS = 5

HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")


@dataclass(frozen=True)
class Answer:
    """The answer to one probe, or why there is none.

    ``error`` is one line, and ``cause`` its kind: refused, reset, unreachable, timeout, protocol, rpc or engine.
    """

    at: float
    error: t.Optional[str] = None
    cause: t.Optional[str] = None
    chain_id: t.Union[int, str, None] = None
    height: t.Optional[int] = None
    highest: t.Optional[int] = None
    peers: t.Optional[int] = None
    syncing: t.Optional[bool] = None
    block_hash: t.Optional[str] = None
    status: t.Optional[int] = None
    exit_code: t.Optional[int] = None
    output: t.Optional[str] = None


@dataclass(frozen=True)
class Container:
    """What the Engine says of a container. ``status`` is the Engine's word (running, exited, restarting, ...).

    From a list, the fields below ``node`` are not known. ``started`` is a Unix time; the observer turns it into
    ``running_since``.
    """

    id: str
    name: str
    status: str
    health: t.Optional[str] = None
    node: t.Optional[str] = None
    exit_code: t.Optional[int] = None
    oom_killed: bool = False
    restarts: int = 0
    error: str = ""
    policy: str = ""
    memory: int = 0
    short_run: bool = False
    stopped_state: str = ""
    started: t.Optional[float] = None
    running_since: t.Optional[float] = None
    since: float = 0.0
    restarts_at_first: int = 0
    restarting_since: t.Optional[float] = None

    @property
    def state(self) -> str:
        """The state in our words (see ``_observed``)."""
        if self.status == "running":
            return {"starting": STARTING, "unhealthy": UNHEALTHY}.get(self.health or "", RUNNING)
        return self.stopped_state


@dataclass(frozen=True)
class Chain:
    """What all chain probes of a node say together."""

    answered: bool = False
    chain_id: t.Optional[int] = None
    network: t.Optional[str] = None
    height: t.Optional[int] = None
    highest: t.Optional[int] = None
    peers: t.Optional[int] = None
    syncing: t.Optional[bool] = None
    block_hash: t.Optional[str] = None
    error: t.Optional[str] = None
    cause: t.Optional[str] = None


@dataclass(frozen=True)
class Sight:
    """What was seen of one node in this wait.

    ``first_height`` is the first height seen, ``grew_at`` when the height was last seen to grow. ``container`` is None
    when there is none, or when none is looked at (see :attr:`Target.container`). ``blocks`` has, per type of probe, the
    hashes of the latest blocks that were seen, by height.
    """

    target: Target
    container: t.Optional[Container] = None
    answers: t.Mapping[str, Answer] = field(default_factory=dict)
    chain: Chain = Chain()
    first_height: t.Optional[int] = None
    grew_at: t.Optional[float] = None
    looked: bool = False
    absent_since: t.Optional[float] = None
    blocks: t.Mapping[str, t.Mapping[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """All nodes at one moment. ``powers`` are the validators' voting powers, where known."""

    now: float
    started: float
    sights: t.Mapping[str, Sight]
    powers: t.Mapping[str, int] = field(default_factory=dict)

    @property
    def highest(self) -> t.Optional[int]:
        """How far the chain is, by what the nodes have and know of; no single node of several decides."""
        known = {
            name: max(height for height in (sight.chain.height, sight.chain.highest) if height is not None)
            for name, sight in self.sights.items()
            if sight.chain.height is not None or sight.chain.highest is not None
        }
        return likely_height(known, self.powers) if known else None


def chain_of(target: Target, answers: t.Mapping[str, Answer]) -> Chain:
    """Merge the answers of the chain probes; where two know the same thing, the first probe wins."""
    chain = Chain()
    for probe in target.probes:
        answer = answers.get(probe.name)
        if answer is None or not probe.chain:
            continue
        if answer.error is not None and chain.error is None:
            chain = replace(chain, error=answer.error, cause=answer.cause)
        chain = replace(
            chain,
            answered=chain.answered or answer.error is None,
            chain_id=_first(chain.chain_id, answer.chain_id if isinstance(answer.chain_id, int) else None),
            network=_first(chain.network, answer.chain_id if isinstance(answer.chain_id, str) else None),
            height=_first(chain.height, answer.height),
            highest=_first(chain.highest, answer.highest),
            peers=_first(chain.peers, answer.peers),
            # One probe that still catches up is enough: the other may not know yet.
            syncing=answer.syncing if chain.syncing is None else chain.syncing or bool(answer.syncing),
            block_hash=_first(chain.block_hash, answer.block_hash),
        )
    return chain


def with_block(blocks: t.Mapping[str, t.Mapping[int, str]], kind: str, answer: Answer) -> t.Mapping[str, t.Mapping[int, str]]:
    """``blocks`` of a :class:`Sight` with the block of one more answer; only the highest are kept."""
    if answer.height is None or answer.block_hash is None:
        return blocks
    known = {**blocks.get(kind, {}), answer.height: answer.block_hash}
    return {**blocks, kind: {height: known[height] for height in sorted(known)[-KEPT_BLOCKS:]}}


def common_block(sights: t.Sequence[Sight], kind: str) -> t.Optional[t.Tuple[int, t.Dict[str, t.Optional[str]]]]:
    """The highest height at which the hash of every node is known already, with the hashes by node.

    None when there is none that is near enough to the lowest node to say something of now.
    """
    known = [sight.blocks.get(kind, {}) for sight in sights]
    common = set.intersection(*(set(blocks) for blocks in known)) if known else set()
    lowest = min((max(blocks) for blocks in known if blocks), default=0)
    if not common or max(common) < lowest - NEAR_BLOCKS:
        return None
    height = max(common)
    return height, {sight.target.name: blocks[height] for sight, blocks in zip(sights, known)}


def listed(entry: t.Mapping[str, t.Any]) -> Container:
    """A container from the Engine's list."""
    # A container that others link to has further names with two slashes.
    name = next((raw[1:] for raw in entry.get("Names") or [] if raw.count("/") == 1), "")
    health = HEALTH.search(entry.get("Status") or "")
    return Container(
        id=str(entry["Id"]),
        name=name,
        status=str(entry.get("State") or "unknown"),
        health=health.group(1) if health else None,
        node=(entry.get("Labels") or {}).get(_labels.NODE),
    )


def inspected(data: t.Mapping[str, t.Any]) -> Container:
    """A container from the Engine's inspection."""
    state = data.get("State") or {}
    config = data.get("HostConfig") or {}
    return Container(
        id=str(data["Id"]),
        name=str(data.get("Name", "")).lstrip("/"),
        status=str(state.get("Status") or "unknown"),
        health=_health((state.get("Health") or {}).get("Status")),
        node=((data.get("Config") or {}).get("Labels") or {}).get(_labels.NODE),
        exit_code=state.get("ExitCode"),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=int(data.get("RestartCount") or 0),
        error=" ".join(str(state.get("Error") or "").split()),
        policy=str((config.get("RestartPolicy") or {}).get("Name") or "no"),
        memory=int(config.get("Memory") or 0),
        short_run=_ran_shortly(state),
        stopped_state=state_of(data),
        started=stamp(state.get("StartedAt")),
    )


def _ran_shortly(state: t.Mapping[str, t.Any]) -> bool:
    """Whether the last run ended within the time after which the Engine forgets earlier restarts (10 s)."""
    started, finished = stamp(state.get("StartedAt")), stamp(state.get("FinishedAt"))
    return started is not None and finished is not None and 0 <= finished - started < 10


def stamp(text: t.Any) -> t.Optional[float]:
    """Unix time of the Engine's UTC time stamps; None for the zero time."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?", str(text or ""))
    if not match or match.group(1).startswith("0001"):
        return None
    return calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")) + float(match.group(2) or 0)


def _health(word: t.Any) -> t.Optional[str]:
    return str(word) if word and word != "none" else None


def _first(known: t.Any, other: t.Any) -> t.Any:
    return other if known is None else known
