# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is to what is wanted: the steps, and the reason for each. Pure; nothing here talks to an Engine."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import (
    aspects,
    defined_aspects,
    differences,
    file_digests,
    reason,
)
from ansible_collections.gravity.cluster.plugins.module_utils._definition import ContainerDefinition, NetworkDefinition, salt_of
from ansible_collections.gravity.cluster.plugins.module_utils._observed import (
    RUNNING,
    STARTING,
    UNHEALTHY,
    Observed,
    ObservedContainer,
    ObservedNetwork,
)

STATES = ("started", "present", "stopped", "restarted", "recreated", "absent")
# States that bring containers to their definitions; the others only need names.
DEFINING = frozenset({"started", "present", "restarted", "recreated"})

# What can happen to a container. CONNECT joins it to its network again, with its address.
CREATE, START, STOP, RESTART, RECREATE, REMOVE, CONNECT, NONE = (
    "create",
    "start",
    "stop",
    "restart",
    "recreate",
    "remove",
    "connect",
    "none",
)

# States in which a node does its work, and others may count on it.
WORKING = frozenset({STARTING, RUNNING, UNHEALTHY})

Change = t.Tuple[t.Optional[str], t.Optional[str]]


@dataclass(frozen=True)
class Request:
    """What one call of the module asks for."""

    cluster: str
    state: str = "started"
    network: t.Optional[NetworkDefinition] = None
    containers: t.Tuple[ContainerDefinition, ...] = ()
    # None: neither names nor containers were given, which can mean the whole cluster.
    nodes: t.Optional[t.Tuple[str, ...]] = None
    prune: bool = False
    purge: bool = False
    rollback: bool = False
    # Names of volumes without labels that nodes may take.
    adopt_volumes: t.FrozenSet[str] = frozenset()
    concurrency: int = 8
    stop_grace: t.Optional[int] = None
    # Nodes that must not go down in this call; what they need is only reported.
    keep_running: t.FrozenSet[str] = frozenset()
    # Nodes of these roles that `prune` would remove are kept running like those.
    keep_roles: t.FrozenSet[str] = frozenset()
    # The label of the spec and its nodes, also those on other Docker hosts; empty when nobody says. ``takeover``: nodes of another one go.
    origin: str = ""
    known: t.FrozenSet[str] = frozenset()
    takeover: bool = False

    @property
    def whole(self) -> bool:
        """Whether the whole cluster on this Docker host is meant."""
        return self.nodes is None and not self.containers

    @property
    def targets(self) -> t.FrozenSet[str]:
        """Names of the nodes that are meant, when it is not the whole cluster."""
        return frozenset(self.nodes or ()) | frozenset(one.node for one in self.containers)


@dataclass(frozen=True)
class Step:
    """What is to be done with one container, and why."""

    node: str
    container: str
    action: str
    reasons: t.Tuple[str, ...] = ()
    definition: t.Optional[ContainerDefinition] = None
    observed: t.Optional[ObservedContainer] = None
    # It joins its network again, besides what the action says.
    connect: bool = False
    # It runs afterwards.
    start: bool = False
    changes: t.Mapping[str, Change] = field(default_factory=dict)
    # It would have to go down, and is kept running for now.
    deferred: bool = False
    # Its config files are written anew before it is started.
    refresh: bool = False

    @property
    def goes_down(self) -> bool:
        """Whether its process is ended first."""
        return self.action in (STOP, RECREATE, REMOVE, RESTART)

    @property
    def comes_up(self) -> bool:
        """Whether a process is started."""
        return self.start and self.action in (CREATE, RECREATE, START, RESTART)


