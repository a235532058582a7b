# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quorum arithmetic of BFT chains: more than 2/3 of the voting power. Whole numbers only."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Quorum:
    """``ok`` when ``remaining`` of ``total`` voting power is at least ``needed``."""

    ok: bool
    remaining: int
    total: int
    needed: int


def needed_of(total: int) -> int:
    """The least whole power that is more than 2/3 of ``total``."""
    return 2 * total // 3 + 1


def quorum(powers: t.Mapping[str, int], up: t.Iterable[str]) -> Quorum:
    """Whether the nodes ``up`` hold more than 2/3 of the power; names without power are ignored. No validators: nothing to lose."""
    total = sum(powers.values())
    remaining = sum(powers.get(name, 0) for name in set(up))
    return Quorum(total == 0 or 3 * remaining > 2 * total, remaining, total, needed_of(total) if total else 0)


def quorum_after(powers: t.Mapping[str, int], ready: t.Iterable[str], down: t.Iterable[str], verb: str = "stopping") -> t.Dict[str, t.Any]:
    """What is left when the nodes ``down`` go away while only ``ready`` of the others work.

    Taking down nodes without voting power is always fine. Returns ``{ok, remaining, total, needed, message}``.
    """
    going = sorted(set(down))
    counts = {str(name): int(power) for name, power in powers.items()}
    state = quorum(counts, set(ready) - set(going))
    ok = state.ok or not any(counts.get(name, 0) for name in going)
    leaves = f"{verb} {', '.join(going) or 'nothing'} leaves {state.remaining} of {state.total} voting power"
    away = sorted(name for name, power in counts.items() if power and name not in set(ready) and name not in going)
    also = f" ({', '.join(away)} not ready)" if away else ""
    message = (
        f"{leaves}{also}"
        if ok
        else f"{leaves}{also}; more than 2/3 (at least {state.needed}) is needed: stop fewer nodes, or add -e quorum_override=true"
    )
    return {"ok": ok, "remaining": state.remaining, "total": state.total, "needed": state.needed, "message": message}


def confirmed_height(heights: t.Mapping[str, int], powers: t.Mapping[str, int]) -> int:
    """How far a chain is, when a node may say what it likes: 0 when no node says anything.

    The greatest height that more than 1/3 of the voting power of those that answer has reached: so one that is honest is there.
    Where no validator answers, the second highest; of one or two nodes, the highest, as none can be told from the other.
    """
    votes = {name: powers[name] for name in heights if powers.get(name, 0) > 0}
    total, reached = sum(votes.values()), 0
    for name in sorted(votes, key=lambda one: -heights[one]):
        reached += votes[name]
        if 3 * reached > total:
            return heights[name]
    ordered = sorted(heights.values(), reverse=True)
    if not ordered:
        return 0
    return ordered[1] if len(ordered) > 2 else ordered[0]


def height_of_nodes(
    facts: t.Mapping[str, t.Mapping[str, t.Any]], powers: t.Mapping[str, int], names: t.Optional[t.Iterable[str]] = None
) -> int:
    """:func:`confirmed_height` of what ``cluster_info`` or ``rpc_ready`` says of the nodes, or of those in ``names``."""
    wanted = set(facts if names is None else names)
    heights = {name: int(seen["height"]) for name, seen in facts.items() if name in wanted and seen.get("height") is not None}
    return confirmed_height(heights, {str(name): int(power) for name, power in powers.items()})
