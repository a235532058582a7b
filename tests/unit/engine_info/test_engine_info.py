# SPDX-License-Identifier: GPL-3.0-or-later
"""What engine_info makes of a machine's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _engine_info as info


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
            {"id": "debian", "like": [], "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        ),
        (
            "# a comment\nID=linuxmint\nID_LIKE='ubuntu debian'\n\nVERSION_ID=22\n",
            {"id": "linuxmint", "like": ["ubuntu", "debian"], "version": "22", "name": "linuxmint"},
        ),
        ("", {"id": "unknown", "like": [], "version": "", "name": "an unknown distribution"}),
        ('ID="unclosed', {"id": "unknown", "like": [], "version": "", "name": "an unknown distribution"}),
    ],
)
def test_distribution_is_read_as_a_shell_would(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    path = tmp_path / "os-release"
    path.write_text(text)
    assert info.distribution(str(path)) == expected


def test_distribution_of_a_machine_without_os_release(tmp_path: Path) -> None:
    assert info.distribution(str(tmp_path / "none"))["id"] == "unknown"


def test_init_system_is_systemd_only_where_it_manages_services(tmp_path: Path) -> None:
    first = tmp_path / "comm"
    first.write_text("sleep\n")
    assert info.init_system(str(tmp_path), str(first)) == "systemd"
    assert info.init_system(str(tmp_path / "none"), str(first)) == "sleep"
    assert info.init_system(str(tmp_path / "none"), str(tmp_path / "none")) == "unknown"


def process(folder: Path, pid: str, stat: str, namespace: str = "pid:[1]") -> None:
    """A process in a folder like /proc."""
    (folder / pid / "ns").mkdir(parents=True)
    (folder / pid / "stat").write_text(stat)
    (folder / pid / "ns" / "pid").symlink_to(namespace)


@pytest.mark.parametrize(
    ("stat", "namespace", "runs"),
    [
        ("7 (dockerd) S 1 7", "pid:[1]", True),
        ("7 (dockerd) Z 1 7", "pid:[1]", False),  # ended, its parent has not noticed
        ("7 (dockerd) S 1 7", "pid:[2]", False),  # the Engine of a container
        ("7 (a (dockerd) b) S 1 7", "pid:[1]", False),
        ("7 (containerd) S 1 7", "pid:[1]", False),
    ],
)
def test_only_a_living_daemon_of_this_machine_runs(tmp_path: Path, stat: str, namespace: str, runs: bool) -> None:
    process(tmp_path, "self", "1 (python) R 0 1")
    process(tmp_path, "7", stat, namespace)
    (tmp_path / "8").mkdir()  # a process that has just gone
    assert info.daemon_runs(str(tmp_path)) is runs


def test_denied_is_found_in_the_depth_of_an_error() -> None:
    try:
        try:
            raise PermissionError(13, "Permission denied")
        except PermissionError as inner:
            raise ValueError("connection aborted", inner) from None
    except ValueError as exc:
        assert info.was_denied(exc)
    circular = ValueError("around")
    circular.__context__ = OSError(2, "No such file")
    circular.__context__.__context__ = circular
    assert not info.was_denied(circular)


def test_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(30)) + b"\xff end")
    assert info.last_lines(str(log), 2) == ["line 29", "\ufffd end"]
    assert info.last_lines(str(tmp_path / "none")) == []
