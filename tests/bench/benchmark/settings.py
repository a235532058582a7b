# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: the options of a run, and the tiny cluster that every contender brings up with the same settings."""

from __future__ import annotations

import ipaddress
import os
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / ".cache" / "bench"

IMAGE = "gravity-bench:busybox"
LABEL = "gravity-bench"  # on every object of the contenders that are not ours
CLUSTER_LABEL = "gravity.cluster.name"  # on every object of ours

# The settings of one container, the same for every contender: what our own defaults ask for, small.
COMMAND = ["/bin/busybox", "sleep", "86400"]
USER = "10001:10001"
MEMORY = 64 * 1024 * 1024  # bytes
CPUS = 0.25
PIDS = 32
STOP_GRACE = 30  # seconds
LOG = {"max-size": "10m", "max-file": "3"}
SECURITY = ["no-new-privileges:true"]

LARGEST = 200  # containers that fit into the subnet of one contender


class BenchError(Exception):
    """A contender or a tool did not do what was asked; the message is one line."""


@dataclass(frozen=True)
class Options:
    """The command line. ``parts`` holds the names of what to measure; ``sizes`` counts containers."""

    sizes: t.Tuple[int, ...]
    repeats: int
    parts: t.FrozenSet[str]
    output: Path
    keep: bool
    subnet: ipaddress.IPv4Network
    inventory_nodes: int
    lag_samples: int


@dataclass(frozen=True)
class Node:
    """One container. ``name`` is unique in its cluster, ``container`` on the Engine."""

    name: str
    container: str
    address: str


@dataclass(frozen=True)
class Case:
    """``size`` containers of one contender on a network of their own; ``folder`` takes its files."""

    contender: str
    size: int
    subnet: ipaddress.IPv4Network
    folder: Path
    # Each round has a network of its own: an Engine of version 20.10 sometimes cannot remove one (moby issue 42119).
    number: int = 0

    @property
    def network(self) -> str:
        """Name of the network."""
        return f"bench-{self.contender}-{self.size}-{self.number}"

    @property
    def gateway(self) -> str:
        """Address of the bridge."""
        return str(self.subnet[1])

    @property
    def nodes(self) -> t.List[Node]:
        """The containers, each with its fixed address."""
        return [Node(f"node_{number}", f"bench-{self.contender}-{number}", str(self.subnet[10 + number])) for number in range(self.size)]


def say(line: str) -> None:
    """Progress, on standard error, so that the table alone is on standard output."""
    print(line, file=sys.stderr, flush=True)


def tool(name: str) -> str:
    """Path of a program that lies beside the running Python, in .venv."""
    return os.path.join(os.path.dirname(sys.executable), name)


def ansible_environment(folder: Path, collections: Path, **more: str) -> t.Dict[str, str]:
    """Environment for Ansible: the settings that matter for speed as in our ansible.cfg, and nothing of the user's own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ansible.cfg").write_text("", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment.update(
        ANSIBLE_CONFIG=str(folder / "ansible.cfg"),
        ANSIBLE_HOME=str(folder / "ansible"),
        ANSIBLE_LOCAL_TEMP=str(folder / "ansible" / "tmp"),
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_PIPELINING="True",
        ANSIBLE_GATHERING="explicit",
        ANSIBLE_NOCOWS="True",
        ANSIBLE_NOCOLOR="True",
        ANSIBLE_LOCALHOST_WARNING="False",
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="True",
        **more,
    )
    return environment
