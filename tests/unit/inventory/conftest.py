# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin as Ansible's own commands load it."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

GENERIC = "plugin: gravity.cluster.spec\ncluster_name: x\nflavor: generic\nimage: tiny:1\n"


class Sources:
    """Files of a folder, as inventory sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "cluster.yml") -> Path:
        """A file with this text."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, tool: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One of Ansible's commands, in the folder."""
        return subprocess.run(
            [str(ROOT / ".venv" / "bin" / tool), *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "NO_COLOR": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def listing(self, *paths: t.Union[str, Path], **environment: str) -> Listing:
        """The inventory of some sources."""
        options = [option for path in paths or ("cluster.yml",) for option in ("-i", str(path))]
        done = self.run("ansible-inventory", *options, "--list", **environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return Listing(json.loads(done.stdout, object_hook=lambda data: data.get("__ansible_unsafe", data)))


class Listing:
    """What ``ansible-inventory --list`` says."""

    def __init__(self, data: t.Dict[str, t.Any]) -> None:
        self.variables: t.Dict[str, t.Dict[str, t.Any]] = data["_meta"]["hostvars"]
        self.groups = {name: group.get("hosts", []) for name, group in data.items() if name != "_meta"}


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """See :class:`Sources`."""
    return Sources(tmp_path)
