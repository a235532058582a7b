# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the nodes of a cluster are at this moment: the module ``cluster_info``."""

from __future__ import annotations

import contextlib
import json
import tarfile
import time
import typing as t
from dataclasses import replace

from ansible_collections.gravity.cluster.plugins.module_utils import _labels
from ansible_collections.gravity.cluster.plugins.module_utils._drift import drift_of
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._observed import ObservedContainer, ObservedVolume, state_of
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import inspect_own
from ansible_collections.gravity.cluster.plugins.module_utils._probes import Prober, at_once
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer, Chain, chain_of, stamp
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Target, parse_targets

Inspection = t.Mapping[str, t.Any]


def work(params: t.Mapping[str, t.Any], engine: Engine, _progress: Progress, _check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``cluster_info``."""
    if not 0 < params["rpc_timeout"] <= 600:
        raise Refused(f"rpc_timeout {params['rpc_timeout']} is not a time: give seconds between 0 and 600")
    found = inspect_all(engine, params["cluster"])
    if params["nodes"] is None:
        targets: t.Sequence[Target] = [Target(_node(data), name) for name, data in sorted(found.items())]
    else:
        targets = parse_targets(params["nodes"], engine.options.url)
    answers = _ask(targets, found, engine, params["rpc_timeout"])
    there = labels_of_volumes(engine, params["cluster"])
    volumes = list(there.values())
    drifts = drift_by_container(engine, found, there) if params.get("drift") else {}
    now = time.time()
    nodes = {}
    for target in targets:
        data = found.get(target.container or "")
        more = {"drift": drifts.get(target.container or "", [])} if params.get("drift") else {}
        nodes[target.name] = {**_facts(target, data, now), **_answers(target, answers.get(target.name, {})), **more}
    whole = {"carried": carried(volumes, found)} if params["nodes"] is None else {}
    return {"changed": False, "nodes": nodes, "validators": voters(volumes, found), **whole}


def labels_of_volumes(engine: Engine, cluster: str) -> t.Dict[str, t.Mapping[str, str]]:
    """The labels of the cluster's volumes on this Docker host, by volume."""
    with engine.translating(f"listing the volumes of {cluster}"):
        volumes = engine.api.volumes(filters=_labels.select(cluster, "volume")).get("Volumes") or []
    return {volume["Name"]: volume.get("Labels") or {} for volume in volumes}


def drift_by_container(
    engine: Engine, containers: t.Mapping[str, Inspection], volumes: t.Mapping[str, t.Mapping[str, str]]
) -> t.Dict[str, t.List[str]]:
    """What of the nodes' files is not what we wrote, in words, by container; of those that run, only what was written later is read."""
    known = {name: ObservedVolume(name, marks) for name, marks in volumes.items()}

    def look(name: str) -> t.List[str]:
        one = ObservedContainer(name, containers[name])
        # One may be removed meanwhile, and looking never fails because of what is seen.
        with contextlib.suppress(ClusterError, tarfile.TarError):
            return [drift.text for drift in drift_of(engine, one, known, quick=one.running)]
        return []

    return dict(zip(containers, each(list(containers), look)))


def carried(volumes: t.Sequence[t.Mapping[str, str]], containers: t.Mapping[str, Inspection]) -> t.List[str]:
    """The names of the nodes that have a container or a volume on this Docker host."""
    owners = {volume.get(_labels.NODE) for volume in volumes}
    return sorted({_node(data) for data in containers.values()} | {name for name in owners if name})


def voters(volumes: t.Sequence[t.Mapping[str, str]], containers: t.Mapping[str, Inspection]) -> t.Dict[str, int]:
    """The voting power of every validator of the genesis, by node; without a genesis, one for every container of a validator."""
    for volume in volumes:
        # A label that was written by hand says nothing.
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            return {str(name): int(power) for name, power in json.loads(volume[_labels.BIRTH])["validators"].items()}
    return {_node(data): 1 for data in containers.values() if _label(data, _labels.ROLE) == "validator"}


def inspect_all(engine: Engine, cluster: str) -> t.Dict[str, Inspection]:
    """The inspections of a cluster's node containers, by container name."""
    return t.cast("t.Dict[str, Inspection]", inspect_own(engine, cluster, "node"))


def _node(data: Inspection) -> str:
    return _label(data, _labels.NODE) or str(data["Name"]).lstrip("/")


def _label(data: Inspection, key: str) -> str:
    return str(((data.get("Config") or {}).get("Labels") or {}).get(key) or "")


def _ask(
    targets: t.Sequence[Target], found: t.Mapping[str, Inspection], engine: Engine, timeout: float
) -> t.Dict[str, t.Dict[str, Answer]]:
    """The answers of all probes by node and probe. Nodes whose container does not run are not asked."""
    probers: t.Dict[t.Tuple[str, str], Prober] = {}
    for target in targets:
        state = ((found.get(target.container or "") or {}).get("State") or {}).get("Status")
        if target.container is not None and state != "running":
            continue
        # A command in the container may do anything: looking must not run it.
        for probe in (probe for probe in target.probes if probe.type != "exec"):
            probers[target.name, probe.name] = Prober(target, replace(probe, timeout=min(probe.timeout, timeout)), engine)
    # Connecting and answering may take the time once each.
    found_answers = at_once({key: prober.ask for key, prober in probers.items()}, 2 * timeout + 0.5)
    answers: t.Dict[str, t.Dict[str, Answer]] = {}
    for name, probe_name in probers:
        late = Answer(0.0, f"{probe_name}: no answer within {timeout:g} s", "timeout")
        answers.setdefault(name, {})[probe_name] = found_answers.get((name, probe_name), late)
    for prober in probers.values():
        prober.close()
    return answers


def _facts(target: Target, data: t.Optional[Inspection], now: float) -> t.Dict[str, t.Any]:
    """What the Engine says of a node's container."""
    if data is None:
        empty = dict.fromkeys(("health", "image", "image_id", "started_at", "uptime_seconds", "restarts", "exit_code", "address"))
        # Without a container to look at, nothing is known of its state.
        return {"container": target.container, "state": state_of(None) if target.container else None, **empty}
    state = data.get("State") or {}
    runs = bool(state.get("Running"))
    started = stamp(state.get("StartedAt"))
    health = (state.get("Health") or {}).get("Status")
    return {
        "container": target.container,
        "state": state_of(data),
        "health": health if health and health != "none" else None,
        "image": (data.get("Config") or {}).get("Image"),
        "image_id": data.get("Image"),
        "started_at": state.get("StartedAt") if started is not None else None,
        "uptime_seconds": max(int(now - started), 0) if runs and started is not None else None,
        "restarts": int(data.get("RestartCount") or 0),
        "exit_code": None if runs or started is None else state.get("ExitCode"),
        "address": _address(data),
    }


def _address(data: Inspection) -> t.Optional[str]:
    """The address in the container's network, the fixed one when it does not run."""
    for network in ((data.get("NetworkSettings") or {}).get("Networks") or {}).values():
        address = network.get("IPAddress") or (network.get("IPAMConfig") or {}).get("IPv4Address")
        if address:
            return str(address)
    return None


def _answers(target: Target, answers: t.Mapping[str, Answer]) -> t.Dict[str, t.Any]:
    """What the node itself says."""
    chain: Chain = chain_of(target, answers)
    errors = [answer.error for answer in answers.values() if answer.error]
    for probe in target.probes:
        status = answers[probe.name].status if probe.name in answers else None
        if status is not None and status != probe.status:
            errors.append(f"{probe.name}: HTTP status {status}, expected {probe.status}")
    return {
        "height": chain.height,
        "peers": chain.peers,
        "syncing": chain.syncing,
        "chain_id": chain.chain_id if chain.chain_id is not None else chain.network,
        "block_hash": chain.block_hash,
        "rpc_error": "; ".join(dict.fromkeys(errors)) or None,
    }