@dataclass(frozen=True)
class ThingStep:
    """What is to be done with a network or a volume (``kind``), and why."""

    kind: str
    name: str
    action: str
    reasons: t.Tuple[str, ...] = ()
    node: t.Optional[str] = None
    network: t.Optional[NetworkDefinition] = None
    changes: t.Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All steps of one call, in the order in which they are reported."""

    steps: t.Tuple[Step, ...] = ()
    networks: t.Tuple[ThingStep, ...] = ()
    volumes: t.Tuple[ThingStep, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        things = (*self.networks, *self.volumes)
        return any(step.action != NONE for step in self.steps) or any(thing.action != NONE for thing in things)


def plan(request: Request, observed: Observed) -> Plan:
    """The steps from ``observed`` to what ``request`` asks for."""
    if request.state == "absent":
        return removal(request, observed)
    if request.state in DEFINING and (request.containers or request.prune):
        return reconciliation(request, observed)
    steps: t.Tuple[Step, ...] = ()
    # Starting and the like need names; stopping or restarting without any means the whole cluster.
    if request.state in ("stopped", "restarted") or (request.state == "started" and not request.whole):
        steps = tuple(named_step(request, node, one) for node, one in named(request, observed))
    networks = network_steps(request, observed) if request.state in DEFINING else ()
    return Plan(steps, networks)


def reconciliation(request: Request, observed: Observed) -> Plan:
    """Bring containers to their definitions."""
    own = {one.name: one for one in observed.containers}
    networks = network_steps(request, observed)
    place = network_of(request, networks, observed)
    steps = [container_step(request, one, own.get(one.name), observed.images.get(one.image), place) for one in request.containers]
    wanted = {definition.name: definition.node for definition in request.containers}
    names = {node: name for name, node in wanted.items()}
    for one in observed.containers:
        if not one.is_node or one.name in wanted:
            continue
        if one.node in names:
            steps.append(Step(one.node, one.name, REMOVE, (f"{one.node} is container {names[one.node]} now",), observed=one))
        elif request.prune:
            steps.append(Step(one.node, one.name, REMOVE, (f"{one.node} is not in the list any more",), observed=one))
    pruned = [step.observed for step in steps if step.action == REMOVE and step.node not in names and step.observed]
    steps = defer(steps, request.keep_running | {one.node for one in pruned if one.labels.get(labels.ROLE) in request.keep_roles})
    volumes = []
    seen = set()
    for step in steps:
        for volume in step.definition.volumes if step.definition and step.action in (CREATE, RECREATE) else ():
            if volume.name not in observed.volumes and volume.name not in seen:
                seen.add(volume.name)
                volumes.append(ThingStep("volume", volume.name, CREATE, ("absent",), node=step.node))
    return Plan(tuple(steps), networks, tuple(volumes))


def lasting_network(steps: t.Sequence[ThingStep], observed: Observed) -> t.Optional[str]:
    """Id of the network of the request when it is there and stays; None when it is yet to be made."""
    names = [step.name for step in steps if step.action == NONE]
    return next((one.id for one in observed.networks if one.name in names), None)


def network_of(request: Request, steps: t.Sequence[ThingStep], observed: Observed) -> t.Optional[str]:
    """Id of the network that the containers have to be in; None when it is yet to be made."""
    given = request.network.id if request.network and request.network.external else None
    return given or lasting_network(steps, observed)


def container_step(
    request: Request,
    wanted: ContainerDefinition,
    found: t.Optional[ObservedContainer],
    image_id: t.Optional[str],
    network_id: t.Optional[str],
) -> Step:
    """What one definition needs; its image and its network have these ids, if they are there already."""
    network = request.network.name if request.network else None
    if found is None:
        return Step(wanted.node, wanted.name, CREATE, ("absent",), wanted, None, start=request.state != "present")
    # A container that is only to be present keeps running, or not, as it did.
    start = request.state != "present" or found.running
    digests = file_digests(found.labels)
    payload = wanted.payload(request.cluster, network, lambda path: salt_of(digests.get(path, "")))
    desired = aspects(payload, payload["HostConfig"])
    # The Engine does not write down as asked for what it mounts on its own for the image.
    real = {**{f"volume at {path}": name for path, name in found.nameless.items()}, **aspects(found.config, found.host_config)}
    changes = differences(desired, real, defined_aspects(found.config))
    reasons = [reason(name, *change) for name, change in changes.items()]
    if image_id is not None and image_id != found.image_id:
        changes["image"] = (f"{found.image_id} ({found.config.get('Image')})", f"{image_id} ({wanted.image})")
        reasons.insert(0, f"image {short_id(found.image_id)} -> {short_id(image_id)} ({wanted.image})")
    elif image_id is None and found.config.get("Image") != wanted.image:
        changes["image"] = (str(found.config.get("Image")), wanted.image)
        reasons.insert(0, f"image {found.config.get('Image')} -> {wanted.image}")
    if found.process.get("Dead"):
        reasons.append("dead: its removal failed half-way")
    if reasons or request.state == "recreated":
        return Step(wanted.node, wanted.name, RECREATE, tuple(reasons) or ("asked for",), wanted, found, start=start, changes=changes)
    cut = detachment(wanted, found, network, network_id)
    idle = idleness(found) if start and not has_done_its_work(found) else None
    action = CONNECT if cut else NONE
    if idle:
        action = START
    elif request.state == "restarted":
        action, idle = RESTART, "asked for"
    why = tuple(item for item in (*(text for text, _change in cut.values()), idle) if item)
    shown = {name: change for name, (_text, change) in cut.items()}
    return Step(wanted.node, wanted.name, action, why, wanted, found, connect=bool(cut), start=start, changes=shown)


def defer(steps: t.Sequence[Step], kept: t.AbstractSet[str]) -> t.List[Step]:
    """The steps without those of nodes that must not go down, if that is what one of their steps would do."""
    waiting = {
        step.node for step in steps if step.node in kept and step.goes_down and step.observed is not None and step.observed.state in WORKING
    }
    # A node under a new container name has two steps; neither makes sense without the other.
    return [
        replace(step, action=NONE, connect=False, start=False, changes={}, deferred=True) if step.node in waiting else step
        for step in steps
    ]


def detachment(
    wanted: ContainerDefinition, found: ObservedContainer, network: t.Optional[str], network_id: t.Optional[str]
) -> t.Dict[str, t.Tuple[str, Change]]:
    """What is wrong with a container's place in its network: aspect -> (reason, change); empty when it is right."""
    if network is None:
        return {}
    endpoint = found.endpoint(network)
    if endpoint is None:
        return {"attached to": (f"detached from network {network}", (None, network))}
    if endpoint.get("NetworkID") and endpoint["NetworkID"] != network_id:
        # The Engine remembers the id, and would not start the container.
        return {"attached to": (f"network {network} is another one now", (endpoint["NetworkID"], network_id or "(new)"))}
    wrong: t.Dict[str, t.Tuple[str, Change]] = {}
    fixed = endpoint.get("IPAMConfig") or {}
    address = fixed.get("IPv4Address") or fixed.get("IPv6Address") or None
    if wanted.network_ip and wanted.network_ip != address:
        real = address or endpoint.get("IPAddress") or None
        wrong["address"] = (f"address {real or 'none'} -> {wanted.network_ip}", (real, wanted.network_ip))
    known = endpoint.get("Aliases") or []
    missing = [alias for alias in wanted.aliases if alias not in known]
    if missing:
        names = ", ".join(missing)
        wrong["aliases"] = (f"unknown in the network as {names}", (None, names))
    return wrong


