# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one grammar of the values that a cluster is described with: what the Engine takes, and in which form.

The spec asks here when it is read, and the modules ask here again, so that nothing passes the one and fails in the other.
Every function takes a plain value and returns what is meant, or raises :class:`Wrong`.
"""

from __future__ import annotations

import re
import typing as t

# Linux counts memory and CPUs of a container from here on.
LEAST_MEMORY = 6 * 1024 * 1024
MOST_BYTES = 2**62
LEAST_CPUS, MOST_CPUS = 0.01, 1024

# No limit, for each of a container's resources.
UNLIMITED = "unlimited"
# A bridge of Linux takes so many ports; one of them is taken by the tunnel of an overlay.
BRIDGE_PORTS = 1023

# The Engine's own networks, and those of its Swarm mode.
TAKEN_NETWORKS = ("bridge", "default", "docker_gwbridge", "host", "ingress", "none")

CAPABILITIES = (
    *("AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE"),
    *("DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE"),
    *("MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID"),
    *("SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"),
)
ALL_CAPABILITIES = "ALL"

_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(?:([kmgt])i?b?|b)?", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_DURATION = re.compile(
    r"(?:(\d{1,9}(?:\.\d{1,9})?)\s*h)?(?:(\d{1,9}(?:\.\d{1,9})?)\s*m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)\s*s)?(?:(\d{1,12})\s*ms)?"
)
_MODE = re.compile(r"0?[0-7]{3}")
_HALF = re.compile("[\ud800-\udfff]")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OBJECT_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NETWORK_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SWARM_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = rf"(?:localhost|{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?=:))(?::\d{{1,5}})?"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*)"
    r"(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)

_TMPFS_WORDS = (
    *("async", "atime", "defaults", "dev", "diratime", "dirsync", "exec", "mand", "noatime", "nodev", "nodiratime", "noexec"),
    *("nomand", "norelatime", "nostrictatime", "nosuid", "relatime", "ro", "rw", "strictatime", "suid", "sync"),
)
_TMPFS_VALUES: t.Mapping[str, t.Pattern[str]] = {
    "size": re.compile(r"\d{1,18}[kmgKMG%]?"),
    "mode": re.compile(r"[0-7]{3,4}"),
    "uid": re.compile(r"\d{1,10}"),
    "gid": re.compile(r"\d{1,10}"),
    "nr_inodes": re.compile(r"\d{1,18}[kmgKMG]?"),
    "nr_blocks": re.compile(r"\d{1,18}[kmgKMG]?"),
}


class Wrong(ValueError):
    """A value that cannot be meant: what is wrong, and what would be right."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(f"{what}; {right}")
        self.what = what
        self.right = right


def shown(value: t.Any) -> str:
    """What a value is, in words, on one line and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        # Python refuses to write numbers of more than 4,300 digits.
        return "a number of more than 40 digits" if isinstance(value, int) and abs(value) >= 10**40 else f"the number {value}"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return "'" + _UNSEEN.sub(lambda sign: repr(sign[0])[1:-1], text) + "'"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else type(value).__name__


def path(value: t.Any) -> str:
    """A path in the container, in its only form: no dots, no slash twice or last."""
    parts = [part for part in value.split("/") if part not in ("", ".")] if isinstance(value, str) else []
    if not isinstance(value, str) or not value.startswith("/") or ".." in parts or _CONTROL.search(value):
        raise Wrong(f"expected an absolute path in the container, got {shown(value)}", "write it as '/data'")
    if not parts:
        raise Wrong(f"the path {shown(value)} is the whole file system of the container", "write a path below it, as '/data'")
    return "/" + "/".join(parts)


def parents(normal: str) -> t.List[str]:
    """A path that :func:`path` gave and the folders above it, without the root."""
    parts = normal.split("/")[1:]
    return ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def tmpfs(value: t.Any) -> t.Tuple[str, str]:
    """Path and mount options of a folder in memory, from ``/tmp`` or ``/tmp:size=64m,mode=1777``."""
    target, _colon, options = value.partition(":") if isinstance(value, str) else (value, "", "")
    target = path(target)
    for option in options.split(",") if options else ():
        key, equals, given = option.partition("=")
        known = _TMPFS_VALUES.get(key)
        if not (known.fullmatch(given) if known and equals else not equals and option in _TMPFS_WORDS):
            raise Wrong(f"the tmpfs {target} has an option {shown(option)} that is unknown", f"write it as '{target}:size=64m,mode=1777'")
    return target, options


def duration(value: t.Any) -> float:
    """Seconds, from a number of them or from text such as ``500ms`` or ``1m30s``."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value
    text = value.strip() if isinstance(value, str) else ""
    match = _DURATION.fullmatch(text)
    if _SECONDS.fullmatch(text):
        total = float(text)
    elif text and match:
        hours, minutes, whole, thousandths = (float(part or 0) for part in match.groups())
        total = hours * 3600 + minutes * 60 + whole + thousandths / 1000
    else:
        raise Wrong(f"expected a duration, got {shown(value)}", "write seconds, or text such as '500ms', '30s', '1m30s'")
    return int(total) if total == int(total) else total


