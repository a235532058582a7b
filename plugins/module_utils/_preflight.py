# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a plan fail, found before anything is changed. All of it at once; each problem is one line."""

from __future__ import annotations

import difflib
import errno
import ipaddress
import os
import socket
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._definition import NetworkDefinition, Port
from ansible_collections.gravity.cluster.plugins.module_utils._engine import UNIX, Engine
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed, ObservedNetwork
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner, name_of, strangers
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, Subnet, contains, parsed_subnet
from ansible_collections.gravity.cluster.plugins.module_utils._plan import (
    CREATE,
    DEFINING,
    NONE,
    RECREATE,
    REMOVE,
    STOP,
    Plan,
    Request,
    Step,
    ThingStep,
)
from ansible_collections.gravity.cluster.plugins.module_utils._sockets import Socket, collide

# What has happened to the loser of two runs.
RIVAL = "another run on this cluster made it a moment ago: wait until that one has ended, then run again"
# The Engine's words for a container with a process.
AT_WORK = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True)
class Surroundings:
    """What else is on the Docker host, as far as a plan can collide with it."""

    # Every container: the Engine's list.
    containers: t.Tuple[t.Mapping[str, t.Any], ...] = ()
    # Ids of those that are the cluster's own.
    own: t.FrozenSet[str] = frozenset()
    # Network name -> names of the containers that run in it.
    attached: t.Mapping[str, t.Tuple[str, ...]] = field(default_factory=dict)
    # Names of the images, asked for when one is missing.
    images: t.Tuple[str, ...] = ()
    cpus: t.Optional[int] = None
    # Whether the Engine shows networks of its swarm only while a container is in them.
    hides: bool = False
    # Whether a socket can be taken; None when that cannot be told from here.
    bind: t.Optional[t.Callable[[Socket], t.Optional[str]]] = None

    def owns(self, entry: t.Mapping[str, t.Any]) -> bool:
        """Whether an entry of the list is a container of the cluster, and no copy of one."""
        return entry.get("Id") in self.own


def look_around(engine: Engine, cluster: str, observed: Observed, plan: Plan) -> Surroundings:
    """Ask the Engine for what the checks of ``plan`` need, and no more."""
    api = engine.api
    creating = [step.definition for step in plan.steps if step.action in (CREATE, RECREATE) and step.definition]
    with engine.translating("listing all containers"):
        containers = tuple(api.containers(all=True)) if any(step.action != NONE for step in plan.steps) else ()
    attached = {}
    for step in plan.networks:
        if step.action in (RECREATE, REMOVE):
            with engine.translating(f"inspecting network {step.name}"):
                found = api.inspect_network(step.name)
            attached[step.name] = tuple(sorted(one.get("Name") or "?" for one in (found.get("Containers") or {}).values()))
    images: t.Tuple[str, ...] = ()
    if any(observed.images.get(one.image) is None for one in creating):
        with engine.translating("listing images"):
            images = tuple(tag for image in api.images() for tag in image.get("RepoTags") or [])
    cpus = None
    if any(one.nanocpus for one in creating):
        with engine.translating("asking for the Engine's resources"):
            cpus = api.info().get("NCPU")
    hides = False
    if homeless(observed, plan):
        with engine.translating("asking for the Engine's swarm"):
            swarm = api.info().get("Swarm") or {}
            hides = swarm.get("LocalNodeState") == "active" and not swarm.get("ControlAvailable")
    local = engine.options.url.startswith(UNIX) and os.name == "posix"
    own = frozenset(one.id for one in observed.containers)
    owner = Owner(engine, cluster, [one.name for one in creating])

    def bind(place: Socket) -> t.Optional[str]:
        # Another run may have started a container since the list was made.
        failure = bind_failure(place)
        return failure and (holder_of(engine, owner, [place]) or failure)

    return Surroundings(containers, own, attached, images, cpus, hides, bind if local else None)


