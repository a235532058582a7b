# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets what the benchmark compares with: busybox, docker-compose, community.docker."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t
from importlib.metadata import version
from pathlib import Path

from benchmark import commands, engine, settings
from benchmark.settings import BenchError, say

COMMUNITY = Path(__file__).resolve().parents[2] / "tools" / "community_docker.txt"


def busybox(cache: Path) -> Path:
    """A static busybox: taken out of Debian's package busybox-static, which is not installed. Kept in ``cache``."""
    found = cache / "busybox" / "bin" / "busybox"
    if found.exists():
        return found
    if not shutil.which("apt-get"):
        raise BenchError(f"a static busybox is needed: put one at {found}")
    say("bench: fetching busybox-static")
    folder = cache / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    commands.run(["apt-get", "download", "busybox-static"], cache / "busybox.log", cwd=folder)
    package = next(folder.glob("busybox-static_*.deb"))
    commands.run(["dpkg-deb", "-x", str(package), str(cache / "busybox")], cache / "busybox.log")
    return found


def compose(cache: Path) -> t.Optional[str]:
    """Make sure that docker-compose 1.29 is there; what is missing, when it cannot be had."""
    if not shutil.which("docker-compose"):
        if not shutil.which("apt-get") or os.geteuid() != 0:
            return "docker-compose is not installed: apt-get install docker-compose"
        say("bench: installing docker-compose")
        install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "docker-compose"]
        try:
            commands.run(install, cache / "compose.log", env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        except BenchError as exc:
            return f"docker-compose could not be installed: {exc}"
    log = cache / "compose-version.log"
    commands.run(["docker-compose", "version", "--short"], log)
    version = log.read_text(encoding="utf-8").strip()
    return None if version.startswith("1.") else f"docker-compose is {version}, not 1.x: its file and output differ"


def community(cache: Path) -> Path:
    """A collections path that holds community.docker and what it imports."""
    root = cache / "collections"
    say("bench: fetching community.docker")
    commands.run([sys.executable, str(COMMUNITY.with_suffix(".py")), str(root)], cache / "pip.log")
    return root


def versions() -> t.Dict[str, str]:
    """Versions of what is compared, for the report."""
    known = engine.connect().version()
    return {
        "python": sys.version.split()[0],
        "ansible-core": version("ansible-core"),
        "docker (SDK)": version("docker"),
        "Docker Engine": str(known["Version"]),
        "kernel": os.uname().release,
        "CPUs": str(os.cpu_count()),
        "pins": " ".join(line.split()[0] for line in COMMUNITY.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"),
        "settings": f"{settings.MEMORY} bytes, {settings.CPUS} CPUs, {settings.PIDS} pids per container",
    }
