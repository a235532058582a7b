# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module tells while it runs, read over the connection that the module itself is using."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.plugin_utils import _followed


class Connection:
    """As those of Ansible: one command at a time, and what it waits for is kept in the object and in its ``become``."""

    def __init__(self) -> None:
        self.become: t.Any = SimpleNamespace(success="BECOME-SUCCESS-module")
        self.waits_for = "the module"
        self.asked: t.List[t.Tuple[t.Any, bool]] = []

    def exec_command(self, command: str, sudoable: bool = True) -> t.Tuple[int, bytes, bytes]:
        """Run a command on this machine."""
        self.waits_for = command
        self.asked.append((self.become, sudoable))
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr


class Followed(_followed.FollowedModule):
    """Shows lines in a list."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.shown: t.List[str] = []

    def _say(self, line: str) -> None:
        self.shown.append(line)


def test_following_touches_nothing_that_the_module_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_followed, "QUIET", 0.02)
    connection, path, ended = Connection(), tmp_path / "progress", threading.Event()
    plugin, progress = Followed(connection), Progress(str(path))
    follower = threading.Thread(target=plugin._follow, args=(str(path), ended))
    follower.start()
    for line in ("one of two", "one of two", "two of two"):
        progress.say(line)
    while len(plugin.shown) < 2:
        assert follower.is_alive()
    ended.set()
    follower.join()
    assert plugin.shown == ["one of two", "two of two"]
    assert connection.waits_for == "the module"
    assert connection.become.success == "BECOME-SUCCESS-module"
    # All of it went over another object, which becomes nobody.
    assert connection.asked
    assert set(connection.asked) == {(None, False)}


def test_the_user_who_has_logged_in_may_read_what_root_says(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    before = os.umask(0o077)
    try:
        Progress(str(path)).say("line")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
