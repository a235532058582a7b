# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of one Docker host as a compose file. Pure functions over plain data.

Services are made from what ``deploy`` sends to the Engine, so that both make the same containers.
"""

from __future__ import annotations

import json
import math
import typing as t
from dataclasses import replace

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import policy, size
from ansible_collections.gravity.cluster.plugins.module_utils._definition import ContainerDefinition, NetworkDefinition, salt_of
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import UNBORN
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers, parse_network
from ansible_collections.gravity.cluster.plugins.plugin_utils._compose_yaml import MERGE, Shared, written
from ansible_collections.gravity.cluster.plugins.plugin_utils._exports import Export, export

Data = t.Dict[str, t.Any]
Plain = t.Mapping[str, t.Any]
# Path of a config file -> the salt of its digest in the label of the container that is there.
Salts = t.Mapping[str, str]

# The last version that both limits a container and gives it a static address.
VERSION = "2.4"
NETWORK = "cluster"
HEADER = """\
# The containers of cluster {cluster}, made by gravity.cluster from its spec: change the spec and export again.
#
# Keys, genesis and config files of nodes are not in this file. They lie in the volumes, where `deploy` wrote them.
# The images must be on the Docker host. Before `up`, `teardown` takes away the containers of `deploy`, which have the same names;
# it keeps the volumes. `status`, `deploy` and the others go on with the containers of `up` as with their own.

