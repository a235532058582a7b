# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module tells while it runs, read over the connection that the module itself is using."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import threading
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress, remove_leftovers
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


def test_a_line_that_cannot_be_written_costs_nothing_but_the_line(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    progress = Progress(str(path))
    progress.say("one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        progress.say("longer than what fits")
        progress.say("and one more")
        progress.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert progress.trouble.startswith(f"progress could not be shown: {path}: ")
    assert not path.exists()


def test_a_folder_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path / "gone" / "progress"))
    progress.say("one")
    progress.say("two")
    progress.close()
    assert "No such file" in progress.trouble


def test_what_killed_runs_left_goes_and_nothing_else(tmp_path: Path) -> None:
    victim, others, empty = tmp_path / "victim", tmp_path / ".other-cluster-1", tmp_path / ".gravity-cluster-young"
    dead, link = tmp_path / ".gravity-cluster-dead", tmp_path / ".gravity-cluster-link"
    for one in (victim, others, dead):
        one.write_text("a line\n", encoding="utf-8")
    empty.touch()
    link.symlink_to(victim)
    folder = tmp_path / ".gravity-cluster-folder"
    folder.mkdir()
    alive = tmp_path / ".gravity-cluster-alive"
    progress = Progress(str(alive))
    progress.say("still at work")
    remove_leftovers(str(tmp_path / ".gravity-cluster-new"))
    assert not dead.exists()
    assert all(one.exists() for one in (victim, others, empty, link, folder, alive))
    progress.close()
    assert not alive.exists()
