# SPDX-License-Identifier: GPL-3.0-or-later
"""Real things to observe: containers of a test's own cluster, and a real EVM chain as a process."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

ROOT = Path(__file__).resolve().parents[2]
ANVIL = "1.7.1"
# Tests set a proxy that leads nowhere; what they install still goes the way that the machine's owner has set.
ENVIRONMENT = dict(os.environ)

Data = t.Dict[str, t.Any]
# A function that takes a command, and says nothing: all containers here end at once on SIGKILL.
RUNS = "while true; do sleep 1; done"


@dataclass
class Nodes:
    """Containers that carry the labels of one cluster, made without the module that is not under test here."""

    engine: Engine
    cluster: str
    image: str

    def run(self, name: str, script: str = RUNS, *, start: bool = True, port: t.Optional[t.Tuple[int, int]] = None, **host: t.Any) -> str:
        """Start a node that runs a shell ``script``; its container's name. ``port`` is (in the container, on the host)."""
        return self.make(name, ["sh", "-c", script], start=start, port=port, **host)

    def make(
        self, name: str, command: t.List[str], *, start: bool = True, port: t.Optional[t.Tuple[int, int]] = None, **host: t.Any
    ) -> str:
        """Make, and start, a node with a command. ``health`` is a health check; the rest goes into the host config."""
        api = self.engine.api
        health = host.pop("health", None)
        bindings = {port[0]: ("127.0.0.1", port[1])} if port else None
        container = f"{self.cluster}-{name}"
        made = api.create_container(
            self.image,
            command,
            name=container,
            ports=[port[0]] if port else None,
            labels=labels.own(self.cluster, "node", node=name),
            healthcheck=health,
            host_config=api.create_host_config(port_bindings=bindings, **host),
        )
        if start:
            api.start(made["Id"])
        return container

    def target(self, name: str, probes: t.Optional[Data] = None, *conditions: Data) -> Data:
        """A node as the modules want it."""
        return {"name": name, "container": f"{self.cluster}-{name}", "probes": probes or {}, "conditions": list(conditions)}


@dataclass
class Chain:
    """A real EVM chain of one node, as a process on this machine."""

    url: str
    process: subprocess.Popen[bytes]

    def call(self, method: str, *params: t.Any) -> t.Any:
        """The result of a JSON-RPC call."""
        host, port = self.url[len("http://") :].split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        with contextlib.closing(connection):
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read()).get("result")


def install_anvil() -> Path:
    """The program anvil, from its npm package, kept in the cache folder."""
    folder = ROOT / ".cache" / f"anvil-{ANVIL}"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    program = folder / "node_modules" / "@foundry-rs" / f"anvil-linux-{machine}" / "bin" / "anvil"
    if not program.exists():
        if shutil.which("npm") is None:
            pytest.fail("these tests need npm, for the chain anvil: install it (on Debian and Ubuntu: apt-get install npm)")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            (Path(fresh) / "package.json").write_text("{}", encoding="utf-8")
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund", f"@foundry-rs/anvil@{ANVIL}"]
            subprocess.run(command, cwd=fresh, env=ENVIRONMENT, check=True)
            # Tests that run at the same time install it too; the first one to have ended counts.
            with contextlib.suppress(OSError):
                (Path(fresh) / "node_modules").rename(folder / "node_modules")
    return program


def start_chain(program: Path, port: int, *options: str) -> Chain:
    """Start a chain and wait until it answers."""
    process = subprocess.Popen([str(program), "--port", str(port), "--silent", *options])
    chain = Chain(f"http://127.0.0.1:{port}", process)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if chain.call("eth_chainId"):
                return chain
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"anvil does not answer at {chain.url}")


@contextlib.contextmanager
def hanging() -> t.Iterator[int]:
    """A port that accepts connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def answering(answer: t.Callable[[str, bytes], bytes]) -> t.Iterator[int]:
    """A port that answers every HTTP request with what ``answer(request line, body)`` returns: for faults that no real node has at hand."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    connection, _address = listener.accept()
                    threading.Thread(target=converse, args=(connection, answer), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        over.set()
        thread.join()


def converse(connection: socket.socket, answer: t.Callable[[str, bytes], bytes]) -> None:
    """Read one request, send the answer as it is, close."""
    with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
        first = stream.readline().decode("latin-1").strip()
        length = 0
        for line in iter(stream.readline, b"\r\n"):
            name, _colon, value = line.decode("latin-1").partition(":")
            if name.lower() == "content-length":
                length = int(value)
            if not line:
                return
        connection.sendall(answer(first, stream.read(length)))


def reply(body: t.Any, status: str = "200 OK") -> bytes:
    """An HTTP response with JSON, or with text when ``body`` is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content
