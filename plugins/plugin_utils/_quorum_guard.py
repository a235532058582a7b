# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes may go down, after a look at all Docker hosts. Pure functions.

What is not known counts against going on: as down when it is asked who remains, as running when it is asked whether the quorum is lost
already.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._quorum import confirmed_height, quorum, quorum_after

Data = t.Mapping[str, t.Any]

# The states of a container that surely does no work.
DOWN = frozenset({"stopped", "error", "absent"})
OVERRIDE = "add -e quorum_override=true"


@dataclass(frozen=True)
class Seen:
    """What a look at all Docker hosts has shown. ``failed`` are Docker hosts of which nothing is known, with the reason."""

    facts: t.Mapping[str, Data]
    failed: t.Mapping[str, str]
    # Voting power by what is on the Docker hosts: also that of validators that the spec lacks.
    powers: t.Mapping[str, int]

    @property
    def ready(self) -> t.List[str]:
        """The nodes that can be counted on: they run, answer and have caught up."""
        return [
            name
            for name, fact in self.facts.items()
            if fact.get("state") == "running" and not fact.get("rpc_error") and not fact.get("syncing")
        ]

    def may_run(self, names: t.Iterable[str]) -> t.List[str]:
        """Those of ``names`` that are not known to be down."""
        return [name for name in names if (self.facts.get(name) or {}).get("state") not in DOWN]


def quorum_guard(
    validators: t.Mapping[str, t.Any], looks: t.Sequence[Data], down: t.Sequence[str] = (), verb: str = "stopping", strict: bool = False
) -> t.Dict[str, t.Any]:
    """Whether the nodes ``down`` may go.

    ``validators`` maps those of the spec to their voting power; ``looks`` are the results of ``cluster_info`` in a loop over all Docker
    hosts, also failed ones. ``strict`` refuses also when the quorum is lost already. Returns ``{ok, message, ready, coming,
    height}``.
    """
    seen = seen_in(looks)
    powers = {**seen.powers, **{str(name): int(power) for name, power in validators.items()}}
    after = quorum_after(powers, seen.ready, down, verb)
    before = quorum(powers, seen.may_run(powers))
    lost_already = not before.ok and not strict
    ok = bool(after["ok"] or lost_already)
    message = str(after["message"]) if ok else _refusal(seen, powers, down, verb, str(after["message"]))
    coming = [] if ok else on_their_way(validators, powers, seen, down)
    height = confirmed_height({name: int(seen.facts[name].get("height") or 0) for name in seen.ready}, powers)
    return {"ok": ok, "message": message, "ready": seen.ready, "coming": coming, "height": height}


def on_their_way(validators: t.Iterable[str], powers: t.Mapping[str, int], seen: Seen, down: t.Iterable[str]) -> t.List[str]:
    """The validators of the spec that run and are not ready yet, if the quorum is kept once they are."""
    running = {name for name, fact in seen.facts.items() if fact.get("state") in ("running", "starting")}
    coming = [name for name in validators if name in running.difference(seen.ready, down)]
    return coming if quorum_after(powers, [*seen.ready, *coming], down)["ok"] else []


def seen_in(looks: t.Sequence[Data]) -> Seen:
    """The results of all looks, put together. One without ``nodes`` has failed, or was not made (``skipped``)."""
    facts: t.Dict[str, Data] = {}
    failed: t.Dict[str, str] = {}
    powers: t.Dict[str, int] = {}
    for look in looks:
        if isinstance(look.get("nodes"), t.Mapping):
            facts.update(look["nodes"])
            powers.update({str(name): int(power) for name, power in (look.get("validators") or {}).items()})
        elif not look.get("skipped"):
            reason = " ".join(str(look.get("msg") or "it gave no reason").split())
            failed[str(look.get("item"))] = f"unreachable: {reason}" if look.get("unreachable") else reason
    return Seen(facts, failed, powers)


def _refusal(seen: Seen, powers: t.Mapping[str, int], down: t.Sequence[str], verb: str, message: str) -> str:
    """``message``, and where nothing could be seen."""
    if not seen.failed:
        return message
    where = "; ".join(f"Docker host {host} could not be asked: {reason}" for host, reason in seen.failed.items())
    if not any(name in seen.facts for name in powers):
        going = ", ".join(sorted(set(down)))
        return f"{verb} {going}: whether the others keep the quorum is not known ({where}): correct this first, or {OVERRIDE}"
    return f"{message} -- {where}"
