# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a cluster on its Docker hosts, all of it at once; each problem is one line. Pure functions."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._grammar import authority
from ansible_collections.gravity.cluster.plugins.module_utils._sockets import collide

Data = t.Mapping[str, t.Any]

# The oldest Engine that the modules were tried with.
OLDEST, OLDEST_API = "20.10", (1, 41)
# What a Docker host needs for images and logs (bytes), and how far clocks may differ (seconds).
LEAST_DISK = 2 * 2**30
MOST_SKEW = 2.0
# Images of these sources are the same on all Docker hosts, whatever their architecture.
ONE_FOR_ALL = ("load", "present")
# Names that the Engine gives to the bridges of its networks.
BRIDGE = re.compile(r"(br-[0-9a-f]{12}|docker0|docker_gwbridge)\Z")


def preflight_problems(
    hosts: t.Mapping[str, Data],
    nodes: t.Sequence[Data],
    network: Data,
    known: t.Collection[str] = (),
    least_disk: int = LEAST_DISK,
    most_skew: float = MOST_SKEW,
) -> t.List[str]:
    """One line per problem, in the order of ``hosts``.

    ``hosts`` maps Docker hosts to results of ``host_info``, also those of tasks that failed or did not reach the machine; ``nodes``
    are ``gravity_node`` variables; ``network`` is ``gravity_cluster.network``; ``known`` are the names of all nodes of the spec.
    """
    lines: t.List[str] = []
    for name, info in hosts.items():
        here = [node for node in nodes if node["host"] == name]
        lines += [f"{name}: {line}" for line in _of_host(info, here, network, least_disk, most_skew)]
    if network.get("driver") == "overlay":
        lines += _overlay(hosts, network)
    lines += [*_twins(hosts), *_strangers(hosts, known)]
    return lines + list(_architectures(hosts, nodes))


def _twins(hosts: t.Mapping[str, Data]) -> t.Iterator[str]:
    """Docker hosts that are one Engine under two names: each would remove the other's nodes."""
    names: t.Dict[str, t.List[str]] = {}
    for name, info in hosts.items():
        engine = (info.get("engine") or {}).get("id")
        if engine:
            names.setdefault(str(engine), []).append(name)
    for first, *others in names.values():
        for other in others:
            yield f"{other}: is the same Docker Engine as {first}; keep one of the two in hosts, or correct how {other} is reached"


def _strangers(hosts: t.Mapping[str, Data], known: t.Collection[str]) -> t.Iterator[str]:
    """Docker hosts that carry a cluster of the same name, of which the spec knows no node: what is meant is another one."""
    for name, info in hosts.items():
        carried = info.get("nodes") or []
        if known and carried and not set(known).intersection(carried):
            shown = ", ".join(carried[:3]) + (", ..." if len(carried) > 3 else "")
            what = f"carries a cluster of this name with other nodes ({shown})"
            yield f"{name}: {what}; choose another cluster_name, or tear that one down with its own spec"


def _overlay(hosts: t.Mapping[str, Data], network: Data) -> t.Iterator[str]:
    """What stands against one network over all Docker hosts, on Docker's Swarm mode."""
    if importlib.util.find_spec("ansible_collections.community.docker") is None:
        yield (
            "the controller has no collection community.docker, which sets up the swarm of an overlay; "
            "install it (ansible-galaxy collection install community.docker)"
        )
    looked = {name: info for name, info in hosts.items() if (info.get("engine") or {}).get("answers")}
    # The swarm to be in is that of the first Docker host that is in one.
    first, ours = next(((name, set(info["swarm"]["managers"])) for name, info in looked.items() if info["swarm"]["active"]), ("", set()))
    for name, info in looked.items():
        swarm = info["swarm"]
        if swarm["active"] and not ours.intersection(swarm["managers"]):
            yield f"{name}: is in another swarm than {first}; let one of the two leave it (docker swarm leave), or use driver host_ports"
        if swarm["live_restore"]:
            yield f"{name}: live-restore and Swarm mode exclude each other; set live-restore to false in daemon.json and restart the Engine"
    overhead = 50 + (40 if network.get("encrypted") else 0)
    wanted = network.get("mtu") or 1450
    for name, info in hosts.items():
        if network.get("encrypted") and info.get("encrypts") is False:
            yield f"{name}: its kernel has no IPsec ESP, which an encrypted overlay needs; leave encrypted out, or load the module esp4"
        if info.get("mtu") and wanted + overhead > info["mtu"]:
            most = info["mtu"] - overhead
            what = f"packets of {wanted} bytes in the overlay and {overhead} around them exceed its MTU of {info['mtu']}"
            yield f"{name}: {what}; set mtu to {most} or less"


