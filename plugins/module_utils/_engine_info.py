# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Docker Engine answers, and what one has to know about a machine to bring one up."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import sys
import time
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _engine
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, EngineOptions
from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineError
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

POLL = 0.2  # seconds between two questions
GRACE = 3.0  # seconds that a daemon which was just started may take to show up as a process
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"))


def engine_info(options: EngineOptions, wait: float, log: t.Optional[str], progress: Progress) -> t.Dict[str, t.Any]:
    """The result of the module ``engine_info``; see its documentation for the shape.

    Asks until the Engine answers, at most ``wait`` seconds, and no longer when its daemon has ended.
    """
    begin = time.monotonic()
    answer = ask(options)
    while not answer["answers"] and time.monotonic() - begin < wait:
        passed = time.monotonic() - begin
        if passed > GRACE and not daemon_runs():
            break
        progress.say(f"waiting for the Docker Engine at {options.url} ({int(passed)} s)")
        time.sleep(POLL)
        answer = ask(options)
    user = os.geteuid()
    return {
        "changed": False,
        "url": options.url,
        **answer,
        "init": init_system(),
        "distribution": distribution(),
        "dockerd": shutil.which("dockerd", path=SEARCH_PATH),
        "running": daemon_runs(),
        "python": sys.executable,
        "uid": user,
        "user": user_name(user),
        "log_lines": last_lines(log) if log and not answer["answers"] else [],
    }


def ask(options: EngineOptions) -> t.Dict[str, t.Any]:
    """One question to the Engine: ``answers``, ``reason`` (null, sdk, permission, unreachable), ``error``, and its versions."""
    nothing = {"answers": False, "version": None, "api_version": None, "os": None, "architecture": None}
    if _engine.DOCKER_IMPORT_ERROR is not None:
        return {**nothing, "reason": "sdk", "error": f"the Docker SDK for Python is missing ({_engine.DOCKER_IMPORT_ERROR})"}
    try:
        engine = Engine(options)
        with engine.translating("asking for the Engine's version"):
            version = engine.api.version()
    except EngineError as exc:
        return {**nothing, "reason": "permission" if was_denied(exc) else "unreachable", "error": exc.message}
    return {
        "answers": True,
        "reason": None,
        "error": None,
        "version": version.get("Version"),
        "api_version": version.get("ApiVersion"),
        "os": version.get("Os"),
        "architecture": version.get("Arch"),
    }


def was_denied(exc: BaseException) -> bool:
    """Whether the operating system refused the access to the socket, anywhere in a chain of errors."""
    waiting: t.List[t.Any] = [exc]
    seen: t.Set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, PermissionError):
            return True
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, *one.args]
    return False


def init_system(running: str = "/run/systemd/system", first: str = "/proc/1/comm") -> str:
    """``systemd`` where it manages services (what sd_booted(3) tests), otherwise the name of process 1."""
    if os.path.isdir(running):
        return "systemd"
    try:
        with open(first, encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return "unknown"


def distribution(path: str = "/etc/os-release") -> t.Dict[str, t.Any]:
    """``id``, ``like`` (ids that it descends from), ``version`` and ``name`` from os-release(5)."""
    values: t.Dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as stream:
        for word in shlex.split(stream.read(), comments=True):
            key, equals, value = word.partition("=")
            if equals:
                values[key] = value
    return {
        "id": values.get("ID", "unknown"),
        "like": values.get("ID_LIKE", "").split(),
        "version": values.get("VERSION_ID", ""),
        "name": values.get("PRETTY_NAME") or values.get("ID") or "an unknown distribution",
    }


def daemon_runs(processes: str = "/proc") -> bool:
    """Whether a process called dockerd runs on this machine, outside containers."""
    here = namespace(processes, "self")
    for pid in filter(str.isdigit, os.listdir(processes)):
        with contextlib.suppress(OSError), open(os.path.join(processes, pid, "stat"), encoding="utf-8") as stream:
            # "pid (name) state ..."; Z has ended, and waits for its parent to notice.
            name, _bracket, rest = stream.read().partition("(")[2].rpartition(")")
            if name == "dockerd" and rest.split()[0] != "Z" and namespace(processes, pid) in (here, None):
                return True
    return False


def namespace(processes: str, pid: str) -> t.Optional[str]:
    """The process namespace that ``pid`` lives in; None when this user may not know."""
    try:
        return os.readlink(os.path.join(processes, pid, "ns", "pid"))
    except OSError:
        return None


def user_name(uid: int) -> str:
    """The user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def last_lines(path: str, number: int = 10) -> t.List[str]:
    """The last lines of a log; none when it cannot be read."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
        return [line.rstrip("\n") for line in stream.readlines()[-number:]]
    return []
