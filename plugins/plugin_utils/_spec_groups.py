# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of the inventory that a node is in."""

from __future__ import annotations

import functools
import re
import typing as t

NODES = "nodes"
DOCKER_HOSTS = "docker_hosts"

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


@functools.lru_cache(maxsize=100_000)
def safe(name: str) -> str:
    """``name`` as the name of a group: only letters, digits and underscores, as Ansible wants it."""
    return _UNSAFE.sub("_", name)


def host_group(host: str) -> str:
    """The group that a Docker host shares with its nodes."""
    return safe(f"on_{host}")


def node_groups(node: t.Mapping[str, t.Any]) -> t.List[str]:
    """The groups of a node: all nodes, its role in the plural, its Docker host, its flavor, its labels."""
    groups = [NODES, safe(node["role"] + "s"), host_group(node["host"]), safe(f"flavor_{node['flavor']}")]
    return groups + [safe(f"label_{key}_{value}") for key, value in node["labels"].items()]
