# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on a cluster: who runs one, whether it still runs, and what the one is told who has to wait."""

from __future__ import annotations

import datetime as dt
import getpass
import hashlib
import json
import os
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._process import identity, lives

Holder = t.Mapping[str, t.Any]
# Times of another day have their date.
DAY = 86400


@dataclass(frozen=True)
class Verdict:
    """Whether the holder of a lock is replaced, and what to say of it: a note in that case, else the refusal."""

    replace: bool
    text: str


def holder_of(purpose: str, lease: int, pid: int) -> dict[str, t.Any]:
    """This operation, as others read it in the label of the lock. Playbooks of one process ``pid`` are one holder."""
    process = identity(pid)
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    machine = socket.gethostname()
    token = hashlib.sha256(json.dumps([process, machine]).encode()).hexdigest()
    return {**process, "token": token, "owner": f"{user}@{machine}", "purpose": purpose, "lease": lease}


def judge(cluster: str, holder: Holder, now: float, force: bool) -> Verdict:
    """Whether the place of ``holder`` may be taken at the time ``now`` of its Docker host."""
    alive = lives(holder)
    what = f"{printed(holder.get('purpose'))} by {printed(holder.get('owner'))}"
    since = f"since {clock(holder['taken'], now)}"
    if alive is False:
        return Verdict(True, f"{cluster}: {what} died and left its lock, which is taken over")
    ends = holder["taken"] + holder["lease"]
    if alive is None and now >= ends:
        return Verdict(True, f"{cluster}: the lock of {what} expired at {clock(ends, now)} and is taken over")
    if force:
        return Verdict(True, f"{cluster}: {what} has been running {since}, and its lock is taken over (lock_force)")
    seen = f"process {holder.get('pid')} on this machine" if alive else f"on another machine; its lock expires at {clock(ends, now)}"
    return Verdict(
        False,
        f"{cluster}: {what} has been running {since} ({seen}): wait for it to end (-e lock_timeout=600 does), or take its lock over "
        "with -e lock_force=true if you know that it has ended. Nothing was changed",
    )


def clock(stamp: float, now: float) -> str:
    """A time for humans."""
    try:
        moment = dt.datetime.fromtimestamp(stamp, dt.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
    return moment.strftime("%H:%M:%S UTC" if abs(now - stamp) < DAY / 2 else "%Y-%m-%d %H:%M UTC")


def printed(value: t.Any) -> str:
    """A text of a label, which anybody may have written."""
    return "".join(character for character in str(value or "somebody")[:100] if character.isprintable())
