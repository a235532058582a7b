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
    """The greatest height that nodes with more than a third of the voting power say they have; 0 when there is no such.

    So at least one of them is honest: no single node that tells of a height without end makes the others wait for it.
    """
    total, reached = sum(powers.values()), 0
    for height, power in sorted(((height, powers.get(name, 0)) for name, height in heights.items()), reverse=True):
        reached += power
        if 3 * reached > total:
            return height
    return 0


def likely_height(heights: t.Mapping[str, int], powers: t.Mapping[str, int]) -> int:
    """How far a chain is: what is confirmed, and where nothing is (no or too few validators answer), the second highest.

    Of one or two nodes the highest, as nothing tells which is right; 0 when no node says anything.
    """
    ordered = sorted(heights.values(), reverse=True)
    return confirmed_height(heights, powers) or (ordered[1] if len(ordered) > 2 else max(ordered, default=0))


def height_of_nodes(facts: t.Mapping[str, t.Mapping[str, t.Any]], powers: t.Mapping[str, t.Any]) -> int:
    """:func:`likely_height` of what ``cluster_info`` or ``rpc_ready`` says of the nodes."""
    heights = {name: int(seen["height"]) for name, seen in facts.items() if seen.get("height") is not None}
    return likely_height(heights, {str(name): int(power) for name, power in powers.items()})
