# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works on something, so that another process can tell whether that one still lives."""

from __future__ import annotations

import contextlib
import os
import typing as t

# States of a process that has ended and waits to be collected.
ENDED = ("Z", "X", "x")


def identity(pid: t.Optional[int] = None) -> t.Dict[str, t.Any]:
    """A process, this one by default: ``boot`` and ``space`` say where it can be seen, ``pid`` and ``since`` (its start) which it is."""
    number = os.getpid() if pid is None else pid
    return {**sight(), "pid": number, "since": _since(number)}


def lives(holder: t.Mapping[str, t.Any]) -> t.Optional[bool]:
    """Whether the process of this :func:`identity` lives; None when it cannot be seen from here, on another machine for one."""
    if not holder.get("boot") or {key: holder.get(key) for key in ("boot", "space")} != sight():
        return None
    pid, since = holder.get("pid"), holder.get("since")
    if not isinstance(pid, int) or pid < 1 or not since:
        return False
    # Processes of other users may be hidden in /proc: only the kernel's own word says then that one is gone.
    return _since(pid) == since if os.path.exists(f"/proc/{pid}") else _is_there(pid)


def sight() -> t.Dict[str, str]:
    """What must agree for two processes to see one another: the boot of the machine and the process namespace."""
    found = {"boot": "", "space": ""}
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            found["boot"] = stream.read().strip()
        found["space"] = os.readlink("/proc/self/ns/pid")
    return found


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _since(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when it has ended."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
        fields = stream.read().rpartition(")")[2].split()
        return "" if fields[0] in ENDED else fields[19]
    return ""
