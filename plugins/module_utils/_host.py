# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be known of a machine before a cluster is put on it: the module ``host_info``. Nothing is changed."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, EngineOptions
from ansible_collections.gravity.cluster.plugins.module_utils._engine_info import SEARCH_PATH, ask, distribution, user_name
from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineError
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner, name_of

Data = t.Dict[str, t.Any]

DATA_ROOT = "/var/lib/docker"
# States of sockets that hold a port, in /proc/net: TCP listens, UDP is bound.
HOLDING = {"tcp": "0A", "udp": "07"}


def host_info(options: EngineOptions, cluster: str, encrypted: bool = False) -> Data:
    """The result of the module; see its documentation for the shape."""
    answer = ask(options)
    engine = {key: answer[key] for key in ("answers", "reason", "error", "version", "api_version", "architecture")}
    containers: t.List[Data] = []
    own: t.List[Data] = []
    networks: t.List[Data] = []
    root = DATA_ROOT
    info: Data = {}
    if answer["answers"]:
        # It may go away at any moment: then it does not answer.
        try:
            client = Engine(options)
            with client.translating("looking at the Engine"):
                info = client.api.info()
                engine["id"] = info.get("ID")
                root = info.get("DockerRootDir") or root
                containers = client.api.containers(all=True)
                owner = Owner(client, cluster)
                own = [one for one in containers if owner.owns(one)]
                networks = client.api.networks()
        except EngineError as exc:
            engine.update(answers=False, reason="unreachable", error=exc.message)
    return {
        "changed": False,
        "engine": engine,
        "installed": shutil.which("dockerd", path=SEARCH_PATH) is not None,
        "distribution": distribution(),
        "architecture": os.uname().machine,
        "python": sys.executable,
        "uid": os.geteuid(),
        "user": user_name(os.geteuid()),
        "disk": disk(root),
        "sockets": sockets(published(containers, own)),
        "networks": [network(item, cluster) for item in networks],
        "nodes": carried(own),
        "routes": routes(),
        "mtu": default_mtu(),
        "swarm": swarm_of(info),
        "encrypts": can_encrypt() if encrypted else None,
        "time": time.time(),
    }


def swarm_of(info: Data) -> Data:
    """The Engine's place in a swarm: ``active``, ``manager``, its own ``node``, the ids of the ``managers``; and ``live_restore``."""
    swarm = info.get("Swarm") or {}
    return {
        "active": swarm.get("LocalNodeState") not in (None, "", "inactive"),
        "manager": bool(swarm.get("ControlAvailable")),
        "node": swarm.get("NodeID") or "",
        "managers": sorted(one["NodeID"] for one in swarm.get("RemoteManagers") or []),
        "live_restore": bool(info.get("LiveRestoreEnabled")),
    }


def default_mtu(table: str = "/proc/net/route", devices: str = "/sys/class/net") -> t.Optional[int]:
    """Largest packet of the device that the default route takes; None without one."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(table, encoding="ascii") as stream:
        for line in stream.readlines()[1:]:
            device, destination = line.split()[:2]
            if not int(destination, 16):
                with open(os.path.join(devices, device, "mtu"), encoding="ascii") as mtu:
                    return int(mtu.read())
    return None


def can_encrypt() -> t.Optional[bool]:
    """Whether the kernel has IPsec ESP, tried in a network namespace that ends with the try; None when that cannot be tried."""
    state = "unshare --net ip xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi 1 reqid 1 mode transport aead rfc4106(gcm(aes))"
    command = [*state.split(), "0x" + "11" * 20, "128"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return None
    unable = done.returncode and ("unshare" in done.stderr or "ermitted" in done.stderr)
    return None if unable else done.returncode == 0


def disk(path: str) -> Data:
    """Free and total bytes where ``path`` is, or will be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    found = shutil.disk_usage(path)
    return {"path": path, "free": found.free, "total": found.total}


def published(containers: t.Iterable[Data], own: t.Sequence[Data]) -> t.Dict[t.Tuple[int, str], t.Tuple[str, bool]]:
    """(host port, protocol) -> the container that publishes it, and whether it is one of ours."""
    found = {}
    for one in containers:
        name = name_of(one)
        for port in one.get("Ports") or []:
            if port.get("PublicPort"):
                found[int(port["PublicPort"]), str(port.get("Type") or "tcp")] = (name, one in own)
    return found


def carried(containers: t.Iterable[Data]) -> t.List[str]:
    """The nodes that these containers are of."""
    own = [one["Labels"] for one in containers]
    return sorted(marks[labels.NODE] for marks in own if labels.NODE in marks)


def sockets(owners: t.Mapping[t.Tuple[int, str], t.Tuple[str, bool]], processes: str = "/proc/net") -> t.List[Data]:
    """Every port that is held: ``address``, ``port``, ``protocol``, ``container`` (or null) and ``own``."""
    found: t.Dict[t.Tuple[str, int, str], None] = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with contextlib.suppress(OSError, ValueError), open(os.path.join(processes, table), encoding="ascii") as stream:
            for line in stream.readlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                if state == HOLDING[table[:3]]:
                    address, _colon, number = local.partition(":")
                    found[address_of(address), int(number, 16), table[:3]] = None
    # An Engine without a proxy publishes by rules of the packet filter alone.
    held = {(port, protocol) for _address, port, protocol in found}
    for port, protocol in owners:
        if (port, protocol) not in held:
            found["0.0.0.0", port, protocol] = None
    return [
        {"address": address, "port": port, "protocol": protocol, "container": owner, "own": own}
        for address, port, protocol in sorted(found)
        for owner, own in (owners.get((port, protocol), (None, False)),)
    ]


def address_of(text: str) -> str:
    """An address as the kernel writes it: words of 32 bits, each in the machine's own order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def network(item: Data, cluster: str) -> Data:
    """A network of the Engine: ``name``, ``subnets`` and ``own``."""
    pools = (item.get("IPAM") or {}).get("Config") or []
    subnets = [pool["Subnet"] for pool in pools if pool.get("Subnet")]
    return {"name": item.get("Name"), "subnets": subnets, "own": labels.is_own(item.get("Labels"), cluster)}


def routes(table: str = "/proc/net/route") -> t.List[Data]:
    """The IPv4 routes but the default ones: ``subnet`` and ``device``."""
    found = []
    with contextlib.suppress(OSError, ValueError), open(table, encoding="ascii") as stream:
        for line in stream.readlines()[1:]:
            device, destination, mask = (line.split()[index] for index in (0, 1, 7))
            if int(mask, 16):
                subnet = ipaddress.ip_network(f"{address_of(destination)}/{address_of(mask)}", strict=False)
                found.append({"subnet": str(subnet), "device": device})
    return found
