# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a small Debian for tests, made without a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

# The published types of the low-level client are too incomplete to be of use.
Api = t.Any


def make(api: Api, name: str, packages: t.Sequence[str], hooks: t.Sequence[str], changes: t.Sequence[str]) -> None:
    """Make the image ``name``; ``hooks`` are customize hooks of mmdebstrap, ``changes`` lines of a Dockerfile."""
    if shutil.which("mmdebstrap") is None:
        install("mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root.tar"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
        command += [f"--customize-hook={hook}" for hook in hooks]
        subprocess.run([*command, "bookworm", str(root)], check=True, capture_output=True, text=True, timeout=600)
        repository, tag = name.split(":")
        api.import_image_from_file(str(root), repository=repository, tag=tag, changes=list(changes))


def install(*packages: str) -> None:
    """Install packages of the machine itself."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=True, capture_output=True, env=environment, timeout=600,
    )  # fmt: skip
