# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a cluster on one Docker host: a volume, because the Engine makes one of each name only and keeps the labels of the first.

The action plugin ``cluster_lock`` gives the text of this file to the Docker host's Python, which costs a tenth of what a module does. So
it needs nothing but the standard library and ``_engine_address.py``, which goes with it.

Only who has claimed a holder's place (:func:`_claimed`) removes that holder's volume, the holder itself too. So a volume is never
removed that has come to be another one since somebody looked.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.parse

from ansible_collections.gravity.cluster.plugins.module_utils._engine_address import Found, find

Data = t.Dict[str, t.Any]

# Label of the volume: JSON, which has the holder's "token" and what a human wants to know of it.
HOLDER = "gravity.cluster.holder"
CLUSTER = "gravity.cluster.name"
KIND = "gravity.cluster.kind"
TIMEOUT = 30.0
# Seconds after which a claim counts as left by somebody who died; it is held for a few requests.
CLAIM_LEASE = 60.0
ATTEMPTS = 40
PAUSE = 0.05


class NoEngine(Exception):
    """No Engine answers, so nothing runs that could be guarded."""


class Engine:
    """The few requests that a lock needs. ``now`` is the Engine's own time, as of its last answer."""

    def __init__(self, url: str = "", ca: str = "", cert: str = "", key: str = "") -> None:
        found = Found(url) if url else find(os.environ)
        if ca or cert:
            ca, cert, key = (os.path.expanduser(path) for path in (ca, cert, key))
            found = Found(found.url, ca, cert, key, tls=True)
        self.found, self.url = found, found.url
        self.now = 0.0

    def call(self, method: str, path: str, body: t.Optional[Data] = None) -> t.Tuple[int, t.Any]:
        """The status and the JSON of an answer."""
        with contextlib.closing(self._connect()) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            stamp = answer.headers.get("Date")
            self.now = email.utils.parsedate_to_datetime(stamp).timestamp() if stamp else time.time()
            content = answer.read()
        return answer.status, json.loads(content) if content.strip() else {}

    def greet(self) -> None:
        """Ask whether there is an Engine; this also sets ``now``."""
        if self.found.problem:
            raise NoEngine(self.found.problem)
        try:
            status, _version = self.call("GET", "/version")
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise NoEngine(f"no Docker Engine answers at {self.url} ({getattr(exc, 'strerror', None) or exc})") from exc
        if status != 200:
            raise NoEngine(f"no Docker Engine answers at {self.url} (status {status})")

    def _connect(self) -> http.client.HTTPConnection:
        address = urllib.parse.urlsplit(self.url)
        if address.scheme in ("unix", "http+unix"):
            return self._over(_of_file(urllib.parse.unquote(address.netloc + address.path)))
        if address.scheme == "ssh":
            return self._over(_of_ssh(address))
        if address.scheme not in ("tcp", "http", "https"):
            raise ValueError(f"no lock can be taken over {address.scheme or self.url}")
        remote = http.client.HTTPConnection(address.hostname or "", address.port or 2375, timeout=TIMEOUT)
        if self.found.tls or address.scheme == "https":
            context = ssl.create_default_context(cafile=self.found.ca or None)
            if not self.found.ca:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if self.found.cert:
                context.load_cert_chain(self.found.cert, self.found.key or None)
            remote = http.client.HTTPSConnection(address.hostname or "", address.port or 2376, timeout=TIMEOUT, context=context)
        remote.connect()
        return remote

    @staticmethod
    def _over(connected: socket.socket) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("engine", timeout=TIMEOUT)
        connection.sock = connected
        connected.settimeout(TIMEOUT)
        return connection

    def create(self, name: str, marks: Data) -> Data:
        """The labels of the volume ``name``, which is made with ``marks`` unless there is one."""
        status, answer = self.call("POST", "/volumes/create", {"Name": name, "Labels": marks})
        return self._labels(status, answer, name)

    def look(self, name: str) -> Data:
        """The labels of the volume ``name``; none when there is no such volume."""
        status, answer = self.call("GET", f"/volumes/{name}")
        return {} if status == 404 else self._labels(status, answer, name)

    def remove(self, name: str) -> None:
        """Remove a volume; one that is gone is fine."""
        status, answer = self.call("DELETE", f"/volumes/{name}")
        if status >= 400 and status != 404:
            raise OSError(answer.get("message") or f"status {status}")

    def _labels(self, status: int, answer: t.Any, name: str) -> Data:
        if status >= 400:
            raise OSError(f"volume {name}: {answer.get('message') or status}")
        return dict(answer.get("Labels") or {})


