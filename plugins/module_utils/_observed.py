# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a Docker host, as frozen data, and how its states are named."""

from __future__ import annotations

import re
import signal
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner

# The states of a node. ABSENT has no container.
STOPPED, STARTING, RUNNING, UNHEALTHY, ERROR, ABSENT = "stopped", "starting", "running", "unhealthy", "error", "absent"

# How the Engine names a volume that nobody named.
NAMELESS = re.compile(r"[0-9a-f]{64}\Z")

# How the Engine writes a time that never was, and how long it waits when a container does not say.
NEVER = "0001-"
ENGINE_GRACE = 10

# A process that ended by itself, was killed by the Engine after the grace time, or obeyed SIGTERM.
ORDINARY_EXITS = frozenset({0, 128 + signal.SIGKILL, 128 + signal.SIGTERM})


def state_of(inspect: t.Optional[t.Mapping[str, t.Any]]) -> str:
    """Name the state of a container: ``stopped``, ``starting``, ``running``, ``unhealthy``, ``error`` or ``absent``.

    ``inspect`` is what the Engine's container inspection returns; nothing means that there is no container.
    """
    if not inspect:
        return ABSENT
    state = inspect.get("State") or {}
    status = state.get("Status") or ""
    if status in ("dead", "restarting") or state.get("Dead") or state.get("Restarting"):
        return ERROR
    if status == "paused" or state.get("Paused"):
        return UNHEALTHY
    if status == "running" or state.get("Running"):
        health = (state.get("Health") or {}).get("Status")
        return {"starting": STARTING, "unhealthy": UNHEALTHY}.get(health or "", RUNNING)
    # What is left does not run: created, exited, removing.
    if state.get("Error") or state.get("OOMKilled"):
        return ERROR
    return STOPPED if state.get("ExitCode", 0) in ordinary_exits(inspect) else ERROR


def ordinary_exits(inspect: t.Mapping[str, t.Any]) -> t.FrozenSet[int]:
    """Exit codes of a container that was stopped on purpose, its own stop signal included."""
    name = str((inspect.get("Config") or {}).get("StopSignal") or "")
    if name.isdigit():
        return ORDINARY_EXITS | {128 + int(name)}
    number = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None) if name else None
    return ORDINARY_EXITS | {128 + number} if isinstance(number, int) else ORDINARY_EXITS


@dataclass(frozen=True)
class ObservedContainer:
    """One of our containers; ``inspect`` is the Engine's inspection of it."""

    name: str
    inspect: t.Mapping[str, t.Any]

    @property
    def id(self) -> str:
        """The Engine's id."""
        return str(self.inspect["Id"])

    @property
    def labels(self) -> t.Mapping[str, str]:
        """Its labels."""
        return self.config.get("Labels") or {}

    @property
    def node(self) -> str:
        """The node that it belongs to; its own name when it belongs to none."""
        return self.labels.get(labels.NODE) or self.name

    @property
    def is_node(self) -> bool:
        """Whether it is a node, not a one-off helper."""
        return self.labels.get(labels.KIND) == "node"

    @property
    def config(self) -> t.Mapping[str, t.Any]:
        """What it was created with."""
        return self.inspect.get("Config") or {}

    @property
    def host_config(self) -> t.Mapping[str, t.Any]:
        """What it was created with on the host's side."""
        return self.inspect.get("HostConfig") or {}

    @property
    def process(self) -> t.Mapping[str, t.Any]:
        """The Engine's account of its process."""
        return self.inspect.get("State") or {}

    @property
    def state(self) -> str:
        """The state of its node."""
        return state_of(self.inspect)

    @property
    def running(self) -> bool:
        """Whether it has a process, or will be given one again; true in a restart loop and when paused."""
        return bool(self.process.get("Running") or self.process.get("Restarting") or self.process.get("Paused"))

    @property
    def never_started(self) -> bool:
        """Whether no process of it ever ran, so that its files may be missing."""
        return not self.running and str(self.process.get("StartedAt") or NEVER).startswith(NEVER)

    @property
    def image_id(self) -> str:
        """Id of the image it was made from."""
        return str(self.inspect.get("Image") or "")

    @property
    def stop_grace(self) -> int:
        """Seconds that its process gets to end."""
        grace = self.config.get("StopTimeout")
        return ENGINE_GRACE if grace is None else int(grace)

    @property
    def host_ports(self) -> t.FrozenSet[t.Tuple[str, int, str]]:
        """(address, host port, protocol) of what it publishes when it runs."""
        found = set()
        for key, places in (self.host_config.get("PortBindings") or {}).items():
            for place in places or []:
                if str(place.get("HostPort") or "").isdigit():
                    found.add((place.get("HostIp") or "0.0.0.0", int(place["HostPort"]), key.partition("/")[2] or "tcp"))
        return frozenset(found)

    @property
    def nameless(self) -> t.Dict[str, str]:
        """Path -> name of its volumes that only the Engine named, as it does for the ``VOLUME`` of an image.

        Those below a tmpfs hold nothing.
        """
        hidden = self.host_config.get("Tmpfs") or {}
        return {
            str(mount["Destination"]): str(mount["Name"])
            for mount in self.inspect.get("Mounts") or []
            if mount.get("Type") == "volume" and NAMELESS.match(str(mount.get("Name"))) and mount.get("Destination") not in hidden
        }

    @property
    def mounted(self) -> t.FrozenSet[str]:
        """Names of its volumes."""
        return frozenset(str(mount.get("Name")) for mount in self.inspect.get("Mounts") or [] if mount.get("Type") == "volume")

    def endpoint(self, network: str) -> t.Optional[t.Mapping[str, t.Any]]:
        """Its settings in ``network``; None when it is not attached to it."""
        found: t.Optional[t.Mapping[str, t.Any]] = ((self.inspect.get("NetworkSettings") or {}).get("Networks") or {}).get(network)
        return found


