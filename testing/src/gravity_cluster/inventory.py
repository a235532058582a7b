# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a cluster, as the collection's inventory plugin resolves the cluster spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .errors import NodeUnknown, SpecError


@dataclass(frozen=True)
class Node:
    """One node of the spec. ``rpc_url`` is None for a node without JSON-RPC; ``host`` is the name of its Docker host."""

    name: str
    role: str
    flavor: str
    host: str
    container: str
    address: str
    rpc_url: str | None


@dataclass(frozen=True)
class Inventory:
    """The cluster's name, and its nodes by name in the order of the spec."""

    name: str
    nodes: Mapping[str, Node]

    def node(self, name: str) -> Node:
        """The node of this name.

        Raises:
            NodeUnknown: There is none.
        """
        try:
            return self.nodes[name]
        except KeyError:
            raise NodeUnknown(name, self.nodes) from None


def parse(text: str, source: str) -> Inventory:
    """The cluster in what ``ansible-inventory --list`` wrote; ``source`` names the spec in errors.

    Raises:
        SpecError: It holds no cluster: ``source`` is an inventory, and no cluster spec.
    """
    listed = json.loads(text, object_hook=_plain)
    variables = listed.get("_meta", {}).get("hostvars", {})
    names = [name for name in listed.get("nodes", {}).get("hosts", []) if "gravity_node" in variables.get(name, {})]
    if not names:
        raise SpecError([no_cluster(source)])
    nodes = {name: _node(variables[name]["gravity_node"]) for name in names}
    return Inventory(str(variables[names[0]]["gravity_cluster"]["name"]), MappingProxyType(nodes))


def no_cluster(source: str) -> str:
    """What to say of a file that is not a cluster spec."""
    return f"{source}: holds no cluster: a cluster spec has the key plugin: gravity.cluster.spec, and nodes"


def _node(fields: Mapping[str, Any]) -> Node:
    return Node(
        name=fields["name"],
        role=fields["role"],
        flavor=fields["flavor"],
        host=fields["host"],
        container=fields["container_name"],
        address=fields["network_ip"],
        rpc_url=fields.get("rpc_url"),
    )


def _plain(value: dict[str, Any]) -> Any:
    """Ansible wraps text that it must not take for a template."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value