"""

# Settings of the Engine that have another name in a compose file and the same value.
CONFIG = {
    "Image": "image",
    "User": "user",
    "Entrypoint": "entrypoint",
    "Cmd": "command",
    "Hostname": "hostname",
    "WorkingDir": "working_dir",
    "StopSignal": "stop_signal",
}
HOST = {
    "Init": "init",
    "ReadonlyRootfs": "read_only",
    "CapDrop": "cap_drop",
    "CapAdd": "cap_add",
    "SecurityOpt": "security_opt",
    "PidsLimit": "pids_limit",
    "Sysctls": "sysctls",
    "ExtraHosts": "extra_hosts",
    "GroupAdd": "group_add",
}
# What is said of every service itself, also where it is the same for all.
OWN = ("container_name", "hostname", "networks", "ports", "volumes", "labels")

UNITS = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def compose_export(definitions: t.Sequence[Plain], cluster: str, network: Plain, seen: Plain, origin: str = "") -> Export:
    """The compose file of ``definitions``, as ``{content, problems, warnings}``; see ``_exports``.

    ``definitions``, ``network`` and ``origin`` are options of the module ``containers``; ``seen`` is what it said of them in check mode.
    What only ``deploy`` can bring is a problem: keys, config files, and volumes that belong to another user than root.
    """
    problems = Problems()
    wanted = tuple(replace(one, origin=origin or None) for one in parse_containers(definitions, problems))
    place = parse_network(network, problems)
    if not problems.lines and place is not None:
        missing = {volume["name"] for volume in seen["volumes"]}
        problems.lines += undeployed(wanted, [UNBORN in json.dumps(one) for one in definitions], seen["nodes"], missing)
        if not problems.lines:
            salts = {step["name"]: {path: salt_of(digest) for path, digest in step["files"].items()} for step in seen["nodes"]}
            return export(HEADER.format(cluster=cluster) + written(document(wanted, cluster, place, missing, salts)))
    return export(problems=problems.lines)


def undeployed(
    wanted: t.Sequence[ContainerDefinition], unborn: t.Sequence[bool], steps: t.Sequence[Plain], missing: t.AbstractSet[str]
) -> t.List[str]:
    """One line for each reason why nodes have to be deployed before compose can run them."""
    step_of = {step["name"]: step for step in steps}
    reasons: t.Dict[str, t.List[str]] = {}
    lines = []
    for one, is_unborn in zip(wanted, unborn):
        inside = [file.path for file in one.files if one.mount_of(file.path) is None]
        if inside:
            lines.append(f"{one.node}: file {inside[0]} lies in the container itself, where compose cannot write it: put it on a volume")
            continue
        if one.gpus is not None:
            lines.append(f"{one.node}: a compose file of version {VERSION} cannot ask for GPUs: leave `gpus` out")
            continue
        reason = _lacks(one, is_unborn, step_of.get(one.node, {}), missing)
        if reason:
            reasons.setdefault(reason, []).append(one.node)
    return lines + [f"{', '.join(nodes)}: {reason}: deploy first" for reason, nodes in reasons.items()]


def _lacks(one: ContainerDefinition, unborn: bool, step: Plain, missing: t.AbstractSet[str]) -> t.Optional[str]:
    """What a node still needs of ``deploy``."""
    absent = any(volume.name in missing for volume in one.volumes)
    if unborn or (absent and one.genesis):
        return "no keys and no genesis yet, which deploy makes"
    if one.files and (absent or step.get("action") == "create"):
        return "no container shows that its config files are in its volumes"
    if one.files and any(reason.startswith("file ") for reason in step.get("reasons") or []):
        return "its config files are not those of the spec any more"
    if absent and one.owner not in (None, (0, 0)):
        return f"a new volume would belong to root, and only deploy gives it to user {one.user}"
    return None


def document(
    wanted: t.Sequence[ContainerDefinition],
    cluster: str,
    network: NetworkDefinition,
    missing: t.AbstractSet[str],
    salts: t.Mapping[str, Salts],
) -> Data:
    """The compose file as plain data.

    Volumes whose names are not in ``missing`` are there already; ``salts`` has those of the nodes' config files.
    """
    services = {one.node: service(one, cluster, network, salts.get(one.node, {})) for one in wanted}
    all_labels = [one["labels"] for one in services.values()]
    common_labels = Shared("labels", {key: value for key, value in common(all_labels).items() if key != labels.NODE})
    common_node = Shared("node", {key: value for key, value in common(services.values()).items() if key not in OWN})
    for entry in services.values():
        entry["labels"] = {MERGE: common_labels, **{key: value for key, value in entry["labels"].items() if key not in common_labels}}
    volumes: Data = {}
    for one in wanted:
        for volume in one.volumes:
            how = {"labels": one.own_labels(cluster, "volume")} if volume.name in missing else {"external": True}
            volumes[volume.name] = {"name": volume.name, **how}
    result = {
        "version": VERSION,
        "x-labels": common_labels,
        "x-node": common_node,
        "services": {
            name: {MERGE: common_node, **{key: value for key, value in entry.items() if key not in common_node}}
            for name, entry in services.items()
        },
        "networks": {NETWORK: network_entry(network, cluster)},
    }
    return {**result, "volumes": volumes} if volumes else result


def service(one: ContainerDefinition, cluster: str, network: NetworkDefinition, salts: Salts) -> Data:
    """One container as a service, from the body of the request that ``deploy`` makes it with."""
    config = one.payload(cluster, network.name, lambda path: salts.get(path, ""))
    host = config["HostConfig"]
    endpoint = config["NetworkingConfig"]["EndpointsConfig"][network.name]
    address = endpoint.get("IPAMConfig") or {}
    found: Data = {
        "container_name": one.name,
        **{name: config.get(key) for key, name in CONFIG.items()},
        "environment": dict(entry.split("=", 1) for entry in config.get("Env") or []) or None,
        **{name: host.get(key) for key, name in HOST.items()},
        "cpus": cpus(host.get("NanoCpus")),
        "mem_limit": size(host.get("Memory")),
        "memswap_limit": size(host.get("MemorySwap")),
        "shm_size": size(host.get("ShmSize")),
        "devices": [f"{device.source}:{device.target}:{device.rights}" for device in one.devices] or None,
        "ulimits": {limit["Name"]: {"soft": limit["Soft"], "hard": limit["Hard"]} for limit in host.get("Ulimits") or []} or None,
        "tmpfs": [f"{target}:{options}" if options else target for target, options in (host.get("Tmpfs") or {}).items()] or None,
        "restart": policy(host["RestartPolicy"]),
        "stop_grace_period": f"{config['StopTimeout']}s",
        "logging": {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]},
        "healthcheck": health(config.get("Healthcheck")),
        "networks": {
            NETWORK: {
                **({"ipv4_address": address["IPv4Address"]} if "IPv4Address" in address else {}),
                **({"ipv6_address": address["IPv6Address"]} if "IPv6Address" in address else {}),
                "aliases": endpoint["Aliases"],
            }
        },
        "ports": published(host.get("PortBindings") or {}) or None,
        "volumes": [
            {"type": mount["Type"], "source": mount["Source"], "target": mount["Target"], "read_only": mount["ReadOnly"]}
            for mount in host.get("Mounts") or []
        ]
        or None,
        "labels": config["Labels"],
    }
    return {key: escaped(value) for key, value in found.items() if value is not None}


def network_entry(network: NetworkDefinition, cluster: str) -> Data:
    """The network of the cluster. One of a swarm is made by ``deploy`` alone."""
    if network.external:
        return {"name": network.name, "external": True}
    pool = {key: value for key, value in (("subnet", network.subnet), ("gateway", network.gateway)) if value}
    return {
        "name": network.name,
        "driver": network.driver,
        **({"ipam": {"config": [pool]}} if pool else {}),
        "labels": labels.own(cluster, "network"),
    }


def common(mappings: t.Iterable[Data]) -> Data:
    """What all of ``mappings`` say alike."""
    first, *others = mappings
    return {key: value for key, value in first.items() if all(key in other and other[key] == value for other in others)}


def cpus(nano: t.Optional[int]) -> t.Optional[float]:
    """A number of CPUs of which compose, which cuts off instead of rounding, makes ``nano`` billionths again."""
    if not nano:
        return None
    share = nano / 1e9
    return share if int(share * 1e9) == nano else math.nextafter(share, math.inf)


def health(check: t.Optional[Plain]) -> t.Optional[Data]:
    """A health check of the Engine in the words of compose."""
    if not check:
        return None
    times = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    found: Data = {"test": check["Test"], **{name: span(check[key]) for name, key in times.items() if check.get(key)}}
    return {**found, "retries": check["Retries"]} if check.get("Retries") else found


def span(nanoseconds: int) -> str:
    """A time such as ``1500ms``."""
    unit, length = next((unit, length) for unit, length in UNITS if nanoseconds % length == 0)
    return f"{nanoseconds // length}{unit}"


def published(bindings: t.Mapping[str, t.Sequence[t.Mapping[str, str]]]) -> t.List[str]:
    """Ports such as ``127.0.0.1:8545:8545``, with their protocol unless it is tcp."""
    return [f"{place['HostIp']}:{place['HostPort']}:{key.removesuffix('/tcp')}" for key, places in bindings.items() for place in places]


def escaped(value: t.Any) -> t.Any:
    """``value`` in which compose finds no variables to replace. It looks at values only, never at keys."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, (list, tuple)) else value