@dataclass(frozen=True)
class ObservedNetwork:
    """A network of the Engine, ours or not; ``raw`` is an entry of the Engine's list."""

    raw: t.Mapping[str, t.Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw.get("Name"))

    @property
    def id(self) -> str:
        """The Engine's id."""
        return str(self.raw.get("Id"))

    @property
    def labels(self) -> t.Mapping[str, str]:
        """Its labels."""
        return self.raw.get("Labels") or {}

    @property
    def driver(self) -> str:
        """Its driver."""
        return str(self.raw.get("Driver"))

    @property
    def pools(self) -> t.List[t.Mapping[str, str]]:
        """Its ``Subnet`` and ``Gateway`` pairs."""
        return list((self.raw.get("IPAM") or {}).get("Config") or [])


@dataclass(frozen=True)
class ObservedVolume:
    """A volume of the Engine, ours or not."""

    name: str
    labels: t.Mapping[str, str]


@dataclass(frozen=True)
class Observed:
    """What a plan needs to know of a Docker host."""

    containers: t.Tuple[ObservedContainer, ...] = ()
    networks: t.Tuple[ObservedNetwork, ...] = ()
    volumes: t.Mapping[str, ObservedVolume] = field(default_factory=dict)
    # Image name -> id; None when it is not there.
    images: t.Mapping[str, t.Optional[str]] = field(default_factory=dict)
    # Image name -> the paths for which it asks for a volume; only of images that are there.
    image_volumes: t.Mapping[str, t.Tuple[str, ...]] = field(default_factory=dict)


def observe(
    engine: Engine, cluster: str, images: t.Iterable[str], volumes: bool, concurrency: int = 8, expected: t.Iterable[str] = ()
) -> Observed:
    """Look at the objects of ``cluster``, at all networks, at ``images``, and (if ``volumes``) at all volumes.

    ``expected`` are the names of the containers that the cluster is to have.
    """
    api = engine.api
    listed = Owner(engine, cluster, expected).list()
    with engine.translating("listing networks"):
        networks = api.networks()
    known: t.Dict[str, ObservedVolume] = {}
    if volumes:
        with engine.translating("listing volumes"):
            for item in api.volumes().get("Volumes") or []:
                known[item["Name"]] = ObservedVolume(item["Name"], item.get("Labels") or {})
    containers = each([item["Id"] for item in listed], lambda one: inspected(engine, one), concurrency)
    found = {image: engine.image(image) for image in sorted(set(images))}
    return Observed(
        containers=tuple(sorted((one for one in containers if one is not None), key=lambda one: one.name)),
        networks=tuple(ObservedNetwork(item) for item in networks),
        volumes=known,
        images={image: None if data is None else str(data["Id"]) for image, data in found.items()},
        image_volumes={image: tuple((data.get("Config") or {}).get("Volumes") or ()) for image, data in found.items() if data is not None},
    )


def inspected(engine: Engine, container: str) -> t.Optional[ObservedContainer]:
    """The container with this id or name; None when there is none (any more)."""
    data = engine.inspect(container)
    return None if data is None else ObservedContainer(str(data["Name"]).lstrip("/"), data)
