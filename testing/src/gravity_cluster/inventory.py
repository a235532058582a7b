# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a cluster, as the collection's inventory plugin resolves the cluster spec."""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .errors import NodeUnknown, SpecError

# Names by which a machine calls itself.
HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Node:
    """One node of the spec. ``host`` is the name of its Docker host.

    ``rpc_url`` works from this machine; where there is none it is None, and ``rpc_problem`` says why. ``chain_id`` is that of the chain
    which the node must be on, None where the spec does not say.
    """

    name: str
    role: str
    flavor: str
    host: str
    container: str
    address: str
    rpc_url: str | None
    rpc_problem: str | None = None
    chain_id: int | None = None


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


def parse(text: str, source: str, engine_url: str | None = None) -> Inventory:
    """The cluster in what ``ansible-inventory --list`` wrote; ``source`` names the spec in errors.

    ``engine_url`` is the address of the Engine that playbooks are given for all Docker hosts.

    Raises:
        SpecError: It holds no cluster: ``source`` is an inventory, and no cluster spec.
    """
    listed = json.loads(text, object_hook=_plain)
    variables = listed.get("_meta", {}).get("hostvars", {})
    names = [name for name in listed.get("nodes", {}).get("hosts", []) if "gravity_node" in variables.get(name, {})]
    if not names:
        raise SpecError([no_cluster(source)])
    hosts = {name: variables.get(name, {}) for name in variables[names[0]]["gravity_cluster"].get("hosts", ())}
    places = {name: machine(name, {**host, **({"engine_url": engine_url} if engine_url else {})}) for name, host in hosts.items()}
    nodes = {name: _node(variables[name]["gravity_node"], places) for name in names}
    return Inventory(str(variables[names[0]]["gravity_cluster"]["name"]), MappingProxyType(nodes))


def no_cluster(source: str) -> str:
    """What to say of a file that is not a cluster spec."""
    return f"{source}: holds no cluster: a cluster spec has the key plugin: gravity.cluster.spec, and nodes"


def machine(name: str, host: Mapping[str, Any]) -> str | None:
    """The other machine on which the containers of a Docker host run; None when it is this one.

    The Engine decides, then where Ansible connects to. ``host`` are the variables of the Docker host.
    """
    local = host.get("ansible_connection") == "local"
    url = str(host.get("engine_url") or (os.environ.get("DOCKER_HOST") if local else None) or "")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme in ("tcp", "http", "https", "ssh") and parts.hostname not in HERE:
        return parts.hostname
    return None if local else str(host.get("ansible_host") or name)


def _node(fields: Mapping[str, Any], places: Mapping[str, str | None]) -> Node:
    url, problem = _rpc(fields, places.get(fields["host"]))
    return Node(
        name=fields["name"],
        role=fields["role"],
        flavor=fields["flavor"],
        host=fields["host"],
        container=fields["container_name"],
        address=fields["network_ip"],
        rpc_url=url,
        rpc_problem=problem,
        chain_id=_chain_id(fields.get("ready") or {}),
    )


def _rpc(fields: Mapping[str, Any], there: str | None) -> tuple[str | None, str | None]:
    """URL of the node's JSON-RPC, or why there is none. On the loopback of another machine, something else would answer."""
    url = fields.get("rpc_url")
    if not url:
        return None, "has no JSON-RPC: its port rpc is not published"
    if there is None or urllib.parse.urlsplit(url).hostname not in HERE:
        return url, None
    port = fields["ports"]["rpc"]
    if port.get("address") not in ("0.0.0.0", "::"):
        remedy = "give the port another address in the spec, or run the test on that machine"
        return None, f"has its JSON-RPC on the loopback of another machine, {there}: {remedy}"
    return f"http://[{there}]:{port['host']}" if ":" in there else f"http://{there}:{port['host']}", None


def _chain_id(ready: Mapping[str, Any]) -> int | None:
    """The chain id that the readiness of a node asks for."""
    asked = [item.get("value") for item in ready.get("conditions") or () if isinstance(item, Mapping) and item.get("is") == "chain_id"]
    return asked[0] if asked and isinstance(asked[0], int) else None


def _plain(value: dict[str, Any]) -> Any:
    """Ansible wraps text that it must not take for a template."""
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value
