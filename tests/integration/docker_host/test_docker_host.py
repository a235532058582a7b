# SPDX-License-Identifier: GPL-3.0-or-later
"""The role docker_host and the module engine_info, where an Engine answers and where none does."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, EngineOptions
from ansible_collections.gravity.cluster.plugins.module_utils._engine_info import engine_info
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
NOBODY = 65534


def play(*arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the role on this machine."""
    variables["ansible_python_interpreter"] = sys.executable
    return subprocess.run(
        [BIN / "ansible", "localhost", "--inventory", "localhost,", "--connection", "local", "--extra-vars", json.dumps(variables)]
        + ["--module-name", "ansible.builtin.include_role", "--args", "name=gravity.cluster.docker_host", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def message(done: subprocess.CompletedProcess[str]) -> str:
    """What the role failed with."""
    found = re.findall(r'^    "msg": (".*")$', done.stdout, re.MULTILINE)
    assert found, done.stdout
    return str(json.loads(found[-1]))


def test_an_engine_that_answers_is_used(engine: Engine) -> None:
    done = play()
    assert done.returncode == 0, done.stdout
    assert "CHANGED" not in done.stdout
    # One question, and the rest is skipped as a whole.
    assert done.stdout.count('"answers": true') == 1
    assert f'"version": "{engine.api.version()["Version"]}"' in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_an_engine_elsewhere_is_not_replaced(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    url = f"unix://{tmp_path}/docker.sock"
    done = play(*arguments, docker_host_engine_url=url)
    assert done.returncode != 0
    assert message(done).startswith(f"localhost: no Docker Engine answers at {url} (No such file or directory): ")


def test_info_of_an_engine_that_answers(engine: Engine) -> None:
    info = engine_info(EngineOptions(), 0, None, Progress())
    version = engine.api.version()
    assert info["answers"] and info["reason"] is None and info["error"] is None
    assert (info["version"], info["api_version"], info["architecture"]) == (version["Version"], version["ApiVersion"], version["Arch"])
    assert info["uid"] == os.geteuid() and info["running"] and not info["changed"]


@pytest.fixture
def late_socket(tmp_path: Path) -> Iterator[str]:
    """Address of a socket that begins to lead to the Engine after a second, as the one of an Engine that starts."""
    path = str(tmp_path / "late.sock")
    listener = socket.socket(socket.AF_UNIX)
    ended = threading.Event()

    def pump(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        time.sleep(1)
        listener.bind(path)
        listener.listen()
        listener.settimeout(0.1)
        while not ended.is_set():
            try:
                client, _address = listener.accept()
            except TimeoutError:
                continue
            client.settimeout(30)
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect("/var/run/docker.sock")
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield f"unix://{path}"
    ended.set()
    server.join()
    listener.close()


def test_waits_for_an_engine_that_starts(late_socket: str, tmp_path: Path) -> None:
    shown = tmp_path / "progress"
    begin = time.monotonic()
    info = engine_info(EngineOptions(url=late_socket), 120, None, Progress(str(shown)))
    assert info["answers"]
    assert 0.9 < time.monotonic() - begin < 120
    assert f"waiting for the Docker Engine at {late_socket} (0 s)" in shown.read_text()


def test_gives_up_in_time_and_shows_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\nfailed to start daemon: no space left\n")
    info = engine_info(EngineOptions(url=f"unix://{tmp_path}/none.sock"), 1.0, str(log), Progress())
    assert (info["answers"], info["reason"]) == (False, "unreachable")
    assert info["log_lines"] == ["first", "failed to start daemon: no space left"]


def ask_as_nobody(url: str, answers: Any) -> None:
    """What the module says to a user without rights; runs in a process of its own."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    answers.put(engine_info(EngineOptions(url=url), 0, None, Progress()))


def test_tells_a_user_without_rights(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("closed", numbered=True)
    path = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0)
        context = multiprocessing.get_context("fork")
        answers = context.Queue()
        child = context.Process(target=ask_as_nobody, args=(f"unix://{path}", answers))
        child.start()
        info = answers.get(timeout=30)
        child.join()
    assert (info["answers"], info["reason"]) == (False, "permission")
    assert "Permission denied" in info["error"]
