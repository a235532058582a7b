# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the controller reaches what a Docker host publishes."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._engine_address import find, machine
from ansible_collections.gravity.cluster.plugins.module_utils._targets import LOOPBACK
from ansible_collections.gravity.cluster.plugins.plugin_utils._allocation import EVERYWHERE

Data = t.Mapping[str, t.Any]
# Docker host -> address at which the controller reaches it.
Addresses = t.Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where a published port is, and whether the controller reaches it: not on the loopback of another machine."""

    host: str
    port: int
    reached: bool = True

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def places(node: Data, addresses: Addresses) -> t.Dict[str, Place]:
    """The published ports of ``node``, which is a ``gravity_node`` variable, by their names."""
    there = addresses.get(node["host"], LOOPBACK)
    found = {}
    for name, port in (node.get("ports") or {}).items():
        if port.get("host"):
            address = str(port.get("address") or LOOPBACK)
            host = there if address == EVERYWHERE else address
            found[name] = Place(host, int(port["host"]), host != LOOPBACK or there == LOOPBACK)
    return found


def rpc_url(node: Data, addresses: Addresses) -> t.Optional[str]:
    """URL at which the controller reaches the JSON-RPC of ``node``; None when it has none, or does not reach it."""
    place = places(node, addresses).get("rpc") if node.get("rpc_url") else None
    return f"http://{place}" if place and place.reached else None


def reached_at(hosts: t.Sequence[Data], environ: t.Optional[t.Mapping[str, str]] = None) -> t.Dict[str, str]:
    """Docker host -> address at which the controller reaches it, ``127.0.0.1`` for the controller itself.

    ``hosts`` are the variables of the Docker hosts, ``environ`` is the controller's environment. The containers are where the Engine is:
    its address counts before that of the Docker host from which it is asked.
    """
    found = os.environ if environ is None else environ
    return {str(host["inventory_hostname"]): _address(host, found) for host in hosts}


def _address(host: Data, environ: t.Mapping[str, str]) -> str:
    local = host.get("ansible_connection") == "local"
    engine = machine(str(host.get("engine_url") or (find(environ).url if local else "")))
    if engine or local:
        return engine or LOOPBACK
    return str(host.get("ansible_host") or host["inventory_hostname"])
