# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of somebody else must not change what CI runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests" / "tools"))

import constraints  # noqa: E402 -- the tools are no package


def test_every_package_of_the_environment_is_pinned() -> None:
    pinned = constraints.pinned()
    assert {name: pinned.get(name) for name in constraints.installed()} == constraints.installed()


def test_requirements_of_users_are_ranges() -> None:
    lines = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9-]+>=[0-9.]+", line)] == []


def test_make_names_its_configuration(tmp_path: Path) -> None:
    """Ansible would not read the ansible.cfg of a checkout that everybody may write to."""
    folder = tmp_path / "checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "ansible.cfg", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    folder.chmod(0o777)
    (folder / ".venv" / ".ready").touch()
    play = folder / ".venv" / "bin" / "ansible-playbook"
    play.write_text('#!/bin/sh\necho "config=$ANSIBLE_CONFIG"\n', encoding="utf-8")
    play.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
    for target in ("up", "status", "stop", "start", "restart", "down", "purge", "logs"):
        done = subprocess.run(["make", target], cwd=folder, env=clean, capture_output=True, text=True, check=True)
        assert f"config={folder}/ansible.cfg" in done.stdout
