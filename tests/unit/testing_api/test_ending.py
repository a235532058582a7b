# SPDX-License-Identifier: GPL-3.0-or-later
"""How a playbook is ended: Ansible is asked, and killed when it does not listen."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest
from gravity_cluster import playbooks
from gravity_cluster.playbooks import Ending


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as started:
        yield started
        started.kill()


def test_a_run_that_goes_on() -> None:
    assert not Ending(threading.Event())()


def test_before_the_first_event_there_is_nobody_to_ask() -> None:
    stop = threading.Event()
    end = Ending(stop)
    end.hear({"event": "verbose", "stdout": "x"})
    stop.set()
    assert end()


def test_ansible_is_asked_once_and_gets_its_time(process: subprocess.Popen[bytes]) -> None:
    stop = threading.Event()
    end = Ending(stop)
    end.hear({"pid": process.pid})
    end.hear({"pid": 1})
    assert not end()
    stop.set()
    assert not end()
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert not end()


def test_who_does_not_listen_is_killed(process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbooks, "GRACE", -1.0)
    stop = threading.Event()
    stop.set()
    end = Ending(stop)
    end.hear({"pid": process.pid})
    assert end()


def test_one_that_has_ended_by_itself(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    stop = threading.Event()
    stop.set()
    end = Ending(stop)
    end.hear({"pid": process.pid})
    assert not end()
