# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of what a container is run with: names, signals, kernel parameters, devices, bind mounts. See ``_grammar``."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._grammar import Wrong, path, shown, size

RESTART_POLICIES = ("no", "always", "on-failure", "unless-stopped")
HOST_GATEWAY = "host-gateway"
NO_NEW_PRIVILEGES = "no-new-privileges"
ALL_GPUS = -1

_SIGNALS = (
    *("ABRT", "ALRM", "BUS", "CHLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV"),
    *("STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"),
)
_REAL_TIME = re.compile(r"RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?")
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# What Linux keeps for each container on its own.
_SYSCTL = re.compile(
    r"net(?:\.[A-Za-z0-9_/-]+)+|fs\.mqueue\.[a-z_]+|kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)"
)
_LOG_SIZE = re.compile(r"[1-9]\d{0,11}[kmg]?", re.IGNORECASE)
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_SECURITY = re.compile(r"seccomp=unconfined|apparmor=[A-Za-z0-9_./-]+|label=(?:disable|(?:user|role|type|level):[A-Za-z0-9_.:,-]+)")
_GPU_IDS = re.compile(r"device=([A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*)")
_TRIES = re.compile(r"[1-9]\d{0,5}")


def hostname(value: t.Any) -> str:
    """The name that a container has for itself."""
    if not isinstance(value, str) or not _HOSTNAME.fullmatch(value):
        raise Wrong(f"{shown(value)} is not a host name", "use up to 63 letters, digits, '-' and '.', a letter or digit first")
    return value


def signal(value: t.Any) -> str:
    """A signal, by name or number."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    name = text.upper().removeprefix("SIG")
    if name in _SIGNALS or _REAL_TIME.fullmatch(name):
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= 64):
        raise Wrong(f"{shown(value)} is not a signal", "write it as SIGTERM or SIGINT")
    return text


def sysctl(value: t.Any) -> str:
    """The name of a kernel parameter that a container has for itself."""
    if not isinstance(value, str) or not _SYSCTL.fullmatch(value):
        raise Wrong(
            f"{shown(value)} is not a kernel parameter that a container can have for itself",
            "use one of net.*, fs.mqueue.*, kernel.msg*, kernel.sem or kernel.shm*; the others are set on the Docker host",
        )
    return value


def host_address(value: t.Any) -> str:
    """Where a name of the hosts file leads: an address, or the Docker host."""
    if value == HOST_GATEWAY:
        return HOST_GATEWAY
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise Wrong(f"{shown(value)} is not an address", f"write it as '192.0.2.1', or {HOST_GATEWAY} for the Docker host") from None
    return str(value)


def restart(value: t.Any) -> t.Tuple[str, int]:
    """Name and number of tries of a restart policy, from text like ``on-failure:5``. YAML reads a bare ``no`` as false."""
    text = "no" if value is False else value if isinstance(value, str) else ""
    name, colon, tries = text.partition(":")
    if name.lower() in ("no", "false"):
        name = "no"
    if name not in RESTART_POLICIES or (colon and not (name == "on-failure" and _TRIES.fullmatch(tries))):
        known = ", ".join(f"'{policy}'" for policy in RESTART_POLICIES)
        raise Wrong(f"{shown(value)} is not one of the choices", f"use {known} or 'on-failure:5'")
    return name, int(tries or 0)


def log_size(value: t.Any) -> str:
    """Size of one log file, as the Engine's log driver reads it."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _LOG_SIZE.fullmatch(text):
        raise Wrong(f"expected the size of a log file, got {shown(value)}", "write it as '10m'")
    return text


def shared_memory(value: t.Any) -> int:
    """Bytes of /dev/shm."""
    found = size(value)
    if not 0 < found < 2**62:
        raise Wrong(f"{shown(value)} is out of range", "write it as '64m' or '1g'")
    return found


def working_dir(value: t.Any) -> str:
    """The folder that a process starts in; the root is one too."""
    return "/" if value == "/" else path(value)


def group(value: t.Any) -> str:
    """A group, by name or number."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _GROUP.fullmatch(text) or (text.isdigit() and (text != str(int(text)) or int(text) > 2**31)):
        raise Wrong(f"expected a group, got {shown(value)}", "write its number, as 20, or its name in the image, as dialout")
    return text


def security_option(value: t.Any) -> str:
    """One security option, in the form ``name=value``; the Engine takes a colon for the equals sign too."""
    text = re.sub(r"^([a-z-]+):", r"\1=", value) if isinstance(value, str) else ""
    if text in (NO_NEW_PRIVILEGES, f"{NO_NEW_PRIVILEGES}=true", f"{NO_NEW_PRIVILEGES}=false"):
        return text.replace("=true", "")
    if not _SECURITY.fullmatch(text):
        raise Wrong(
            f"there is no security option {shown(value)}",
            f"use {NO_NEW_PRIVILEGES}=false, seccomp=unconfined, apparmor=<profile>, or label=<option>",
        )
    return text


def device(value: t.Any) -> t.Tuple[str, str, str]:
    """Path on the Docker host, path in the container and rights, from ``/dev/fuse`` or ``/dev/ttyUSB0:/dev/tty0:rw``."""
    parts = value.split(":") if isinstance(value, str) else []
    rights = parts.pop() if len(parts) > 1 and re.fullmatch("[rwm]{1,3}", parts[-1]) else "rwm"
    if not 1 <= len(parts) <= 2 or not all(part.startswith("/") for part in parts):
        raise Wrong(f"{shown(value)} is not a device", "write it as '/dev/fuse', or '/dev/ttyUSB0:/dev/tty0:rw'")
    return path(parts[0]), path(parts[-1]), "".join(right for right in "rwm" if right in rights)


def gpus(value: t.Any) -> t.Tuple[int, t.Tuple[str, ...]]:
    """How many GPUs (-1: all) or which, from ``all``, a number, or ``device=0,1``."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    named = _GPU_IDS.fullmatch(text)
    if named:
        return 0, tuple(named[1].split(","))
    if text != "all" and not re.fullmatch(r"[1-9]\d{0,2}", text):
        raise Wrong(f"{shown(value)} is not a number of GPUs", "write all, a number, or 'device=0,1'")
    return ALL_GPUS if text == "all" else int(text), ()


def host_path(value: t.Any) -> str:
    """A path of the Docker host."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise Wrong(f"expected an absolute path of the Docker host, got {shown(value)}", "write it as '/srv/data'")
    return "/" if value == "/" else path(value)


def bind(value: str) -> t.Tuple[str, str, bool]:
    """Path on the Docker host, path in the container and whether it is read-only, from ``/srv/data:/data:rw``."""
    parts = value.split(":")
    if not 2 <= len(parts) <= 3 or (len(parts) == 3 and parts[2] not in ("ro", "rw")):
        right = "write '/path/on/the/docker/host:/path/in/container', with ':rw' to make it writable"
        raise Wrong(f"{shown(value)} is not a bind mount", right)
    return host_path(parts[0]), path(parts[1]), parts[2:] != ["rw"]