def _of_host(info: Data, nodes: t.Sequence[Data], network: Data, least_disk: int, most_skew: float) -> t.Iterator[str]:
    if info.get("unreachable"):
        yield f"not reachable ({_reason(info)}); see that it is up, and check ansible_host, ansible_user and the key"
        return
    if "engine" not in info:
        if "sudo" in f"{info.get('msg')}{info.get('module_stderr')}":
            yield f"sudo does not let the user become root ({_reason(info)}); allow it (NOPASSWD in sudoers), or add --ask-become-pass"
        else:
            yield f"cannot be looked at ({_reason(info)}); it needs Python 3, and root by ansible_user or ansible_become"
        return
    yield from _engine(info)
    free = info["disk"]["free"]
    if free < least_disk:
        yield f"{info['disk']['path']} has {free / 2**30:.1f} GiB free, less than {least_disk / 2**30:g} GiB; make room (docker system df)"
    offset = abs(info.get("clock_offset") or 0) - (info.get("clock_uncertainty") or 0)
    if offset > most_skew:
        ahead = "ahead of" if info["clock_offset"] > 0 else "behind"
        yield f"its clock is {abs(info['clock_offset']):.1f} s {ahead} the controller's, more than {most_skew:g} s; set it (chrony, ntp)"
    yield from _ports(info, nodes)
    yield from _subnets(info, network)


def _reason(info: Data) -> str:
    text = " ".join(str(info.get("msg") or "no reason given").split())
    for noise in ("Task failed: ", "Failed to connect to the host via ssh: "):
        text = text.replace(noise, "")
    return text[:200]


def _engine(info: Data) -> t.Iterator[str]:
    engine = info["engine"]
    if not engine["answers"]:
        if engine["reason"] == "permission":
            yield f"{engine['error']}; set ansible_become, or put the user into the group docker"
        elif info["uid"] != 0:
            yield f"no Docker Engine answers, and {info['user']} is not root and cannot bring one up; set ansible_become: true"
        return
    api = tuple(int(part) for part in str(engine["api_version"]).split(".") if part.isdigit())
    if api < OLDEST_API:
        yield f"Docker Engine {engine['version']} (API {engine['api_version']}) is too old; install {OLDEST} or newer"


def _ports(info: Data, nodes: t.Sequence[Data]) -> t.Iterator[str]:
    for node in nodes:
        for port in node["ports"].values():
            for held in info["sockets"] if port.get("host") else ():
                wanted = (port["address"], port["host"], port["protocol"])
                if not held["own"] and collide(wanted, (held["address"], held["port"], held["protocol"])):
                    by = f"container {held['container']}" if held["container"] else "another program"
                    place = authority(port["address"], port["host"])
                    yield f"{node['name']} needs the host port {place}, which {by} holds; end it, or choose another"
                    break


def _subnets(info: Data, network: Data) -> t.Iterator[str]:
    wanted = ipaddress.ip_network(network["subnet"])
    ours = [ipaddress.ip_network(subnet) for one in info["networks"] if one["own"] for subnet in one["subnets"]]
    dockers = [(one["name"], ipaddress.ip_network(subnet)) for one in info["networks"] if not one["own"] for subnet in one["subnets"]]
    for name, subnet in dockers:
        if subnet.version == 4 and subnet.overlaps(wanted):
            yield f"the subnet {wanted} overlaps {subnet} of the Docker network {name}; choose another"
    known = {*ours, *(subnet for _name, subnet in dockers)}
    for route in info["routes"]:
        # The bridges of an Engine that has ended stay, and nobody can say whose they are; it takes them up again.
        if not info["engine"]["answers"] and BRIDGE.match(route["device"]):
            continue
        subnet = ipaddress.ip_network(route["subnet"])
        if subnet not in known and subnet.overlaps(wanted):
            yield f"the subnet {wanted} overlaps {subnet}, which is routed to {route['device']}; choose another"


def _architectures(hosts: t.Mapping[str, Data], nodes: t.Sequence[Data]) -> t.Iterator[str]:
    found = {name: info["architecture"] for name, info in hosts.items() if info.get("architecture")}
    if len(set(found.values())) < 2:
        return
    images = {node["image"]["name"] for node in nodes if node["image"] and node["image"]["source"] in ONE_FOR_ALL}
    if images:
        listed = ", ".join(f"{name} {kind}" for name, kind in found.items())
        yield (
            f"the Docker hosts have different architectures ({listed}), and {', '.join(sorted(images))} is for one of them; "
            "pull, build or assemble it on each, or use hosts of one kind"
        )
