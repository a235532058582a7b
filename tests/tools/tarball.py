# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection, installs it into an empty folder, and reads the documentation of everything in it.

What it leaves in ``.cache/tarball/collections`` is what a user gets from ``ansible-galaxy collection install``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "tarball"
COLLECTIONS = WORK / "collections"
TYPES = ("module", "inventory", "role", "filter", "callback", "lookup", "test")
# Nobody wants these in what they install.
UNWANTED = (".git/", ".venv/", ".cache/", ".ansible/", "build/", "dist/", "__pycache__/")


def run(*command: str) -> str:
    """The output of an Ansible tool that sees only what was installed, and no settings of this repository or of the user."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(WORK / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    done = subprocess.run(command, cwd=WORK, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build() -> Path:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    (WORK / "ansible.cfg").touch()
    run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(WORK))
    (built,) = WORK.glob("gravity-cluster-*.tar.gz")
    with tarfile.open(built) as archive:
        names = [f"{name}/" for name in archive.getnames()]
    unwanted = sorted({part for name in names for part in UNWANTED if name.startswith(part) or f"/{part}" in name})
    if unwanted:
        sys.exit(f"{built.name} contains {', '.join(unwanted)}: add it to build_ignore in galaxy.yml")
    print(f"{built.name}: {built.stat().st_size // 1024} KiB, {len(names)} entries")
    return built


def main() -> int:
    run("ansible-galaxy", "collection", "install", str(build()), "--collections-path", str(COLLECTIONS), "--offline")
    for kind in TYPES:
        names = sorted(json.loads(run("ansible-doc", "--type", kind, "--list", "--json", "gravity.cluster")))
        if names:
            documents = json.loads(run("ansible-doc", "--type", kind, "--json", *names))
            silent = [name for name in names if not documents.get(name)]
            if silent:
                sys.exit(f"no documentation: {kind} {', '.join(silent)}")
            print(f"{kind}: {', '.join(name.rsplit('.', 1)[1] for name in names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
