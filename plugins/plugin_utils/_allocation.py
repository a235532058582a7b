# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and host ports: what the spec gives wins, the rest is allocated, and two of the same are refused.

What is allocated depends only on the node's own name, role and ordinal and on the subnet, so that adding or removing
another node never moves it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._targets import LOOPBACK
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems

Data = t.Dict[str, t.Any]

EVERYWHERE = "0.0.0.0"

# Where a role's nodes start in the subnet, and how far their host ports start above a port's base.
ADDRESS_OFFSETS: t.Mapping[str, int] = {"validator": 10, "fullnode": 100, "service": 200}
PORT_OFFSETS: t.Mapping[str, int] = {"validator": 0, "fullnode": 100, "service": 200}
OTHER_OFFSET = 200
# Names without a number take one of this many places behind their role's offset.
PLACES = 50

_ORDINAL = re.compile(r"(\d{1,9})\Z")


def ordinal(name: str) -> t.Optional[int]:
    """The number at the end of ``name``, or None."""
    match = _ORDINAL.search(name)
    return int(match[1]) if match else None


def place(name: str) -> int:
    """How far a node stands behind its role's offset: its ordinal, or a fixed number made from a name without one."""
    number = ordinal(name)
    return number if number is not None else _digest(name) % PLACES


def address_offset(role: str, subnet: ipaddress.IPv4Network) -> int:
    """Where the nodes of ``role`` start in ``subnet``.

    Other roles than the three known ones share the services' start in a small subnet; a larger one has a block of 256 for
    each, in its first quarter so that there is room behind.
    """
    if role in ADDRESS_OFFSETS:
        return ADDRESS_OFFSETS[role]
    blocks = subnet.num_addresses // 256 // 4
    return 256 * (1 + _digest(role) % blocks) if blocks else OTHER_OFFSET


def port_offset(role: str) -> int:
    """How far the host ports of ``role`` start above a port's base."""
    return PORT_OFFSETS.get(role, OTHER_OFFSET)


def dotted(address: int) -> str:
    """An IPv4 address as text."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Addresses:
    """Hands out the addresses of one subnet. ``network`` has ``subnet`` and may have ``gateway``."""

    def __init__(self, network: Data, problems: Problems) -> None:
        self._problems = problems
        self.subnet = ipaddress.IPv4Network(network["subnet"])
        self._first = int(self.subnet.network_address) + 1
        self._last = int(self.subnet.broadcast_address) - 1
        self._usable = f"use an address from {dotted(self._first)} to {dotted(self._last)}"
        self._gateway = self._first
        self._taken: t.Dict[int, t.Tuple[str, bool]] = {}  # address -> node, and whether the spec gives it
        self._too_far: t.Set[str] = set()
        if network.get("gateway"):
            self._gateway = int(ipaddress.IPv4Address(network["gateway"]))
            if not self._first <= self._gateway <= self._last:
                self._problems.add(("network", "gateway"), f"{self.gateway} is outside the subnet {self.subnet}; {self._usable}")

    @property
    def gateway(self) -> str:
        """The gateway's address."""
        return dotted(self._gateway)

    def given(self, path: Path, name: str, text: str) -> str:
        """Note that the spec gives ``name`` the address ``text``."""
        address, where = int(ipaddress.IPv4Address(text)), (*path, "network_ip")
        reason = ""
        if address in (self._first - 1, self._last + 1):
            reason = f"is the {'network' if address < self._first else 'broadcast'} address of"
        elif not self._first <= address <= self._last:
            reason = "is outside the subnet"
        elif address == self._gateway:
            reason = "is the gateway of"
        if reason:
            self._problems.add(where, f"{text} {reason} {self.subnet}; {self._usable} that is free")
            return text
        other, also_given = self._taken.setdefault(address, (name, True))
        if other != name:
            right = "give one of them another" if also_given else f"choose another, or give {other} a network_ip of its own"
            self._problems.add(where, f"{text} is the address of {other} too; {right}")
        return text

    def allocated(self, path: Path, name: str, role: str, offset: int) -> str:
        """The address of ``name``, ``offset`` above the start of the subnet."""
        address = self._first - 1 + offset
        text, right = dotted(address & 0xFFFFFFFF), f"set network_ip of {name}, or roles.{role}.address_offset"
        if address > self._last:
            if role not in self._too_far:
                self._too_far.add(role)
                what = f"the subnet {self.subnet} is too small: {name} would be number {offset} in it"
                self._problems.add(("network", "subnet"), f"{what}; use a larger one, or {right}")
        elif address == self._gateway:
            self._problems.add(path, f"{name} would get {text}, which is the gateway; {right}")
        else:
            other, _given = self._taken.setdefault(address, (name, False))
            if other != name:
                self._problems.add(path, f"{name} would get {text}, the address of {other}; {right}")
        return text


class HostPorts:
    """Hands out the host ports of all Docker hosts."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        # Docker host, protocol, port -> who listens there: address, node, name of the port
        self._taken: t.Dict[t.Tuple[str, str, int], t.List[t.Tuple[str, str, str]]] = {}

    def settled(self, path: Path, node: str, host: str, ports: t.Mapping[str, Data], offset: int) -> t.Dict[str, Data]:
        """The ports of ``node`` on the Docker host ``host``: ``{name: {container, host, address, protocol}}``.

        ``ports`` has ``container`` and ``host`` or ``base``; the host port of the latter is ``offset`` above the base.
        """
        own = {}
        for name, port in ports.items():
            published: t.Optional[int] = port["base"] + offset if port.get("base") else port.get("host")
            address, protocol = port.get("address") or LOOPBACK, port.get("protocol") or "tcp"
            own[name] = {"container": port["container"], "host": published, "address": address, "protocol": protocol}
            if published:
                self._take((*path, "ports", name), node, name, (host, protocol, published), address)
        return own

    def _take(self, path: Path, node: str, name: str, key: t.Tuple[str, str, int], address: str) -> None:
        host, protocol, number = key
        right = "give it another host port, a base for a range of nodes, or host: null to publish none"
        if number > 65535:
            self._problems.add(path, f"{node} would get the host port {number}, which is out of range; {right}")
            return
        users = self._taken.setdefault(key, [])
        for taken, other, other_name in users:
            if taken == address or EVERYWHERE in (taken, address):
                port = f"the host port {number}" + ("/udp" if protocol == "udp" else "")
                whose = f"its port {other_name}" if other == node else f"the port {other_name} of {other}"
                self._problems.add(path, f"{node} has {port} of the Docker host {host}, as {whose}; {right}")
                break
        users.append((address, node, name))


def merged_ports(lower: t.Mapping[str, Data], upper: t.Optional[t.Mapping[str, Data]]) -> t.Dict[str, Data]:
    """The ports of two layers, entry by entry. ``host`` and ``base`` exclude each other: the upper layer's word counts."""
    result = {name: dict(port) for name, port in lower.items()}
    for name, port in (upper or {}).items():
        entry = result.setdefault(name, {})
        if "host" in port or "base" in port:
            entry.pop("host", None)
            entry.pop("base", None)
        entry.update({key: value for key, value in port.items() if value is not None or key == "host"})
    return result
