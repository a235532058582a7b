# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: what goes down first, then the network, then what comes up; side by side, and no failure stops the others."""

from __future__ import annotations

import contextlib
import posixpath
import re
import threading
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import file_digests
from ansible_collections.gravity.cluster.plugins.module_utils._definition import ContainerDefinition, NetworkDefinition, Volume, named_owner
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, EngineError
from ansible_collections.gravity.cluster.plugins.module_utils._named import create_for_a_moment, is_for_a_moment
from ansible_collections.gravity.cluster.plugins.module_utils._observed import (
    Observed,
    ObservedContainer,
    ObservedNetwork,
    inspected,
)
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import NEXT, Owner
from ansible_collections.gravity.cluster.plugins.module_utils._plan import (
    CREATE,
    NONE,
    RECREATE,
    REMOVE,
    RESTART,
    STOP,
    Plan,
    Request,
    Step,
    ThingStep,
    network_changes,
)
from ansible_collections.gravity.cluster.plugins.module_utils._preflight import RIVAL, holder_of, sockets_to_take
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # the Engine's constructor reports it
    import docker.errors

# After the Engine reports a stop, its process must be gone within this time (seconds).
EXIT_PATIENCE = 10.0
PASSWD, GROUP = "/etc/passwd", "/etc/group"
# How long a network may take to notice that its last container left (seconds).
LEAVE_PATIENCE = 3.0
MISCOUNTED = (
    "the Engine believes that containers are still in it, a fault of older Engines under load; "
    "restart the Engine (for example: systemctl restart docker) and run again"
)
TAKEN = re.compile(r"Bind for (\S+) failed: port is already allocated|listen (?:tcp|udp)[46]? (\S+): bind: address already in use")


@dataclass
class Outcome:
    """What became of one step."""

    step: Step
    error: t.Optional[str] = None
    # Id of the container that was made, and whether that was in place of another.
    made: t.Optional[str] = None
    # The container as it is afterwards; None when there is none.
    final: t.Optional[ObservedContainer] = None