def idleness(found: ObservedContainer) -> t.Optional[str]:
    """Why a container needs to be started; None when it runs."""
    if found.process.get("Paused"):
        return "paused"
    if found.running:
        return None
    if found.never_started:
        return "not running (never started)"
    killed = ", out of memory" if found.process.get("OOMKilled") else ""
    return f"not running (exited with code {found.process.get('ExitCode')}{killed})"


def has_done_its_work(found: ObservedContainer) -> bool:
    """Whether a container that is not to be started again has ended well, as a one-shot does."""
    once = ((found.host_config.get("RestartPolicy") or {}).get("Name") or "no") == "no"
    ended = not found.running and not found.never_started and not found.process.get("Error")
    return once and ended and found.process.get("ExitCode") == 0


def named(request: Request, observed: Observed) -> t.List[t.Tuple[str, t.Optional[ObservedContainer]]]:
    """The nodes that are meant by name, with their containers; for the whole cluster, all that there are."""
    found: t.Dict[str, t.Optional[ObservedContainer]] = {}
    if not request.whole:
        found = {one.node: None for one in request.containers}
        found.update(dict.fromkeys(request.nodes or ()))
    for one in observed.containers:
        if one.is_node and (request.whole or one.node in found):
            # A run that was killed while it made a container anew leaves two of them.
            other = found.get(one.node)
            if other is None or not other.running:
                found[one.node] = one
    return list(found.items())


def named_step(request: Request, node: str, found: t.Optional[ObservedContainer]) -> Step:
    """What a node needs that has only a name here: nothing is created."""
    if found is None:
        container = next((one.name for one in request.containers if one.node == node), "")
        return Step(node, container, NONE, ("no container",))
    idle = idleness(found)
    if request.state == "stopped":
        if found.running:
            return Step(node, found.name, STOP, ("asked for",), definition_of(request, node), found)
        return Step(node, found.name, NONE, (), observed=found)
    if idle:
        return Step(node, found.name, START, (idle,), observed=found, start=True)
    if request.state == "restarted":
        return Step(node, found.name, RESTART, ("asked for",), observed=found, start=True)
    return Step(node, found.name, NONE, (), observed=found)