def whole_seconds(value: t.Any) -> int:
    """A duration that the Engine counts in seconds."""
    total = duration(value)
    if total != int(total):
        raise Wrong(f"the Engine counts this in whole seconds, and {shown(value)} has a fraction", f"write for example '{int(total) + 1}s'")
    return int(total)


def size(value: t.Any) -> int:
    """Bytes, from a number of them or from text such as ``512m``, ``1.5g`` or ``512 MiB``."""
    plain = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**40)
    match = _SIZE.fullmatch(str(value).strip()) if plain else None
    if not match:
        raise Wrong(f"expected an amount of memory, got {shown(value)}", "write it as '512m' or '2g'")
    unit = _UNITS[(match[2] or "").lower()]
    return int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit


def memory(value: t.Any) -> int:
    """Bytes of memory that a container may have."""
    found = size(value)
    if found < LEAST_MEMORY:
        raise Wrong(f"{shown(value)} is less than the 6m that the Engine needs", "write it as '512m' or '2g'")
    if found > MOST_BYTES:
        raise Wrong(f"{shown(value)} is more than any machine has", "write it as '512m' or '2g'")
    return found


def nanocpus(value: t.Any) -> int:
    """Billionths of a CPU, from a number of CPUs."""
    try:
        huge = isinstance(value, int) and abs(value) > MOST_CPUS
        found = float("nan" if isinstance(value, bool) else "inf" if huge else value)
    except (TypeError, ValueError):
        raise Wrong(f"expected a number of CPUs, got {shown(value)}", "write it as 0.5 or 2") from None
    if not LEAST_CPUS <= found <= MOST_CPUS:
        raise Wrong(f"{shown(value)} is out of range", f"use {LEAST_CPUS} to {MOST_CPUS}")
    return round(found * 1_000_000_000)


def port(value: t.Any) -> int:
    """A port number."""
    if isinstance(value, bool) or not isinstance(value, int):
        right = "write it without quotes" if isinstance(value, str) and value.isdigit() else "use a whole number from 1 to 65535"
        raise Wrong(f"expected a port, got {shown(value)}", right)
    if not 1 <= value <= 65535:
        raise Wrong(f"port {value} is out of range" if abs(value) < 10**40 else f"{shown(value)} is out of range", "use 1 to 65535")
    return value


def authority(host: str, number: int) -> str:
    """Host and port as in a URL: an IPv6 address stands in brackets."""
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


def mode(value: t.Any) -> str:
    """A file mode in four digits."""
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise Wrong(f"expected a file mode, got {shown(value)}", "write it in quotes, as '0644'")
    return value.zfill(4)


def image(value: t.Any) -> str:
    """A reference to an image, as the Engine reads it."""
    match = _IMAGE.fullmatch(value) if isinstance(value, str) else None
    if not match or len(match["name"]) > 255:
        right = "write it in small letters" if isinstance(value, str) and _IMAGE.fullmatch(value.lower()) else "write it"
        raise Wrong(f"{shown(value)} is not an image name", f"{right} as 'name:tag' or 'host/name:tag'")
    return str(value)


def object_name(value: t.Any) -> str:
    """The name of a container or a volume."""
    if not isinstance(value, str) or not _OBJECT_NAME.fullmatch(value):
        raise Wrong(
            f"{shown(value)} is not a name that the Engine takes",
            "use at least two letters, digits, '_', '.' and '-', a letter or digit first",
        )
    return value


def network_name(value: t.Any, overlay: bool = False) -> str:
    """The name of a network that is not the Engine's own; Swarm mode wants one that DNS takes."""
    if not isinstance(value, str) or not _NETWORK_NAME.fullmatch(value):
        raise Wrong(f"{shown(value)} is not a name for a network", "use letters, digits, '_', '.' and '-', a letter or digit first")
    if overlay and not _SWARM_NAME.fullmatch(value):
        raise Wrong(f"{shown(value)} is not a name for an overlay", "use letters, digits, '_' and '-', a letter or digit first and last")
    if value in TAKEN_NETWORKS:
        raise Wrong(f"the Engine has a network {shown(value)} of its own", "choose another name")
    return value


def capability(value: t.Any) -> str:
    """A Linux capability, without its prefix."""
    found = value.upper().removeprefix("CAP_") if isinstance(value, str) else ""
    if found not in CAPABILITIES and found != ALL_CAPABILITIES:
        raise Wrong(f"{shown(value)} is not a Linux capability", "write one as NET_ADMIN (man 7 capabilities)")
    return found


def env_name(value: t.Any) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not value or "=" in value or _CONTROL.search(value) or value != value.strip():
        raise Wrong(f"{shown(value)} is not a name for an environment variable", "use letters, digits and '_'")
    return value


def plain_text(value: str) -> str:
    """A text that a process can be given."""
    if _HALF.search(value):
        raise Wrong("the text holds half of a character (a lone surrogate)", "write the whole character")
    if "\0" in value:
        raise Wrong("the text holds a NUL character, which ends a text for the system", "leave it out")
    return value