@dataclass
class Applied:
    """What became of a plan."""

    outcomes: t.List[Outcome]
    # (kind, name) of the network and volume steps that failed -> the error.
    failures: t.Dict[t.Tuple[str, str], str] = field(default_factory=dict)
    changed: bool = False
    # Names of what ``rollback`` removed again, and what it could not remove.
    rolled_back: t.List[str] = field(default_factory=list)
    leftovers: t.List[str] = field(default_factory=list)
    warnings: t.List[str] = field(default_factory=list)

    @property
    def failed(self) -> t.List[Outcome]:
        """The steps that failed."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]


def apply(engine: Engine, request: Request, observed: Observed, plan: Plan, progress: Progress) -> Applied:
    """Carry out ``plan``. Failures are in the result, not raised."""
    return Work(engine, request, observed, plan, progress).run()


class Work:
    """One application of a plan."""

    def __init__(self, engine: Engine, request: Request, observed: Observed, plan: Plan, progress: Progress) -> None:
        self.engine = engine
        self.request = request
        self.observed = observed
        self.plan = plan
        self.progress = progress
        self.applied = Applied([Outcome(step) for step in plan.steps])
        self.owner = Owner(engine, request.cluster, [one.name for one in request.containers])
        self._network_stays = all(step.action == NONE for step in plan.networks)
        self._made_networks: t.List[str] = []
        self._counting = threading.Lock()
        self._counted = 0

    def run(self) -> Applied:
        """All phases."""
        outcomes = self.applied.outcomes
        # Removals first: one of them may hold the name that a replacement needs for a moment.
        self._phase([one for one in outcomes if one.step.action == REMOVE], self._take_down, "removed")
        self._phase([one for one in outcomes if one.step.action in (STOP, RECREATE) or one.step.connect], self._take_down, "stopped")
        for step in self.plan.networks:
            self._thing(step, self._network)
        if any(step.action != REMOVE and ("network", step.name) in self.applied.failures for step in self.plan.networks):
            for outcome in outcomes:
                if outcome.error is None and (outcome.step.comes_up or outcome.step.action == CREATE):
                    outcome.error = "its network could not be made"
        self._phase(
            [one for one in outcomes if one.step.action not in (STOP, REMOVE, NONE)],
            self._bring_up,
            "created" if self.request.state == "present" else "started",
        )
        for step in self.plan.volumes:
            if step.action == REMOVE:
                self._thing(step, self._remove_volume)
        if self.request.rollback and self.applied.failed:
            self._roll_back()
        self._look_again()
        return self.applied

    def _phase(self, outcomes: t.List[Outcome], work: t.Callable[[Step, Outcome], None], verb: str) -> None:
        outcomes = [one for one in outcomes if one.error is None]
        self._counted = 0

        def one(outcome: Outcome) -> None:
            try:
                work(outcome.step, outcome)
                self.applied.changed = True
            except ClusterError as exc:
                outcome.error = self._plain(exc.message, outcome.step)
            with self._counting:
                self._counted += 1
                self.progress.say(f"{self._counted} of {len(outcomes)} containers {verb}")

        each(outcomes, one, self.request.concurrency)

    def _plain(self, message: str, step: Step) -> str:
        """An error about one container; a port may be taken by what another run has made since we looked."""
        holder = None
        if TAKEN.search(message):
            with contextlib.suppress(ClusterError):
                holder = holder_of(self.engine, self.owner, sockets_to_take(step))
        return plain(message, step, holder)

    def _thing(self, step: ThingStep, work: t.Callable[[ThingStep], bool]) -> None:
        if step.action == NONE:
            return
        try:
            if work(step):
                self.applied.changed = True
        except ClusterError as exc:
            self.applied.failures[step.kind, step.name] = exc.message

    # What goes down

    def _take_down(self, step: Step, outcome: Outcome) -> None:
        found = step.observed
        if found is None:
            return
        if step.action == RECREATE and step.definition is not None and self._network_stays:
            self._replace(step.definition, found, self._grace(step, found), outcome)
            return
        if step.goes_down:
            self._stop(found, self._grace(step, found))
        if step.action in (REMOVE, RECREATE):
            self._remove(found)
        elif step.connect and self.request.network is not None and found.endpoint(self.request.network.name) is not None:
            self._disconnect(found, self.request.network.name)

    def _replace(self, wanted: ContainerDefinition, found: ObservedContainer, grace: int, outcome: Outcome) -> None:
        """Put a new container in the place of ``found``. What the Engine refuses to create does not cost us the one that is there."""
        made = self._create(wanted, f"{wanted.name}{NEXT}")
        try:
            self._stop(found, grace)
            self._remove(found)
            self._rename(made, wanted.name)
        except ClusterError:
            with contextlib.suppress(docker.errors.APIError):
                self.engine.api.remove_container(made, v=True, force=True)
            raise
        outcome.made = made

    def _rename(self, made: str, name: str) -> None:
        with self.engine.translating(f"renaming the new container {name}"):
            try:
                self.engine.api.rename(made, name)
            except docker.errors.APIError as exc:
                other = inspected(self.engine, name) if exc.status_code == 409 else None
                if other is None or not self._is_own(other):
                    raise
                raise EngineError(f"container {name}: {RIVAL}") from exc

    def _grace(self, step: Step, found: ObservedContainer) -> int:
        if self.request.stop_grace is not None:
            return self.request.stop_grace
        return step.definition.stop_grace if step.definition is not None else found.stop_grace

    def _stop(self, found: ObservedContainer, grace: int) -> None:
        """End the process of a container and wait until it is gone."""
        if not found.running:
            return
        api = self.engine.api
        with self.engine.translating(f"stopping container {found.name}"):
            if found.process.get("Paused"):
                api.unpause(found.id)
            self._forgiving(404, lambda: api.stop(found.id, timeout=grace))
        deadline = time.monotonic() + EXIT_PATIENCE
        while True:
            now = inspected(self.engine, found.id)
            if now is None or not now.running:
                return
            if time.monotonic() > deadline:
                raise EngineError(f"stopping container {found.name}: its process is still there {EXIT_PATIENCE:g} s after the kill")
            time.sleep(0.05)

    def _remove(self, found: ObservedContainer) -> None:
        """Remove a container, and wait until it is gone when somebody else is at it. Nameless volumes of a node hold data and stay."""
        empties = not (found.is_node and found.nameless) or self.request.purge
        with self.engine.translating(f"removing container {found.name}"):
            try:
                self._forgiving(404, lambda: self.engine.api.remove_container(found.id, v=empties, force=True))
                return
            except docker.errors.APIError as exc:
                if "in progress" not in str(exc):
                    raise
        deadline = time.monotonic() + EXIT_PATIENCE
        while inspected(self.engine, found.id) is not None:
            if time.monotonic() > deadline:
                raise EngineError(f"removing container {found.name}: the Engine has been at it for {EXIT_PATIENCE:g} s")
            time.sleep(0.05)

    # What comes up

    def _bring_up(self, step: Step, outcome: Outcome) -> None:
        api = self.engine.api
        wanted, found = step.definition, step.observed
        if step.action in (CREATE, RECREATE) and wanted is not None:
            container = outcome.made or self._create(wanted, wanted.name)
            outcome.made = container
            self._furnish(container, wanted)
        elif found is not None:
            container = found.id
            if step.action == RESTART:
                self._stop(found, self._grace(step, found))
            if step.connect and wanted is not None:
                self._connect(container, wanted)
            if step.refresh and wanted is not None:
                self._furnish(container, wanted)
            elif found.never_started:
                # Whoever created it may have died before its files were in.
                self._complete(found, wanted)
        else:
            return
        if step.start:
            with self.engine.translating(f"starting container {step.container}"):
                if found is not None and found.process.get("Paused") and step.action != RECREATE:
                    api.unpause(container)
                if step.action != "connect" or not (found and found.running):
                    api.start(container)

    def _create(self, wanted: ContainerDefinition, name: str) -> str:
        payload = wanted.payload(self.request.cluster, self.request.network.name if self.request.network else None)

        def create(name: str) -> str:
            return str(self.engine.api.create_container_from_config(payload, name)["Id"])

        with self.engine.translating(f"creating container {wanted.name}"):
            if name != wanted.name:
                return create_for_a_moment(self.engine, self.owner, name, create)
            try:
                return create(name)
            except docker.errors.APIError as exc:
                # The Engine may still have been busy with the request of a run that was killed.
                left = inspected(self.engine, name) if exc.status_code == 409 else None
                if left is None or left.node != wanted.node or not self._is_own(left):
                    raise
                if not left.never_started:
                    raise EngineError(f"container {name}: {RIVAL}") from exc
                self._remove(left)
                return create(name)

    def _complete(self, found: ObservedContainer, wanted: t.Optional[ContainerDefinition]) -> None:
        """Make sure that a container that never started has its files."""
        if wanted is not None:
            self._furnish(found.id, wanted)
            return
        for path in file_digests(found.labels):
            if self.engine.mode_of(found.id, path) is None:
                raise EngineError(f"container {found.name} was made but its config file {path} was never written: deploy the node again")

    def _connect(self, container: str, wanted: ContainerDefinition) -> None:
        network = self.request.network
        if network is None:
            return
        found = inspected(self.engine, container)
        if found is not None and found.endpoint(network.name) is not None:
            # A network of this name that is gone could not be left before there was a new one.
            self._disconnect(found, network.name)
        address = wanted.network_ip or ""
        with self.engine.translating(f"connecting container {wanted.name} to network {network.name}"):
            self.engine.api.connect_container_to_network(
                container,
                network.name,
                ipv4_address=address if address and ":" not in address else None,
                ipv6_address=address if ":" in address else None,
                aliases=list(wanted.aliases) or None,
            )

    def _disconnect(self, found: ObservedContainer, network: str) -> None:
        with self.engine.translating(f"disconnecting container {found.name}"):
            self._forgiving(404, lambda: self.engine.api.disconnect_container_from_network(found.id, network, force=True))

    def _furnish(self, container: str, wanted: ContainerDefinition) -> None:
        """Give new volumes to the container's user, and write its config files."""
        uid, gid = owner = wanted.owner or self._named_owner(container, wanted.user) or (0, 0)
        fresh = [volume for volume in wanted.volumes if self._is_own_new(volume, wanted)] if owner != (0, 0) else []
        folders: t.Dict[str, t.List[File]] = {}
        for file in wanted.files:
            place = wanted.mount_of(file.path)
            root = place.target if isinstance(place, Volume) else "/"
            relative = posixpath.relpath(file.path, root)
            entries = folders.setdefault(root, [])
            for parent in parents(relative):
                # An existing folder keeps its owner and mode.
                known = any(entry.path == f"{parent}/" for entry in entries)
                if not known and self.engine.mode_of(container, posixpath.join(root, parent)) is None:
                    entries.append(File(f"{parent}/", b"", 0o755, uid, gid))
            entries.append(File(relative, file.content.encode(), int(file.mode, 8), uid, gid))
        # What the container may only read is written from elsewhere, and new volumes are handed over there too.
        closed = {volume.target: volume for volume in wanted.volumes if volume.read_only and volume.target in folders}
        if fresh or closed:
            self._furnish_volumes(container, wanted, owner, fresh, {volume: folders.pop(target) for target, volume in closed.items()})
        for root, entries in folders.items():
            self.engine.put(container, root, entries)

    def _is_own_new(self, volume: Volume, wanted: ContainerDefinition) -> bool:
        """Whether a volume was made with this container, by this run or by one that died before it could hand it over."""
        if volume.read_only:
            return False
        known = self.observed.volumes.get(volume.name)
        if known is None:
            return True
        return any(
            one.name == wanted.name and one.never_started and known.labels.get(labels.NODE) == wanted.node
            for one in self.observed.containers
        )

    def _named_owner(self, container: str, user: t.Optional[str]) -> t.Optional[t.Tuple[int, int]]:
        """Uid and gid of a user that is given by name, as the files of its image have it."""
        if not user:
            return None
        tables = ((file.content.decode(errors="replace") for file in self.engine.get(container, path)) for path in (PASSWD, GROUP))
        passwd, group = (next(table, "") for table in tables)
        return named_owner(user, passwd, group)

    def _furnish_volumes(
        self,
        container: str,
        wanted: ContainerDefinition,
        owner: t.Tuple[int, int],
        fresh: t.Sequence[Volume],
        files: t.Mapping[Volume, t.Sequence[File]],
    ) -> None:
        """Make ``owner``, the container's user, the owner of the root folders of the ``fresh`` volumes, and write ``files`` into volumes.

        The Engine writes an owner only for folders inside of what it unpacks into, and into nothing on a read-only root. So a
        helper that never starts mounts the volumes below a writable root.
        """
        uid, gid = owner
        name = f"{wanted.name}-owner"
        api = self.engine.api
        entries = []
        mounts = []
        for position, volume in enumerate([*fresh, *files]):
            place = f"volumes/{position}"
            if volume in fresh:
                mode = self.engine.mode_of(container, volume.target)
                entries.append(File(f"{place}/", b"", 0o755 if mode is None else mode, uid, gid))
            entries += [replace(file, path=f"{place}/{file.path}") for file in files.get(volume, ())]
            mounts.append({"Type": "volume", "Source": volume.name, "Target": f"/{place}", "VolumeOptions": {"NoCopy": True}})
        payload = {
            "Image": wanted.image,
            "Cmd": ["true"],
            "Labels": {**wanted.own_labels(self.request.cluster, "oneoff")},
            "NetworkDisabled": True,
            "HostConfig": {"Mounts": mounts, "NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]},
        }
        with self.engine.translating(f"filling the volumes of {wanted.name}"):
            for left in self.observed.containers:
                if not left.is_node and is_for_a_moment(left.name, name):
                    self._remove(left)

            def create(name: str) -> str:
                return str(api.create_container_from_config(payload, name)["Id"])

            helper = create_for_a_moment(self.engine, self.owner, name, create)
            try:
                self.engine.put(helper, "/", entries)
            finally:
                api.remove_container(helper, v=True, force=True)

    # Networks and volumes

    def _network(self, step: ThingStep) -> bool:
        if step.action == REMOVE:
            return self._remove_network(step.name)
        if step.action == RECREATE and not self._remove_network(step.name):
            raise EngineError(f"network {step.name}: {MISCOUNTED}")
        if step.network is not None:
            with self.engine.translating(f"creating network {step.name}"):
                try:
                    self.engine.api.create_network(**step.network.payload(self.request.cluster))
                except docker.errors.APIError as exc:
                    # As with containers: a run that was killed may have asked for it a moment ago. Its name (409) or its subnet (403) is
                    # taken before the Engine shows it.
                    if exc.status_code not in (403, 409) or not self._appears(step.network):
                        raise
            if step.action == CREATE:
                self._made_networks.append(step.name)
        return True

    def _appears(self, wanted: NetworkDefinition) -> bool:
        """Whether our network is there within a moment, as it is wanted."""
        deadline = time.monotonic() + LEAVE_PATIENCE
        while True:
            with contextlib.suppress(docker.errors.NotFound):
                found = ObservedNetwork(self.engine.api.inspect_network(wanted.name))
                return labels.is_own(found.labels, self.request.cluster) and not network_changes(wanted, found)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def _is_own(self, found: ObservedContainer) -> bool:
        return self.owner.owns_inspected(found.inspect)

    def _remove_network(self, name: str) -> bool:
        """Remove a network; False when the Engine cannot, though nothing is in it (moby issue 42119)."""
        api = self.engine.api
        deadline = time.monotonic() + LEAVE_PATIENCE
        while True:
            with self.engine.translating(f"removing network {name}"):
                try:
                    self._forgiving(404, lambda: api.remove_network(name))
                    return True
                except docker.errors.APIError as exc:
                    if "active endpoints" not in str(exc) or api.inspect_network(name).get("Containers"):
                        raise
            if time.monotonic() > deadline:
                self.applied.warnings.append(f"network {name} is left behind, empty: {MISCOUNTED}")
                return False
            time.sleep(0.2)

    def _remove_volume(self, step: ThingStep) -> bool:
        with self.engine.translating(f"removing volume {step.name}"):
            self._forgiving(404, lambda: self.engine.api.remove_volume(step.name))
        return True

    # Afterwards

    def _roll_back(self) -> None:
        """Remove what this run created; what it recreated stays."""
        made = [outcome for outcome in self.applied.outcomes if outcome.made and outcome.step.action == CREATE]

        def remove(outcome: Outcome) -> None:
            found = inspected(self.engine, str(outcome.made))
            if found is not None:
                self._stop(found, self._grace(outcome.step, found))
                self._remove(found)

        def attempt(kind: str, name: str, work: t.Callable[[], t.Optional[bool]]) -> None:
            try:
                if work() is not False:
                    self.applied.rolled_back.append(f"{kind} {name}")
            except ClusterError as exc:
                self.applied.leftovers.append(f"{kind} {name}: {exc.message}")

        each(made, lambda one: attempt("container", one.step.container, lambda: remove(one)), self.request.concurrency)
        nodes = {outcome.step.node for outcome in made}
        for step in self.plan.volumes:
            if step.action == CREATE and step.node in nodes:
                attempt("volume", step.name, lambda step=step: self._remove_volume(step))  # type: ignore[misc]
        for network in self._made_networks:
            if all(outcome.step.action not in (RECREATE, "connect", RESTART, "start") for outcome in self.applied.outcomes):
                attempt("network", network, lambda network=network: self._remove_network(network))  # type: ignore[misc]

    def _look_again(self) -> None:
        """Note how every container is afterwards."""

        def look(outcome: Outcome) -> None:
            step = outcome.step
            if step.action == NONE:
                outcome.final = step.observed
                return
            if not step.container:
                return
            outcome.final = step.observed
            with contextlib.suppress(ClusterError):
                found = inspected(self.engine, step.container)
                outcome.final = found if found is not None and self._is_own(found) else None

        each(self.applied.outcomes, look, self.request.concurrency)

    def _forgiving(self, status: int, work: t.Callable[[], t.Any]) -> None:
        """Do ``work``; the Engine answering ``status`` is as good as success."""
        try:
            work()
        except Exception as exc:
            if getattr(getattr(exc, "response", None), "status_code", None) != status:
                raise


def parents(relative: str) -> t.List[str]:
    """The folders above a relative path, outermost first."""
    found: t.List[str] = []
    folder = posixpath.dirname(relative)
    while folder:
        found.insert(0, folder)
        folder = posixpath.dirname(folder)
    return found


def plain(message: str, step: Step, holder: t.Optional[str] = None) -> str:
    """An Engine's error about one container in the user's words where we know them; ``holder`` has its port."""
    taken = TAKEN.search(message)
    if taken and holder:
        return f"host port {taken.group(1) or taken.group(2)} {holder}"
    if taken:
        return f"host port {taken.group(1) or taken.group(2)} is taken by another program: end it, or choose another host port"
    if "Address already in use" in message and step.definition is not None and step.definition.network_ip:
        address = step.definition.network_ip
        return f"address {address} is taken by another container of the network: disconnect that one, or choose another address"
    if '"docker-init"' in message:
        return "the Docker host has no docker-init: install it (it comes with Docker, or as package tini), or set init: false"
    return message