def _of_file(path: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(TIMEOUT)
    found.connect(path)
    return found


def _of_ssh(address: urllib.parse.SplitResult) -> socket.socket:
    """A connection as the docker command makes it; ssh ends with it."""
    options: t.List[str] = ["-o", "BatchMode=yes"]
    options += ["-l", address.username] if address.username else []
    options += ["-p", str(address.port)] if address.port else []
    near, far = socket.socketpair()
    with far:
        command: t.List[str] = ["ssh", *options, "--", address.hostname or "", "docker system dial-stdio"]
        subprocess.Popen(command, stdin=far.fileno(), stdout=far.fileno(), stderr=subprocess.DEVNULL)
    return near


def take(engine: Engine, cluster: str, holder: Data, replaces: str = "") -> Data:
    """Take the lock of ``cluster`` for ``holder``, or say who has it.

    ``holder`` has the keys ``token``, ``lease`` and whatever else the others may want to know. ``replaces`` is the token of a holder whose
    place is to be taken. The result has ``held``; and when it is not, ``holder`` (none when somebody is just taking it) and ``now``.
    """
    engine.greet()
    name, marks = volume_of(cluster), _marks(cluster, holder, engine.now)
    found: Data = {}
    for _attempt in range(ATTEMPTS):
        found = holder_of(engine.create(name, marks), cluster, name)
        if found["token"] == holder["token"]:
            return {"held": True}
        if found["token"] != replaces:
            break
        with _claimed(engine, cluster, replaces, marks) as mine:
            if mine and _token(engine.look(name), cluster, name) == replaces:
                engine.remove(name)
        if not mine:
            time.sleep(PAUSE)
    return {"held": False, "holder": found, "now": engine.now}


def free(engine: Engine, cluster: str, holder: Data) -> Data:
    """Give the lock back, if ``holder`` has it still."""
    engine.greet()
    name = volume_of(cluster)
    _sweep(engine, cluster)
    if _token(engine.look(name), cluster, name) == holder["token"]:
        with _claimed(engine, cluster, holder["token"], _marks(cluster, holder, engine.now)) as mine:
            if mine and _token(engine.look(name), cluster, name) == holder["token"]:
                engine.remove(name)
    return {"held": False}


def _sweep(engine: Engine, cluster: str) -> None:
    """Remove the claims of those who died in the middle of one."""
    select = json.dumps({"label": [f"{CLUSTER}={cluster}", f"{KIND}=lock"]})
    status, answer = engine.call("GET", f"/volumes?filters={urllib.parse.quote(select)}")
    for one in (answer.get("Volumes") or []) if status == 200 else []:
        name = str(one["Name"])
        if name.startswith(f"{volume_of(cluster)}."):
            with contextlib.suppress(OSError):
                if engine.now > holder_of(one.get("Labels") or {}, cluster, name)["taken"] + CLAIM_LEASE:
                    engine.remove(name)


def volume_of(cluster: str) -> str:
    """Name of the volume that is the lock of a cluster."""
    return f"{cluster}.operation-lock"


def holder_of(marks: Data, cluster: str, name: str) -> Data:
    """The holder that the labels of a lock's volume tell. Other volumes of its name are nobody's lock."""
    if marks.get(KIND) == "lock" and marks.get(CLUSTER) == cluster:
        with contextlib.suppress(ValueError, TypeError):
            found = json.loads(marks[HOLDER])
            return {**found, "token": str(found["token"]), "taken": float(found["taken"]), "lease": float(found["lease"])}
        return {"token": hashlib.sha256(str(marks.get(HOLDER)).encode()).hexdigest(), "taken": 0.0, "lease": 0.0}
    raise OSError(f"volume {name} is in the way, and no lock of {cluster}: look what it is (docker volume inspect {name})")


def _token(marks: Data, cluster: str, name: str) -> str:
    return str(holder_of(marks, cluster, name)["token"]) if marks else ""


def _marks(cluster: str, holder: Data, now: float) -> Data:
    return {CLUSTER: cluster, KIND: "lock", HOLDER: json.dumps({**holder, "taken": now})}


@contextlib.contextmanager
def _claimed(engine: Engine, cluster: str, token: str, marks: Data) -> t.Iterator[bool]:
    """Whether the place of the holder with this token is ours to give: one at a time has it."""
    name = f"{volume_of(cluster)}.{hashlib.sha256(token.encode()).hexdigest()[:16]}"
    made = holder_of(engine.create(name, marks), cluster, name)
    mine = made["token"] == holder_of(marks, cluster, name)["token"]
    try:
        yield mine
    finally:
        if mine or engine.now > made["taken"] + CLAIM_LEASE:
            engine.remove(name)


def main(arguments: Data) -> Data:
    """Do as the action plugin asks; ``absent`` tells why no Engine answers, ``error`` what went wrong."""
    engine = Engine(**arguments["engine"])
    try:
        if arguments["state"] == "free":
            return free(engine, arguments["cluster"], arguments["holder"])
        return take(engine, arguments["cluster"], arguments["holder"], arguments.get("replaces") or "")
    except NoEngine as exc:
        return {"held": False, "absent": str(exc)}
    except (OSError, ValueError, KeyError, http.client.HTTPException) as exc:
        return {"held": False, "error": " ".join(str(exc).split()) or type(exc).__name__}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
