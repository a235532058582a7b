# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of all tests that make an image of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static busybox: the machine's own, or out of Debian's package, which is not installed."""
    for place in ("/bin/busybox", "/usr/bin/busybox"):
        path = Path(place)
        if path.exists() and is_static(path):
            return path
    if shutil.which("apt-get") is None:
        pytest.fail("the tests need a static busybox at /bin/busybox: install it (on Debian and Ubuntu: apt-get install busybox-static)")
    folder = tmp_path_factory.mktemp("busybox")
    download = ["apt-get", "download", "busybox-static"]
    if subprocess.run(download, cwd=folder, check=False, capture_output=True).returncode != 0:
        # The machine has no package lists yet, or old ones.
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(download, cwd=folder, check=True, capture_output=True)
    subprocess.run(["dpkg", "-x", str(next(folder.glob("*.deb"))), "."], cwd=folder, check=True)
    return next(path for path in (folder / "bin" / "busybox", folder / "usr" / "bin" / "busybox") if path.exists())


def is_static(program: Path) -> bool:
    """Whether a program needs no shared libraries."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, check=False)
    return b"not a dynamic executable" in said.stdout + said.stderr or b"statically linked" in said.stdout
