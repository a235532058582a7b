# SPDX-License-Identifier: GPL-3.0-or-later
"""The Engine that is meant, where nothing names one: as the docker command finds it."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.action.engine_info import QUESTION
from ansible_collections.gravity.cluster.plugins.module_utils import _engine, _engine_address
from ansible_collections.gravity.cluster.plugins.module_utils import _lock as lock
from ansible_collections.gravity.cluster.plugins.module_utils._engine import DEFAULT_URL, Engine, EngineOptions, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineUnreachable
from ansible_collections.gravity.cluster.plugins.plugin_utils._standalone import command

SOCKET = DEFAULT_URL.removeprefix("unix://")


@pytest.fixture
def over_tcp() -> Iterator[str]:
    """The Engine, at an address of the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                near, _address = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(SOCKET)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Makes a context as `docker context create` does, in a configuration of its own."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    def make(name: str, url: str) -> None:
        folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": url, "SkipTLSVerify": False}}}
        (folder / "meta.json").write_text(json.dumps(meta))

    return make


def version(options: EngineOptions) -> str:
    """What the Engine says that was meant."""
    return str(Engine(options).api.version()["Version"])


def locked(url: str = "") -> None:
    """The lock asks the same Engine, with means of its own."""
    asked = lock.Engine(url)
    asked.greet()
    assert asked.look("t-no-such-volume") == {}


@pytest.mark.parametrize("scheme", ["tcp", "http"])
def test_over_the_network(engine: Engine, over_tcp: str, scheme: str) -> None:
    assert version(options_from({"engine_url": f"{scheme}://{over_tcp}"})) == engine.api.version()["Version"]
    locked(f"{scheme}://{over_tcp}")


def test_over_ssh(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stands for a machine with sshd: it runs what it is asked to run.
    command = tmp_path / "ssh"
    command.write_text("#!/bin/sh\nfor last; do :; done\nexec $last\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(shutil.which('docker') or '').parent}:/usr/bin:/bin")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert version(options_from({"engine_url": "ssh://somebody@192.0.2.7"})) == engine.api.version()["Version"]
    locked("ssh://somebody@192.0.2.7")


def test_ssh_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where paramiko is missing.
    monkeypatch.delattr("docker.api.client.SSHHTTPAdapter")
    with pytest.raises(EngineUnreachable, match=r"the Docker SDK needs paramiko for ssh://: pip install paramiko, or"):
        Engine(options_from({"engine_url": "ssh://192.0.2.7"}))


def test_the_context_in_use(engine: Engine, over_tcp: str, context: Callable[[str, str], None], tmp_path: Path) -> None:
    context("near", f"tcp://{over_tcp}")
    (tmp_path / "config.json").write_text('{"currentContext": "near"}')
    found = options_from({})
    assert found.url == f"tcp://{over_tcp}"
    assert version(found) == engine.api.version()["Version"]
    assert lock.Engine().url == found.url
    locked()


@pytest.mark.usefixtures("engine")
def test_the_quick_question_asks_the_same_engine_or_none(context: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(url: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(sys.executable, QUESTION, url, [_engine_address]), shell=True, capture_output=True, text=True, check=False
        )

    assert asked().stdout.startswith(f"{DEFAULT_URL}\n{{")
    assert asked(DEFAULT_URL).stdout == asked().stdout
    context("far", "tcp://192.0.2.1:2375")
    for name in ("far", "none"):
        monkeypatch.setenv("DOCKER_CONTEXT", name)
        assert (asked().returncode, asked().stdout) == (1, "")


def test_what_counts_before_what(context: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context("used", "tcp://192.0.2.1:2375")
    context("named", "tcp://192.0.2.2:2375")
    assert options_from({}).url == DEFAULT_URL
    (tmp_path / "config.json").write_text('{"currentContext": "used"}')
    assert options_from({}).url == "tcp://192.0.2.1:2375"
    monkeypatch.setenv("DOCKER_CONTEXT", "named")
    assert options_from({}).url == "tcp://192.0.2.2:2375"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert options_from({}).url == DEFAULT_URL
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    monkeypatch.setenv("DOCKER_CONTEXT", "named")
    assert options_from({}).url == "unix:///elsewhere"
    assert options_from({"engine_url": "unix:///named"}).url == "unix:///named"


@pytest.mark.parametrize(("text", "words"), [(None, "is not there: see docker context ls"), ("{", "cannot be read")])
def test_a_context_that_names_nothing(
    context: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    if text is not None:
        context("odd", "tcp://192.0.2.1:2375")
        next(tmp_path.glob("contexts/meta/*/meta.json")).write_text(text)
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    with pytest.raises(EngineUnreachable, match=f"the Docker context odd {words}"):
        Engine(options_from({}))


def test_an_sdk_that_is_too_old_for_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> None:
        raise ValueError("Error while fetching server API version: Not supported URL scheme http+docker")

    monkeypatch.setattr(_engine, "_Client", refuse)
    with pytest.raises(EngineUnreachable, match=r"the Docker SDK [0-9.]+ is too old for requests [0-9.]+: upgrade it"):
        Engine(EngineOptions())
