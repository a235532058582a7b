# SPDX-License-Identifier: GPL-3.0-or-later
"""Write constraints.txt anew: the version of every package that the running Python has."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "constraints.txt"
HEAD = """# SPDX-License-Identifier: GPL-3.0-or-later
# The exact version of everything that `make setup` and the checks install, also of what the requirements need in turn.
# After a change of requirements, `.venv/bin/python tests/tools/constraints.py` writes it anew.
"""
# What venv brings, and our own package.
UNPINNED = frozenset({"pip", "setuptools", "wheel", "gravity-cluster-testing"})


def canonical(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    """The version of every package, by its name."""
    found: list[Distribution] = list(distributions())
    return {canonical(one.metadata["Name"]): one.version for one in found if canonical(one.metadata["Name"]) not in UNPINNED}


def pinned() -> dict[str, str]:
    """What constraints.txt says."""
    lines = (line.partition("==") for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {canonical(name): version for name, _equals, version in lines}


if __name__ == "__main__":
    FILE.write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(installed().items())), encoding="utf-8")
