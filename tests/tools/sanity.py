# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs all of ``ansible-test sanity`` on a clean copy of the working tree.

ansible-test wants the collection under ``ansible_collections/<namespace>/<name>`` and in git; a symbolic link does not do.
Files that git ignores are not copied, so that what is tested is what would be committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "sanity"
COPY = WORK / "ansible_collections" / "gravity" / "cluster"
HOME = WORK / "home"
# What Docker hosts may have; those of them that this machine has count.
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


def copy_tree() -> None:
    """A fresh repository at COPY with the files of the working tree."""
    shutil.rmtree(WORK / "ansible_collections", ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():  # a file that was deleted and not yet committed is still listed
            target = COPY / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    subprocess.run(["git", "init", "--quiet"], cwd=COPY, check=True)
    # ansible-test writes below this folder, and then tests what it wrote unless git ignores it.
    (COPY / ".git" / "info" / "exclude").write_text("/tests/output/\n")
    subprocess.run(["git", "add", "--all"], cwd=COPY, check=True)


def make_home() -> None:
    """A home folder for ansible-test, so that the one of the user stays as it is; pip's settings are kept."""
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "tests" / "tools" / "get_pip.py", cache / "get_pip_24_2.py")
    pip = HOME / ".config" / "pip"
    if (Path.home() / ".config" / "pip").exists() and not pip.exists():
        pip.parent.mkdir(parents=True, exist_ok=True)
        pip.symlink_to(Path.home() / ".config" / "pip")
    # ansible-test hands no variables on, but pip reads this file too.
    settings = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    settings["quiet"] = "2"
    (HOME / ".pip").mkdir(exist_ok=True)
    (HOME / ".pip" / "pip.conf").write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))


def search_path() -> str:
    """PATH with the Pythons of pyenv instead of its shims, which exist for versions that do not run."""
    folders = []
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        versions = folder.parent / "versions"
        if folder.name == "shims" and versions.is_dir():
            folders += sorted(versions.glob("*/bin"))
        else:
            folders.append(folder)
    return os.pathsep.join(map(str, folders))


def sanity(*options: str) -> int:
    """Run ansible-test; its exit code."""
    command = ["ansible-test", "sanity", "--venv", "--color", "no", *options]
    return subprocess.call(command, cwd=COPY, env={**os.environ, "HOME": str(HOME), "PATH": search_path()})


def main() -> int:
    copy_tree()
    make_home()
    if sys.argv[1:]:
        return sanity("--python", "default", *sys.argv[1:])
    codes = [sanity("--python", "default", "--skip-test", "import")]
    # Each version has an environment of its own to be made: those between the oldest and the newest tell nothing more.
    there = [version for version in PYTHONS if shutil.which(f"python{version}", path=search_path())]
    codes += [sanity("--python", version, "--test", "import") for version in dict.fromkeys((there[0], there[-1]))]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
