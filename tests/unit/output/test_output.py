# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils import _output as output
from ansible_collections.gravity.cluster.plugins.plugin_utils._drafts import draft


def test_paths_count_from_where_the_user_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ops")
    assert output.path_of("st.json") == str(tmp_path / "st.json")
    assert output.path_of("~/st.json") == "/home/ops/st.json"


def test_what_killed_runs_left_goes_with_the_next_file(tmp_path: Path) -> None:
    for name in (".gravity-cluster-dead", ".gravity-cluster-other"):
        (tmp_path / name).write_text("half\n", encoding="utf-8")
    with draft(str(tmp_path), ".gravity-cluster-") as (stream, name):
        stream.write(b"alive")
        stream.flush()
        output.write(str(tmp_path / "file"), "one", 0o644)
        assert sorted(os.listdir(tmp_path)) == [os.path.basename(name), "file"]
    assert os.listdir(tmp_path) == ["file"]


def test_what_killed_runs_left_of_an_image_goes_with_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "gravity-cluster-dead.tar").write_bytes(b"half")
    (tmp_path / "gravity-cluster-notes.txt").write_bytes(b"a user's")
    with draft(str(tmp_path), "gravity-cluster-", ".tar"):
        assert not (tmp_path / "gravity-cluster-dead.tar").exists()
    assert os.listdir(tmp_path) == ["gravity-cluster-notes.txt"]


def test_folders_are_made_and_modes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    output.write(str(path), "one", 0o640)
    assert (path.read_text(encoding="utf-8"), stat.S_IMODE(path.stat().st_mode)) == ("one", 0o640)
    path.chmod(0o600)
    output.write(str(path), "two", 0o644)
    assert (output.read(str(path)), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o600)
    assert os.listdir(path.parent) == ["file"]


def test_a_special_file_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    assert output.read(str(path)) is None
    output.write(str(path), "hello", 0o644)
    reader.join(10)
    assert read == ["hello"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("one", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    output.write(str(tmp_path / "link"), "two", 0o644)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "two"


def test_a_private_file_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "file"
    output.write(str(path), "one", 0o600, private=True)
    assert not output.is_open(str(path))
    path.chmod(0o644)
    assert output.is_open(str(path))
    output.write(str(path), "one", 0o600, private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not output.is_open(str(tmp_path / "none"))
