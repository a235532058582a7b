# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From resolved nodes and what their flavor decides to complete container definitions. Pure functions over plain data."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._grammar import UNLIMITED
from ansible_collections.gravity.cluster.plugins.module_utils._parse import SCRATCH

Data = t.Dict[str, t.Any]

# What a node gets when neither the spec nor its flavor says otherwise: enough for a small service, never unlimited.
RESOURCES: t.Mapping[str, t.Any] = {"cpus": 1.0, "memory": "1g", "pids": 512}

# The Engine's name of the largest packet in a network.
MTU = "com.docker.network.driver.mtu"

# Seconds to wait for a node whose `ready` does not say.
READY_TIMEOUT = 120

# Fields of a node that replace the flavor's word when the spec sets them.
REPLACED = (
    *("command", "entrypoint", "user", "read_only", "restart", "stop_grace", "stop_signal", "init", "health"),
    *("hostname", "working_dir", "shm_size", "gpus"),
)
# Fields that are merged with the flavor's, key by key, and lists that are added to it.
MAPPED = ("env", "labels", "ulimits", "sysctls", "extra_hosts")
LISTED = ("cap_add", "group_add", "security_opt", "devices")


def container_definitions(partials: t.Sequence[Data], nodes: t.Sequence[Data]) -> t.List[Data]:
    """One complete definition (see the module ``containers``) per node.

    ``partials`` holds what the flavors decide, keyed by ``node``; ``nodes`` are ``gravity_node`` variables. What the
    spec sets for a node wins over its flavor.
    """
    by_node = {partial["node"]: partial for partial in partials}
    return [_definition(by_node.get(node["name"], {}), node) for node in nodes]


def network_definition(network: Data, swarm_id: t.Optional[str] = None) -> Data:
    """The ``network`` option of the module ``containers`` from ``gravity_cluster.network``; ``swarm_id`` is the id of an overlay."""
    # Ports of the Docker hosts join what a bridge on each of them cannot.
    driver = "bridge" if network.get("driver") == "host_ports" else network.get("driver")
    # An overlay is the swarm's, made once for all Docker hosts.
    more: Data = {"external": True, "id": swarm_id} if driver == "overlay" else {}
    if network.get("mtu") and driver == "bridge":
        more = {"options": {MTU: str(network["mtu"])}}
    return _given({**{key: network[key] for key in ("name", "subnet", "gateway") if network.get(key)}, "driver": driver, **more})


def probe_targets(nodes: t.Sequence[Data], witnesses: t.Sequence[Data] = (), height: int = 0) -> Data:
    """``{nodes: [...], together: [...], timeout: 120}`` for the modules ``rpc_ready`` and ``cluster_info``.

    ``witnesses`` are other nodes of the same Docker host that work: each of ``nodes`` that has a height must come up to theirs.
    Without conditions of their own, it is enough that they answer. ``height`` is one to which others, on any Docker host, have come:
    each of ``nodes`` that has a height must come up to it too. ``timeout`` is that of the node which may take longest.
    """
    more: t.List[Data] = [{"is": "caught_up"}] if witnesses else []
    more += [{"is": "height_at_least", "value": int(height)}] if height else []
    together: t.List[Data] = []
    targets = []
    for node in nodes:
        ready = node.get("ready") or {}
        together += [condition for condition in ready.get("together") or [] if condition not in together]
        targets.append(
            {
                "name": node["name"],
                "container": node["container_name"],
                "probes": ready.get("probes") or {},
                "conditions": [*(ready.get("conditions") or []), *(more if _has_height(ready) else [])],
                "log_files": node.get("log_files") or [],
                **{key: ready[key] for key in ("stable", "crash_loop") if ready.get(key) is not None},
            }
        )
    targets += [
        {
            "name": node["name"],
            "container": node["container_name"],
            "probes": (node.get("ready") or {}).get("probes") or {},
            "conditions": [],
        }
        for node in witnesses
    ]
    longest = max((_timeout(node) for node in nodes), default=READY_TIMEOUT)
    return {"nodes": targets, "together": together, "timeout": longest}


def _timeout(node: Data) -> int:
    """The seconds after which the wait for a node is given up."""
    given = (node.get("ready") or {}).get("timeout")
    return READY_TIMEOUT if given is None else math.ceil(given)


def _has_height(ready: Data) -> bool:
    return any(probe["type"] in ("eth", "cometbft") for probe in (ready.get("probes") or {}).values())


def _definition(partial: Data, node: Data) -> Data:
    resources = {**RESOURCES, **(partial.get("resources") or {}), **_given(node.get("resources") or {})}
    definition: Data = {
        **{key: value for key, value in partial.items() if key != "resources"},
        "name": node["container_name"],
        "node": node["name"],
        "role": node["role"],
        "flavor": node["flavor"],
        "image": partial.get("image") or (node.get("image") or {}).get("name"),
        "network_ip": node["network_ip"],
        "hostname": node["name"].replace("_", "-"),
        "aliases": _unique([node["name"], *(node.get("aliases") or [])]),
        "env": {key: str(value) for key, value in {**(partial.get("env") or {}), **(node.get("env") or {})}.items()},
        "ports": [port for port in _ports(node) if port["host"]],
        "volumes": [_volume(volume, node) for volume in [*(partial.get("volumes") or []), *(node.get("volumes") or [])]],
        "files": [*(partial.get("files") or []), *(node.get("files") or [])],
        "tmpfs": _tmpfs(partial, node),
        "labels": {**(partial.get("labels") or {}), **{key: str(value) for key, value in (node.get("labels") or {}).items()}},
        **{key: {**(partial.get(key) or {}), **(node.get(key) or {})} for key in ("ulimits", "sysctls", "extra_hosts")},
        **{key: _unique([*(partial.get(key) or []), *(node.get(key) or [])]) for key in LISTED},
        "binds": [*(partial.get("binds") or []), *(node.get("binds") or [])],
        "log": {**(partial.get("log") or {}), **_given(node.get("log") or {})} or None,
        **{key: value for key, value in resources.items() if value != UNLIMITED},
    }
    definition.update({key: node[key] for key in REPLACED if node.get(key) is not None})
    return _given(definition)


def _tmpfs(partial: Data, node: Data) -> t.Optional[t.List[str]]:
    """Folders in memory, one for each path; None, which stands for the default, when no one speaks of any or of the default's place."""
    given = [layer["tmpfs"] for layer in (partial, node) if layer.get("tmpfs") is not None]
    if given:
        return list({entry.partition(":")[0]: entry for entries in given for entry in entries}.values())
    targets = [mount["target"] for layer in (partial, node) for key in ("volumes", "binds") for mount in layer.get(key) or []]
    return [] if any(target in targets for target in SCRATCH) else None


def _ports(node: Data) -> t.Iterator[Data]:
    for port in (node.get("ports") or {}).values():
        yield {key: port.get(key) for key in ("container", "host", "address", "protocol")}


def _volume(volume: Data, node: Data) -> Data:
    """Volumes are named after the container that they belong to, so that two clusters never share one by accident."""
    return {**volume, "name": f"{node['container_name']}-{volume['name']}"}


def _given(data: Data) -> Data:
    return {key: value for key, value in data.items() if value is not None}


def _unique(items: t.Iterable[str]) -> t.List[str]:
    return list(dict.fromkeys(items))