def definition_of(request: Request, node: str) -> t.Optional[ContainerDefinition]:
    """The definition of a node in the request, if there is one."""
    return next((one for one in request.containers if one.node == node), None)


def removal(request: Request, observed: Observed) -> Plan:
    """Remove the nodes that are meant, the network with the last of them, and with ``purge`` their volumes."""
    steps = []
    gone = set()
    for one in observed.containers:
        # One-off helpers that work go with the whole cluster only: they may serve other nodes.
        if request.whole or (one.node in request.targets and (one.is_node or one.never_started)):
            steps.append(Step(one.node, one.name, REMOVE, ("asked for",), definition_of(request, one.node), one))
            gone.add(one.name)
    present = {step.node for step in steps}
    for node in sorted(request.targets - present):
        definition = definition_of(request, node)
        steps.append(Step(node, definition.name if definition else "", NONE, ()))
    networks: t.Tuple[ThingStep, ...] = ()
    if all(one.name in gone for one in observed.containers):
        networks = tuple(
            ThingStep("network", one.name, REMOVE, ("no container of the cluster is left",)) for one in own_networks(request, observed)
        )
    volumes: t.Tuple[ThingStep, ...] = ()
    if request.purge:
        nameless = {name: step.node for step in steps if step.observed for name in step.observed.nameless.values()}
        volumes = tuple(ThingStep("volume", name, REMOVE, ("purge",), node=node) for name, node in sorted(nameless.items()))
        volumes += tuple(
            ThingStep("volume", one.name, REMOVE, ("purge",), node=one.labels.get(labels.NODE))
            for one in sorted(observed.volumes.values(), key=lambda one: one.name)
            # The lock is that of this very run.
            if labels.is_own(one.labels, request.cluster)
            and one.labels.get(labels.KIND) != "lock"
            and (request.whole or one.labels.get(labels.NODE) in request.targets)
        )
    return Plan(tuple(steps), networks, volumes)


def own_networks(request: Request, observed: Observed) -> t.List[ObservedNetwork]:
    """The networks of this Docker host that carry the cluster's label; those of a swarm are not one host's to remove."""
    return [one for one in observed.networks if labels.is_own(one.labels, request.cluster) and one.raw.get("Scope") != "swarm"]


def network_steps(request: Request, observed: Observed) -> t.Tuple[ThingStep, ...]:
    """What the network of the request needs."""
    wanted = request.network
    if wanted is None:
        return ()
    found = next((one for one in observed.networks if one.name == wanted.name), None)
    if found is None:
        return () if wanted.external else (ThingStep("network", wanted.name, CREATE, ("absent",), network=wanted),)
    if wanted.external:
        return (ThingStep("network", wanted.name, NONE, (), network=wanted),)
    changes = network_changes(wanted, found)
    reasons = tuple(f"{name} {before or 'none'} -> {after or 'none'}" for name, (before, after) in changes.items())
    return (ThingStep("network", wanted.name, RECREATE if reasons else NONE, reasons, network=wanted, changes=changes),)


def network_changes(wanted: NetworkDefinition, found: ObservedNetwork) -> t.Dict[str, Change]:
    """Aspect -> (observed, desired) of what differs; only what the definition sets is compared."""
    pool = found.pools[0] if found.pools else {}
    pairs: t.Dict[str, Change] = {"driver": (found.driver, wanted.driver)}
    if wanted.subnet:
        pairs["subnet"] = (pool.get("Subnet"), wanted.subnet)
    if wanted.gateway:
        pairs["gateway"] = ((pool.get("Gateway") or "").partition("/")[0] or None, wanted.gateway)
    if wanted.internal:
        pairs["internal"] = (yes(found.raw.get("Internal")), "yes")
    if wanted.attachable:
        pairs["attachable"] = (yes(found.raw.get("Attachable")), "yes")
    options = found.raw.get("Options") or {}
    for key, value in wanted.options.items():
        pairs[f"option {key}"] = (options.get(key), value)
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def yes(value: t.Any) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def short_id(image: str) -> str:
    """An image id that still reads in one line, such as ``sha256:ab12cd34ef56``."""
    kind, _colon, digest = image.rpartition(":")
    return f"{kind}:{digest[:12]}" if kind else digest[:12]
