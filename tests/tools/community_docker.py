# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the collection community.docker, and what it imports, into a collections path: out of the pinned package ``ansible``.

Nothing is fetched when it is there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PINS = Path(__file__).with_suffix(".txt")
NEEDED = ("ansible_collections/community/docker/", "ansible_collections/community/library_inventory_filtering_v1/")


def main(target: Path) -> None:
    """Fetch it, and unpack it into ``target``."""
    community = target / "ansible_collections" / "community"
    ready, pins = community / ".pins", PINS.read_text(encoding="utf-8")
    if ready.exists() and ready.read_text(encoding="utf-8") == pins:
        return
    shutil.rmtree(community, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*pip, "-r", str(PINS), "-d", folder], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("ansible-*.whl"))) as archive:
            archive.extractall(target, [name for name in archive.namelist() if name.startswith(NEEDED)])
    ready.write_text(pins, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
