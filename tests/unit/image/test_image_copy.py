# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive on the controller through which an image goes from one Docker host to others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.action.image_copy import drop_parts


def test_parts_of_runs_that_are_gone_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = ("a.tar", f"a.tar.{gone.pid}.part", f"a.tar.{os.getpid()}.part", "a.tar.odd.part", f"b.tar.{gone.pid}.part")
    for name in names:
        (tmp_path / name).touch()
    drop_parts(str(tmp_path / "a.tar"))
    assert {path.name for path in tmp_path.iterdir()} == set(names) - {names[1]}
