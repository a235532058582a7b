# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in the formats of those who talk to its nodes: end-to-end tests, Prometheus, a shell. Pure functions over plain data.

Every export is ``{content, problems, warnings}``: the text of the file, and lines. With problems there is no content.

All take ``nodes``, which are ``gravity_node`` variables in the order of the spec, ``cluster``, which is ``gravity_cluster``, and
``addresses``: Docker host -> address at which the controller reaches it.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._targets import LOOPBACK
from ansible_collections.gravity.cluster.plugins.plugin_utils._reach import Addresses, Data, Place
from ansible_collections.gravity.cluster.plugins.plugin_utils._reach import places as places_of

Nodes = t.Sequence[Data]
Export = t.Dict[str, t.Any]

VALIDATOR = "validator"
# Roles of nodes that are set up as validators.
VOTERS = (VALIDATOR, "candidate")
# What nodes.json must say of every node.
NEEDED = ("rpc", "metrics")
# Characters that mean themselves to a shell and to `docker --env-file`, which knows no quotes.
LITERAL = re.compile(r"[A-Za-z0-9_.,:/@%+=\[\]-]*")


Places = t.Mapping[str, Place]


def nodes_export(nodes: Nodes, cluster: Data, addresses: Addresses) -> Export:
    """``nodes.json``: network, clusters and nodes. Each node needs a published port ``rpc`` and ``metrics``, at the same address."""
    places = {node["name"]: places_of(node, addresses) for node in nodes}
    problems = [*_unpublished(places), *_scattered(places), *_hidden(nodes, NEEDED, addresses)]
    if problems:
        return export(problems=problems)
    primary = next((node["name"] for node in nodes if node["role"] == VALIDATOR), None)
    document = {
        "network": {"name": cluster["network"]["name"], "chain_id": cluster["network"]["chain_id"]},
        "clusters": {
            cluster["name"]: {
                "description": f"Cluster {cluster['name']} of gravity.cluster",
                "nodes": [node["name"] for node in nodes],
                "test_suites": ["all"],
            }
        },
        "nodes": {node["name"]: _record(node, places[node["name"]], primary) for node in nodes},
    }
    return export(_json(document))


def targets_export(nodes: Nodes, cluster: Data, addresses: Addresses) -> Export:
    """The targets of Prometheus' ``file_sd``: one group for each node with a published port ``metrics``; the others are warned of."""
    targets = [
        {
            "targets": [str(place)],
            "labels": {
                "cluster": cluster["name"],
                "node": node["name"],
                "role": node["role"],
                "flavor": node["flavor"],
                "docker_host": node["host"],
            },
        }
        for node, place in _published(nodes, "metrics", addresses)
    ]
    return export(_json(targets), warnings=[*_left_out(nodes, "metrics", addresses), *_hidden(nodes, ["metrics"], addresses, "left out: ")])


def env_export(nodes: Nodes, cluster: Data, addresses: Addresses) -> Export:
    """Variables with the RPC URLs, for ``docker --env-file`` and for a shell; nodes without a published port ``rpc`` are warned of.

    A value that the two would read differently is a problem, and so are two nodes with the same variable.
    """
    reached = _published(nodes, "rpc", addresses)
    if not reached and _hidden(nodes, ["rpc"], addresses):
        return export(problems=_hidden(nodes, ["rpc"], addresses))
    if not reached:
        return export(problems=[f"{_names(nodes)}: no published port rpc, so there are no URLs: set rpc_port in the spec"])
    urls = {node["name"]: f"http://{place}" for node, place in reached}
    first = next((node["name"] for node, _place in reached if node["role"] == VALIDATOR), next(iter(urls)))
    variables = {
        "GRAVITY_CLUSTER": str(cluster["name"]),
        "GRAVITY_CHAIN_ID": str(cluster["network"]["chain_id"]),
        "RPC_URL": urls[first],
        "RPC_URLS": ",".join(urls.values()),
    }
    problems = []
    owners: t.Dict[str, str] = {}
    for name, url in urls.items():
        variable = "RPC_URL_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        if variable in owners:
            problems.append(f"{name}: {variable} would be that of {owners[variable]} too: rename one, or leave it out with --limit")
        owners[variable] = name
        variables[variable] = url
    problems += [
        f"{variable}: a shell and Docker would not read {value!r} alike: use letters, digits and -._ in names and addresses"
        for variable, value in variables.items()
        if not LITERAL.fullmatch(value)
    ]
    if problems:
        return export(problems=problems)
    content = "".join(f"{variable}={value}\n" for variable, value in variables.items())
    return export(content, warnings=[*_left_out(nodes, "rpc", addresses), *_hidden(nodes, ["rpc"], addresses, "left out: ")])


