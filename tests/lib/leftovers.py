# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests left behind: Docker objects with our labels, and processes.

Speaks to the Engine with the standard library alone, because it also looks before the environment of the tests is made.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Every process that a run starts carries this variable, and so do their descendants.
MARK = "GRAVITY_CLUSTER_TEST_RUN"
PREFIX = "gravity.cluster."
PIDFILE = Path("/var/run/docker.pid")
ENGINE_PROCESSES = ("dockerd", "containerd", "docker-proxy")

REMOVE = {"container": "docker rm --force", "network": "docker network rm", "volume": "docker volume rm"}

# kind -> id -> what to call it
Objects = dict[str, dict[str, str]]


class _EngineConnection(http.client.HTTPConnection):
    """HTTP over the Engine's socket."""

    def connect(self) -> None:
        address = urllib.parse.urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        if address.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(address.path)
        else:
            self.sock = socket.create_connection((address.hostname or "127.0.0.1", address.port or 2375), self.timeout)


def ask(path: str, method: str = "GET") -> Any:
    """The Engine's answer to a request, or None when no Engine answers with JSON."""
    connection = _EngineConnection("engine", timeout=30)
    try:
        connection.request(method, path)
        return json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def observe() -> Objects:
    """All Docker objects that carry one of our labels now (a container has the labels of its image too)."""
    found: Objects = {
        "container": {one["Id"]: f"{one['Names'][0].lstrip('/')} ({one['State']})" for one in _ours(ask("/containers/json?all=1"))},
        "network": {one["Id"]: one["Name"] for one in _ours(ask("/networks"))},
        "volume": {one["Name"]: one["Name"] for one in _ours((ask("/volumes") or {}).get("Volumes"))},
    }
    return found


def _ours(objects: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    for one in objects or []:
        if any(label.startswith(PREFIX) for label in one.get("Labels") or {}):
            yield one


def check(before: Objects, mark: str) -> list[str]:
    """What is there now and was not before, one line each. Stops the Engine that this run started, unless KEEP_ENGINE is set."""
    problems = []
    for kind, objects in observe().items():
        for key, name in sorted(objects.items(), key=lambda item: item[1]):
            if key not in before[kind] and not (kind == "network" and _miscounted(key)):
                problems.append(f"{kind} {name} is left behind; to remove it: {REMOVE[kind]} {key[:64]}")
    keep = bool(os.environ.get("KEEP_ENGINE"))
    if not keep:
        problems += _stop_engine(mark)
    if not wait(lambda: not _processes(mark, keep), 5.0):
        for pid, command in _processes(mark, keep).items():
            problems.append(f"process {pid} is left behind: {command}")
            os.kill(pid, signal.SIGTERM)
    return problems


def _miscounted(network: str) -> bool:
    """Whether an old Engine keeps an empty network because it miscounts what is in it (moby issue 42119)."""
    if (ask(f"/networks/{network}") or {}).get("Containers"):
        return False
    refusal = ask(f"/networks/{network}", "DELETE") or {}
    return "active endpoints" in refusal.get("message", "")


def _stop_engine(mark: str) -> list[str]:
    try:
        pid = int(PIDFILE.read_text())
    except (OSError, ValueError):
        return []
    if not _carries(pid, mark):
        return []  # it was there before, or a service manager started it
    os.kill(pid, signal.SIGTERM)
    if wait(lambda: not Path(f"/proc/{pid}").exists(), 60.0):
        return []
    return [f"the Docker Engine that the tests started (process {pid}) does not stop"]


def _processes(mark: str, keep_engine: bool) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if not _carries(pid, mark):
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            name = (folder / "comm").read_text().strip()
        except OSError:
            continue
        # A process without a command line has ended and waits to be collected.
        if command and not (keep_engine and name.startswith(ENGINE_PROCESSES)):
            found[pid] = command
    return found


def _carries(pid: int, mark: str) -> bool:
    try:
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether ``condition`` comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
