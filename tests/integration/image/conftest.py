# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of one test, a small wheel to assemble them from, and a registry on this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import zstandard

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine


@pytest.fixture
def new_name(engine: Engine) -> Iterator[Callable[[], str]]:
    """Give names of images; what is under them, and what has lost its name to them, is removed afterwards."""
    prefix = f"t-image-{uuid.uuid4().hex[:8]}"
    given: list[str] = []

    def give() -> str:
        given.append(f"{prefix}/{len(given)}:1")
        return given[-1]

    before = {one["Id"] for one in engine.api.images(all=True)}
    yield give
    for name in given:
        with contextlib.suppress(docker.errors.APIError):
            engine.api.remove_image(name, force=True)
    for one in engine.api.images(filters={"dangling": True, "label": f"t.image={prefix}"}):
        if one["Id"] not in before:
            with contextlib.suppress(docker.errors.APIError):
                engine.api.remove_image(one["Id"], force=True)


@pytest.fixture
def name(new_name: Callable[[], str]) -> str:
    """One such name."""
    return new_name()


@pytest.fixture
def foreign(engine: Engine, another_image: Callable[[str], None]) -> Iterator[Callable[[str], str]]:
    """Put an image that is not ours under a name and return its id; it is removed afterwards, under whatever name."""
    made: list[str] = []

    def make(name: str) -> str:
        another_image(name)
        made.append(str(engine.image_id(name)))
        return made[-1]

    yield make
    for identifier in made:
        with contextlib.suppress(docker.errors.APIError):
            engine.api.remove_image(identifier, force=True)


def make_wheel(folder: Path, version: str = "2.0", greeting: str = "hello") -> Path:
    """A wheel ``t-toy-tool`` whose tool, a shell script, lies in a tar that zstd compressed."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        script = f"#!/bin/sh\necho {greeting} $TOY_NAME from {version}\n".encode()
        entry = tarfile.TarInfo("toy-linux")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script))
    metadata = f"t_toy_tool-{version}.dist-info"
    files = {
        "t_toy_tool/bin/toy.tar.zst": zstandard.ZstdCompressor().compress(tar.getvalue()),
        f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: t-toy-tool\nVersion: {version}\n".encode(),
        f"{metadata}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()
    )
    folder.mkdir(exist_ok=True)
    path = folder / f"t_toy_tool-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, f"{metadata}/RECORD": record.encode()}.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def options(index: Path, tmp_path: Path, name: str) -> dict[str, Any]:
    """Options that assemble the toy tool."""
    wheel = make_wheel(index)
    return {
        "name": name,
        "source": "assemble",
        "cache": str(tmp_path / "cache"),
        "assemble": {
            "wheel": {"package": "t-toy-tool", "version": "2.0", "hashes": {assemble.machine(): assemble.sha256_of(wheel)}},
            "members": [{"archive": "t_toy_tool/bin/*.tar.zst", "member": "toy-*", "path": "/usr/bin/toy", "mode": "0755"}],
            "programs": ["sh", "id", "ls"],
            "files": [{"path": "/etc/motd", "content": "welcome\n"}],
            "folders": [{"path": "/data", "owner": "10001:10001", "mode": "0700"}],
            "user": "10001:10001",
            "workdir": "/data",
            "env": {"TOY_NAME": 'a "b" $c'},
            "entrypoint": ["toy"],
            "labels": {"t.image": name.partition("/")[0]},
        },
    }


@pytest.fixture
def run_image(engine: Engine) -> Callable[..., str]:
    """Run an image's command, or another, and return what it prints."""

    def run(image: str, *command: str) -> str:
        host = engine.api.create_host_config(network_mode="none", cap_drop=["ALL"], read_only=True)
        entrypoint = {"entrypoint": list(command)} if command else {}
        container = engine.api.create_container(image, host_config=host, **entrypoint)["Id"]
        try:
            engine.api.start(container)
            engine.api.wait(container)
            logs: bytes = engine.api.logs(container)
            return logs.decode()
        finally:
            engine.api.remove_container(container, force=True)

    return run


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a registry on this machine: the distribution's own server, out of Debian's package, which is not installed."""
    folder = tmp_path_factory.mktemp("registry")
    program = shutil.which("docker-registry")
    if program is None:
        subprocess.run(["apt-get", "download", "docker-registry"], cwd=folder, check=True, capture_output=True)
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", str(package), "."], cwd=folder, check=True)
        program = str(folder / "usr/bin/docker-registry")
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            with contextlib.suppress(OSError):
                opener.open(f"http://127.0.0.1:{port}/v2/", timeout=2)
                break
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
        server.terminate()