def holder_of(engine: Engine, owner: Owner, places: t.Collection[Socket]) -> t.Optional[str]:
    """Which container has one of the host ports now, with the remedy; None when it is no container."""
    with engine.translating("listing the containers that run"):
        running = engine.api.containers()
    for one in running:
        for entry in one.get("Ports") or []:
            if entry.get("PublicPort") and any(collide(place, socket_of(entry)) for place in places):
                if owner.owns(one):
                    return f"is taken by container {name_of(one)}: {RIVAL}"
                return f"is taken by container {name_of(one)}, which is not of this cluster: stop it, or choose another host port"
    return None


def homeless(observed: Observed, plan: Plan) -> t.List[t.Tuple[Step, str]]:
    """Steps that start a container as it is, and whose network the Engine does not show; with the network's name."""
    networks = {one.id for one in observed.networks}
    found = []
    for step in plan.steps:
        if step.definition is None and step.observed is not None and step.comes_up:
            name = str(step.observed.host_config.get("NetworkMode"))
            place = (step.observed.endpoint(name) or {}).get("NetworkID")
            if place and place not in networks:
                found.append((step, name))
    return found


def check(request: Request, observed: Observed, plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Note in ``problems`` what stands against ``plan``; images are checked apart."""
    check_origin(request, observed, problems)
    check_names(plan, around, problems)
    check_named(request, observed, plan, around, problems)
    for step in plan.networks:
        if step.action == REMOVE:
            check_network_removal(request, step, plan, around, problems)
    if request.network is not None and request.state in DEFINING:
        check_network(request, request.network, observed, plan, around, problems)
        check_addresses(request, request.network, observed, plan, around, problems)
    check_volumes(request, observed, problems)
    check_resources(plan, around, problems)
    check_ports(plan, around, problems)
    check_sharing(plan, around, problems)


def check_origin(request: Request, observed: Observed, problems: Problems) -> None:
    """Nodes that are to go because this spec lacks them, but that another spec has."""
    everything = request.state == "absent" and request.whole
    if not request.origin or request.takeover or not (everything or request.prune):
        return
    carried = [one.labels for one in observed.containers if everything or one.is_node]
    if request.purge:
        carried += [one.labels for one in observed.volumes.values() if labels.is_own(one.labels, request.cluster)]
    found = strangers(carried, request.targets | request.known, request.origin)
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        problems.add(
            f"{request.cluster}: this Docker host has nodes of this cluster_name that another spec made and this one lacks "
            f"({shown}): choose another cluster_name, use the spec that they were made from, or add -e takeover=true to remove them "
            "when that spec was moved or belongs to another controller"
        )


def check_names(plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Names that others use, and nodes that have nothing to start."""
    foreign = {name.lstrip("/"): one for one in around.containers if not around.owns(one) for name in one.get("Names") or []}
    for step in plan.steps:
        other = foreign.get(step.container) if step.action == CREATE else None
        if other is not None:
            problems.add(
                f"{step.node}: container name {step.container} is used by {a_thing_of('container', other.get('Labels'))} "
                f"(image {other.get('Image')}): choose another container_name"
            )


def check_named(request: Request, observed: Observed, plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Nodes that are to run and have only a name here: they need a container whose network is still there."""
    if request.state not in DEFINING:
        return
    for step in plan.steps:
        if step.definition is None and step.observed is None:
            problems.add(f"{step.node}: there is no container of this node on this Docker host: deploy it first")
    for step, name in [] if around.hides else homeless(observed, plan):
        problems.add(f"{step.node}: its network {name} was removed or made anew: deploy the node again")


def a_thing_of(kind: str, own: t.Optional[t.Mapping[str, str]]) -> str:
    """In words, whose thing this is."""
    cluster = (own or {}).get(labels.CLUSTER)
    return f"a {kind} of cluster {cluster}" if cluster else f"a {kind} that is not ours"


def whose(own: t.Optional[t.Mapping[str, str]]) -> str:
    """In words, which cluster a thing belongs to."""
    cluster = (own or {}).get(labels.CLUSTER)
    return f"of cluster {cluster}" if cluster else "not ours"


def check_network_removal(request: Request, step: ThingStep, plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Others in a network that is to go."""
    leaving = {one.container for one in plan.steps if one.action == REMOVE}
    staying = [name for name in around.attached.get(step.name, ()) if name not in leaving]
    if staying:
        problems.add(
            f"network {step.name}: {', '.join(staying)} is attached to it and not of cluster {request.cluster}: "
            f"ask its owner to leave the network (docker inspect {staying[0]} shows it)"
        )


def check_network(
    request: Request, wanted: NetworkDefinition, observed: Observed, plan: Plan, around: Surroundings, problems: Problems
) -> None:
    """The network: missing, foreign, in use, overlapping."""
    found = next((one for one in observed.networks if one.name == wanted.name), None)
    if wanted.external:
        if found is None and wanted.id is None:
            problems.add(f"network {wanted.name}: it is external and does not exist: create it, or leave out `external`")
        return
    if found is not None and not labels.is_own(found.labels, request.cluster):
        owner = a_thing_of("network", found.labels)
        problems.add(f"network {wanted.name}: there is {owner} with this name: choose another name (network.name in the spec)")
        return
    step = next(one for one in plan.networks if one.name == wanted.name)
    if step.action == RECREATE:
        # state=recreated takes its containers down anyway; nothing else may run in a network that is made anew.
        leaving = {one.container for one in plan.steps if request.state == "recreated" and one.action in (RECREATE, REMOVE)}
        staying = [name for name in around.attached.get(wanted.name, ()) if name not in leaving]
        if staying:
            problems.add(
                f"network {wanted.name}: {', '.join(step.reasons)} needs a new network, but {', '.join(staying)} run in it: "
                "stop the cluster first, or give the network its old settings back"
            )
    pool = parsed_subnet(wanted.subnet)
    if pool is None or step.action not in (CREATE, RECREATE):
        return
    for other in observed.networks:
        rival = overlap(pool, other) if other.name != wanted.name else None
        if rival:
            problems.add(
                f"network {wanted.name}: subnet {pool} overlaps {rival} of Docker network {other.name} ({whose(other.labels)}): "
                "choose another subnet (network.subnet in the spec)"
            )


def check_addresses(
    request: Request, wanted: NetworkDefinition, observed: Observed, plan: Plan, around: Surroundings, problems: Problems
) -> None:
    """Static addresses: outside the subnet, reserved, or taken."""
    found = next((one for one in observed.networks if one.name == wanted.name), None)
    real = found.pools[0] if found is not None and found.pools else {}
    pool = parsed_subnet(wanted.subnet or real.get("Subnet"))
    gateway = wanted.gateway or (real.get("Gateway") or "").partition("/")[0] or None
    for definition in request.containers:
        if definition.network_ip:
            mistake = address_mistake(definition.network_ip, pool, gateway, wanted.name)
            if mistake:
                problems.add(f"{definition.node}: address {definition.network_ip} {mistake}")
    # What moves frees its address before anything comes up.
    moving = {step.container for step in plan.steps if step.connect or step.action in (RECREATE, REMOVE, STOP)}
    taken = {}
    for one in around.containers:
        name = str((one.get("Names") or ["?"])[0]).lstrip("/")
        endpoint = ((one.get("NetworkSettings") or {}).get("Networks") or {}).get(wanted.name) or {}
        if endpoint.get("IPAddress") and not (name in moving and around.owns(one)):
            taken[endpoint["IPAddress"]] = name
    for step in plan.steps:
        mine = step.definition.network_ip if step.definition and (step.comes_up or step.connect) else None
        holder = taken.get(mine) if mine else None
        if holder is not None and holder != step.container:
            problems.add(
                f"{step.node}: address {mine} of network {wanted.name} is taken by container {holder}: "
                "choose another address (network_ip in the spec)"
            )


def address_mistake(address: str, pool: t.Optional[Subnet], gateway: t.Optional[str], network: str) -> t.Optional[str]:
    """Why ``address`` cannot be a container's in ``pool``, with the remedy."""
    if pool is None:
        return f"needs a network with a subnet: add `subnet` to network {network}"
    if not contains(pool, address):
        return f"is outside subnet {pool} of network {network}: choose one inside it"
    if address == gateway:
        return f"is the gateway of network {network}: choose another"
    if pool.num_addresses > 2 and ipaddress.ip_address(address) in (pool.network_address, pool.broadcast_address):
        return f"is the network or broadcast address of {pool}: choose another"
    return None


def overlap(pool: Subnet, other: ObservedNetwork) -> t.Optional[str]:
    """The subnet of ``other`` that overlaps ``pool``."""
    for entry in other.pools:
        try:
            rival = ipaddress.ip_network(entry.get("Subnet") or "")
        except ValueError:
            continue
        if rival.version == pool.version and rival.overlaps(pool):
            return str(rival)
    return None


def check_images(observed: Observed, plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Images that are not there."""
    missing: t.Dict[str, t.List[str]] = {}
    for step in plan.steps:
        image = step.definition.image if step.definition and step.action in (CREATE, RECREATE) else None
        if image and observed.images.get(image) is None:
            missing.setdefault(image, []).append(step.node)
    for image, nodes in missing.items():
        near = difflib.get_close_matches(image, around.images, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}? Otherwise " if near else ""
        problems.add(
            f"{', '.join(nodes)}: image {image} is not on this Docker host: {hint}build, load or pull it first (docker pull {image})"
        )


def check_volumes(request: Request, observed: Observed, problems: Problems) -> None:
    """Volumes that are not ours or belong to another genesis."""
    if request.state not in DEFINING:
        return
    mounted = {(one.node, name) for one in observed.containers if one.is_node for name in one.mounted}
    for definition in request.containers:
        for volume in definition.volumes:
            found = observed.volumes.get(volume.name)
            if found is None or volume.nameless:
                continue
            if labels.CLUSTER not in found.labels:
                # What the node's own container has was adopted before.
                if volume.name not in request.adopt_volumes and (definition.node, volume.name) not in mounted:
                    problems.add(
                        f"{definition.node}: volume {volume.name} is there without our labels, as a restore leaves it, or is somebody "
                        f"else's: look what is in it (docker volume inspect {volume.name}); when it is this node's, adopt it "
                        f"(deploy with -e adopt_volumes={volume.name}), otherwise choose another name"
                    )
                continue
            born = found.labels.get(labels.GENESIS)
            if not labels.is_own(found.labels, request.cluster):
                problems.add(
                    f"{definition.node}: there is {a_thing_of('volume', found.labels)} named {volume.name}: "
                    f"choose another name, or look what is in it first (docker volume inspect {volume.name})"
                )
            elif definition.genesis and born and born != definition.genesis:
                problems.add(
                    f"{definition.node}: volume {volume.name} belongs to genesis {born[:12]}, the definition to {definition.genesis[:12]}: "
                    "go back to the spec and image that it was born with, "
                    "or remove the cluster with its data (teardown_purge=true) and deploy again"
                )


def check_resources(plan: Plan, around: Surroundings, problems: Problems) -> None:
    """CPUs that the host does not have."""
    for step in plan.steps:
        cpus = step.definition.nanocpus if step.definition and step.action in (CREATE, RECREATE) else None
        if cpus and around.cpus and cpus > around.cpus * 1_000_000_000:
            problems.add(f"{step.node}: cpus {cpus / 1e9:g} is more than the {around.cpus} of this Docker host: lower it")


def check_ports(plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Host ports of containers that are about to run."""
    going = {step.container for step in plan.steps if step.action in (RECREATE, REMOVE, STOP)}
    held: t.List[t.Tuple[Socket, str]] = []
    released: t.List[Socket] = []
    for one in around.containers:
        name = str((one.get("Names") or ["?"])[0]).lstrip("/")
        own = around.owns(one)
        for entry in one.get("Ports") or []:
            if not entry.get("PublicPort"):
                continue
            if own and name in going:
                released.append(socket_of(entry))
            else:
                held.append((socket_of(entry), name if own else f"{name}, which is not of this cluster"))
    for step in plan.steps:
        for place in sockets_to_take(step):
            shown = Port(0, place[1], place[0], place[2]).published
            holder = next((name for taken, name in held if collide(place, taken) and name != step.container), None)
            # What this container holds now, or another one is about to release, cannot be tried.
            mine = any(collide(place, taken) for taken, name in held if name == step.container)
            if holder is not None:
                problems.add(f"{step.node}: host port {shown} is taken by container {holder}: stop it, or choose another host port")
            elif around.bind is not None and not mine and not any(collide(place, one) for one in released):
                failure = around.bind(place)
                if failure:
                    problems.add(f"{step.node}: host port {shown} {failure}")


def check_sharing(plan: Plan, around: Surroundings, problems: Problems) -> None:
    """Another process on the data of a node that is about to run: two would sign with one key."""
    leaving = {step.observed.id for step in plan.steps if step.observed and step.action in (RECREATE, REMOVE, STOP)}
    nodes = {step.observed.id: step.node for step in plan.steps if step.observed}
    users: t.Dict[str, t.List[t.Mapping[str, t.Any]]] = {}
    for one in around.containers:
        if one.get("State") in AT_WORK and one.get("Id") not in leaving:
            for mount in one.get("Mounts") or []:
                if mount.get("Type") == "volume" and mount.get("RW", True):
                    users.setdefault(str(mount.get("Name")), []).append(one)
    for step in plan.steps:
        for volume in volumes_to_write(step):
            # Nodes of one cluster may share a volume when their definitions say so.
            others = [one for one in users.get(volume, ()) if nodes.get(str(one.get("Id")), step.node) == step.node]
            others = [one for one in others if step.observed is None or one.get("Id") != step.observed.id]
            if others:
                problems.add(
                    f"{step.node}: volume {volume} is in use by container {name_of(others[0])}, which is not this node's: "
                    f"two processes must not run on one node's data; stop that one first (docker stop {name_of(others[0])})"
                )


def volumes_to_write(step: Step) -> t.List[str]:
    """The volumes that a step's new process writes to."""
    if not step.comes_up:
        return []
    if step.definition is not None:
        return [volume.name for volume in step.definition.volumes if not volume.read_only]
    mounts = step.observed.inspect.get("Mounts") or [] if step.observed is not None else []
    return [str(mount.get("Name")) for mount in mounts if mount.get("Type") == "volume" and mount.get("RW", True)]


def sockets_to_take(step: Step) -> t.List[Socket]:
    """The sockets of the Docker host that a step needs."""
    if not step.comes_up:
        return []
    if step.definition is not None:
        return [(port.address, port.host, port.protocol) for port in step.definition.ports if port.host is not None]
    return sorted(step.observed.host_ports) if step.observed is not None else []


def socket_of(entry: t.Mapping[str, t.Any]) -> Socket:
    """The socket of an entry in the Engine's list of published ports."""
    return str(entry.get("IP") or "0.0.0.0"), int(entry["PublicPort"]), str(entry.get("Type") or "tcp")


def bind_failure(place: Socket) -> t.Optional[str]:
    """Why the socket cannot be taken on this host, with the remedy; None when it can, or when we may not try."""
    address, port, protocol = place
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    if protocol not in kinds:
        return None
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kinds[protocol]) as trial:
        if protocol == "tcp":
            # A connection that ended a moment ago does not hold the port.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return f"is taken by another program: end it (ss -lptn 'sport = :{port}' shows it), or choose another host port"
            if exc.errno == errno.EADDRNOTAVAIL:
                return f"cannot be published: {address} is not an address of this Docker host, choose one that is"
    return None