def export(content: str = "", problems: t.Sequence[str] = (), warnings: t.Sequence[str] = ()) -> Export:
    """What every export comes to."""
    return {"content": content, "problems": list(problems), "warnings": list(warnings)}


def _published(nodes: Nodes, name: str, addresses: Addresses) -> t.List[t.Tuple[Data, Place]]:
    """The nodes that publish the port ``name`` where the controller reaches it, each with where that is."""
    places = [(node, places_of(node, addresses).get(name)) for node in nodes]
    return [(node, place) for node, place in places if place is not None and place.reached]


def _record(node: Data, places: Places, primary: t.Optional[str]) -> t.Dict[str, t.Any]:
    """A node in nodes.json. Its reader takes one host for all ports: what is published elsewhere is not reached there."""
    host = places["rpc"].host
    ports = {f"{name}_port": places[name].port if name in places and places[name].host == host else None for name in (*NEEDED, "ws", "p2p")}
    role = "read_only" if node["role"] != VALIDATOR else "primary" if node["name"] == primary else "secondary"
    # Its reader knows two types, and connects to no other port than rpc, metrics and ws.
    if "p2p" not in places:
        ports["p2p_port"] = ((node.get("ports") or {}).get("p2p") or {}).get("container")
    return {"type": VALIDATOR if node["role"] in VOTERS else "vfn", "role": role, "host": host, **ports}


def _unpublished(places: t.Mapping[str, Places]) -> t.List[str]:
    """One line for all nodes that lack the same of the needed ports."""
    lacking: t.Dict[t.Tuple[str, ...], t.List[str]] = {}
    for node, known in places.items():
        missing = tuple(name for name in NEEDED if name not in known)
        if missing:
            lacking.setdefault(missing, []).append(node)
    lines = []
    for missing, found in lacking.items():
        keys = " and ".join(f"{name}_port" for name in missing)
        what = f"no published port {' and '.join(missing)}, which nodes.json must have"
        lines.append(f"{', '.join(found)}: {what}: set {keys} in the spec, or leave out what has none with --limit '{_without(found)}'")
    return lines


def _scattered(places: t.Mapping[str, Places]) -> t.List[str]:
    """Nodes whose needed ports have no host in common."""
    lines = []
    for node, known in places.items():
        needed = {name: known[name].host for name in NEEDED if name in known}
        if len(set(needed.values())) > 1:
            shown = " and ".join(f"{name} is published at {host}" for name, host in needed.items())
            remedy = f"publish them at the same address, or leave it out with --limit '{_without([node])}'"
            lines.append(f"{node}: {shown}, and nodes.json has one host for both: {remedy}")
    return lines


def _left_out(nodes: Nodes, port: str, addresses: Addresses) -> t.List[str]:
    """A warning of nodes that do not publish ``port``."""
    missing = [node for node in nodes if port not in places_of(node, addresses)]
    return [f"{_names(missing)}: no published port {port}, left out: set {port}_port in the spec to have it"] if missing else []


def _hidden(nodes: Nodes, ports: t.Sequence[str], addresses: Addresses, left_out: str = "") -> t.List[str]:
    """A line on nodes with ports on the loopback of another machine: what answers at that address here is something else."""
    found = [node for node in nodes if any(not place.reached for name, place in places_of(node, addresses).items() if name in ports)]
    remedy = f"{left_out}open it to this machine with ports: {{{ports[0]}: {{address: 0.0.0.0}}}} in the spec, or run this on that machine"
    return [f"{_names(found)}: published on {LOOPBACK} of another machine, {remedy}"] if found else []


def _names(nodes: Nodes) -> str:
    return ", ".join(str(node["name"]) for node in nodes)


def _without(names: t.Sequence[str]) -> str:
    """The pattern for all nodes but these."""
    return ":".join(["nodes", *(f"!{name}" for name in names)])


def _json(document: t.Any) -> str:
    return json.dumps(document, indent=2) + "\n"
