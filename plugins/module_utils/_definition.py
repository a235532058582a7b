# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted, as frozen data: container, network and their form in the Engine's API.

_parse.py makes these from plain data.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar
from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import aspects


@dataclass(frozen=True)
class Port:
    """A port of a container; ``host`` is None when it is not published."""

    container: int
    host: t.Optional[int] = None
    address: str = "127.0.0.1"
    protocol: str = "tcp"

    @property
    def key(self) -> str:
        """The Engine's name of the port, such as ``8545/tcp``."""
        return f"{self.container}/{self.protocol}"

    @property
    def published(self) -> str:
        """Where it is published, such as ``127.0.0.1:8545``; the protocol is added unless it is tcp."""
        suffix = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{grammar.authority(self.address, self.host or 0)}{suffix}"


@dataclass(frozen=True)
class Volume:
    """A named volume and where it is mounted. A ``nameless`` one was named by the Engine, and has no labels of ours."""

    name: str
    target: str
    read_only: bool = False
    nameless: bool = False


@dataclass(frozen=True)
class Bind:
    """A file or folder of the Docker host and where it is mounted."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Device:
    """A device of the Docker host, where the container sees it, and with which rights (of ``rwm``)."""

    source: str
    target: str
    rights: str = "rwm"


@dataclass(frozen=True)
class ConfigFile:
    """A file that is written into the container before it starts; ``mode`` is octal text such as ``0644``."""

    path: str
    content: str
    mode: str = "0644"
    secret: bool = False

    @property
    def shown(self) -> bool:
        """Whether a diff may show its text."""
        return not self.secret and readable_by_all(int(self.mode, 8))

    def digest(self, salt: str) -> str:
        """``salt:sha256`` of salt, mode and content: changing either of the last two needs a new container.

        Labels can be read by whoever may use the Engine; the salt keeps a short secret from being looked up by its digest.
        Without salt it is what earlier versions wrote.
        """
        text = f"{int(self.mode, 8):o}\n{self.content}"
        digest = hashlib.sha256(f"{salt}{text}".encode()).hexdigest()
        return f"{salt}:{digest}" if salt else digest


def readable_by_all(mode: int) -> bool:
    """Whether every user may read a file of this mode."""
    return bool(mode & 0o004)


def salt_of(digest: str) -> str:
    """The salt of a digest that a label holds; empty for one of an earlier version."""
    return digest.rpartition(":")[0]


@dataclass(frozen=True)
class NetworkDefinition:
    """The network of a cluster on one Docker host. An ``external`` one must exist and is left alone.

    ``id`` is that of an external network of a swarm, which an Engine that is no manager only shows while a container is in it.
    """

    name: str
    subnet: t.Optional[str] = None
    gateway: t.Optional[str] = None
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    options: t.Mapping[str, str] = field(default_factory=dict)
    external: bool = False
    id: t.Optional[str] = None

    def payload(self, cluster: str) -> t.Dict[str, t.Any]:
        """Arguments for the SDK's ``create_network``."""
        pool = {key: value for key, value in (("Subnet", self.subnet), ("Gateway", self.gateway)) if value}
        return {
            "name": self.name,
            "driver": self.driver,
            "options": dict(self.options) or None,
            "ipam": {"Driver": "default", "Config": [pool]} if pool else None,
            "check_duplicate": True,
            "internal": self.internal,
            "attachable": self.attachable or None,
            "enable_ipv6": ":" in (self.subnet or ""),
            "labels": labels.own(cluster, "network"),
        }


def named_owner(user: str, passwd: str, group: str) -> t.Optional[t.Tuple[int, int]]:
    """Uid and gid of ``user`` (``name`` or ``name:group``) in the text of /etc/passwd and /etc/group; None when they are not there."""
    name, _colon, group_name = user.partition(":")
    users, groups = ({row[0]: row for row in _rows(text)} for text in (passwd, group))
    row = users.get(name) or next((row for row in users.values() if row[2] == name), None)
    uid = row[2] if row else name
    gid = group_name or (row[3] if row else "0")
    if group_name in groups:
        gid = groups[group_name][2]
    return (int(uid), int(gid)) if uid.isdigit() and gid.isdigit() else None


def _rows(text: str) -> t.List[t.List[str]]:
    """The rows of such a file that have a number."""
    rows = (line.split(":") for line in text.splitlines())
    return [row for row in rows if len(row) > 3 and row[2].isdigit()]


@dataclass(frozen=True)
class ContainerDefinition:
    """The complete desired state of one container. None means: what the image or the Engine gives."""

    name: str
    node: str
    image: str
    role: str = ""
    flavor: str = ""
    command: t.Optional[t.Tuple[str, ...]] = None
    entrypoint: t.Optional[t.Tuple[str, ...]] = None
    env: t.Mapping[str, str] = field(default_factory=dict)
    user: t.Optional[str] = None
    hostname: t.Optional[str] = None
    network_ip: t.Optional[str] = None
    aliases: t.Tuple[str, ...] = ()
    ports: t.Tuple[Port, ...] = ()
    volumes: t.Tuple[Volume, ...] = ()
    tmpfs: t.Mapping[str, str] = field(default_factory=dict)
    files: t.Tuple[ConfigFile, ...] = ()
    labels: t.Mapping[str, str] = field(default_factory=dict)
    nanocpus: t.Optional[int] = None
    memory: t.Optional[int] = None
    pids: t.Optional[int] = None
    cap_add: t.Tuple[str, ...] = ()
    read_only: bool = True
    init: bool = True
    restart: str = "unless-stopped"
    restart_tries: int = 0
    stop_grace: int = 30
    stop_signal: t.Optional[str] = None
    health: t.Optional[t.Mapping[str, t.Any]] = None
    log: t.Mapping[str, str] = field(default_factory=dict)
    ulimits: t.Mapping[str, t.Tuple[int, int]] = field(default_factory=dict)
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    extra_hosts: t.Mapping[str, str] = field(default_factory=dict)
    working_dir: t.Optional[str] = None
    shm_size: t.Optional[int] = None
    group_add: t.Tuple[str, ...] = ()
    security_opt: t.Tuple[str, ...] = ()
    devices: t.Tuple[Device, ...] = ()
    # How many GPUs (-1: all), and which.
    gpus: t.Optional[t.Tuple[int, t.Tuple[str, ...]]] = None
    binds: t.Tuple[Bind, ...] = ()
    genesis: t.Optional[str] = None
    # The spec that it is made from now; not compared.
    origin: t.Optional[str] = None

    @property
    def owner(self) -> t.Optional[t.Tuple[int, int]]:
        """Uid and gid of the user when they are given as numbers."""
        uid, _colon, gid = (self.user or "").partition(":")
        if not uid.isdigit() or (gid and not gid.isdigit()):
            return None
        return int(uid), int(gid or uid)

    def own_labels(self, cluster: str, kind: str) -> t.Dict[str, str]:
        """The labels of this node's objects."""
        more = {"node": self.node, "role": self.role, "flavor": self.flavor}
        if self.genesis:
            more["genesis"] = self.genesis
        if self.origin:
            more["origin"] = self.origin
        return labels.own(cluster, kind, **{key: value for key, value in more.items() if value})

    def mount_of(self, path: str) -> t.Optional[t.Union[Volume, Bind, str]]:
        """What ``path`` lies on: a volume, a bind mount, the target of a tmpfs, or None for the root file system."""
        places: t.Dict[str, t.Union[Volume, Bind, str]] = {target: target for target in self.tmpfs}
        places.update({bind.target: bind for bind in self.binds})
        places.update({volume.target: volume for volume in self.volumes})
        return next((places[place] for place in grammar.parents(path) if place in places), None)

    def payload(self, cluster: str, network: t.Optional[str], salt: t.Optional[t.Callable[[str], str]] = None) -> t.Dict[str, t.Any]:
        """The body of the Engine's request to create this container, attached to ``network``.

        ``salt`` gives the salt for the digest of the config file at a path; by default it is random.
        """
        all_labels = {**self.labels, **self.own_labels(cluster, "node"), labels.CONTAINER: self.name}
        if self.files:
            random = secrets.token_hex(16)
            digests = {file.path: file.digest(salt(file.path) if salt else random) for file in self.files}
            all_labels[labels.FILES] = json.dumps(digests, sort_keys=True)
        host: t.Dict[str, t.Any] = {
            "ReadonlyRootfs": self.read_only,
            "Init": self.init,
            "CapDrop": ["ALL"],
            "SecurityOpt": self.security_options(),
            "RestartPolicy": {"Name": self.restart, "MaximumRetryCount": self.restart_tries},
            "LogConfig": {"Type": "json-file", "Config": dict(self.log)},
        }
        config: t.Dict[str, t.Any] = {"Image": self.image, "Labels": all_labels, "StopTimeout": self.stop_grace, "HostConfig": host}
        optional: t.Dict[str, t.Any] = {
            "Cmd": None if self.command is None else list(self.command),
            "Entrypoint": None if self.entrypoint is None else list(self.entrypoint),
            "Env": [f"{key}={value}" for key, value in self.env.items()] or None,
            "User": self.user,
            "Hostname": self.hostname,
            "WorkingDir": self.working_dir,
            "StopSignal": self.stop_signal,
            "Healthcheck": dict(self.health) if self.health else None,
            "ExposedPorts": {port.key: {} for port in self.ports} or None,
        }
        config.update({key: value for key, value in optional.items() if value is not None})
        bindings: t.Dict[str, t.List[t.Dict[str, str]]] = {}
        for port in self.ports:
            if port.host is not None:
                bindings.setdefault(port.key, []).append({"HostIp": port.address, "HostPort": str(port.host)})
        optional = {
            "PortBindings": bindings,
            # The Engine makes a missing volume together with its container, so there is no moment with only one of them.
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": volume.name,
                    "Target": volume.target,
                    "ReadOnly": volume.read_only,
                    "VolumeOptions": {"Labels": self.own_labels(cluster, "volume")},
                }
                for volume in self.volumes
            ]
            + [{"Type": "bind", "Source": bind.source, "Target": bind.target, "ReadOnly": bind.read_only} for bind in self.binds],
            "Tmpfs": dict(self.tmpfs),
            "CapAdd": list(self.cap_add),
            "Memory": self.memory,
            # Without it the Engine lets a container swap as much again. It is no aspect: what runs is not made anew for it.
            "MemorySwap": self.memory,
            "NanoCpus": self.nanocpus,
            "PidsLimit": self.pids,
            "Ulimits": [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in sorted(self.ulimits.items())],
            "Sysctls": dict(self.sysctls),
            "ExtraHosts": [f"{name}:{address}" for name, address in sorted(self.extra_hosts.items())],
            "NetworkMode": network,
            "ShmSize": self.shm_size,
            "GroupAdd": list(self.group_add),
            "Devices": [
                {"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.rights}
                for device in self.devices
            ],
            "DeviceRequests": self.device_requests(),
        }
        host.update({key: value for key, value in optional.items() if value})
        if network:
            config["NetworkingConfig"] = {"EndpointsConfig": {network: self.endpoint()}}
        # What is defined now; a later definition that leaves something out can tell that it was once set.
        all_labels[labels.DEFINED] = json.dumps(sorted(aspects(config, host)))
        return config

    def security_options(self) -> t.List[str]:
        """The Engine's security options. No process gets new privileges, unless the definition says that it may."""
        given = [option for option in self.security_opt if not option.startswith("no-new-privileges")]
        return [*([] if "no-new-privileges=false" in self.security_opt else ["no-new-privileges"]), *given]

    def device_requests(self) -> t.List[t.Dict[str, t.Any]]:
        """The Engine's form of a request for GPUs."""
        if self.gpus is None:
            return []
        count, ids = self.gpus
        return [{"Driver": "", "Count": count, "DeviceIDs": list(ids) or None, "Capabilities": [["gpu"]], "Options": {}}]

    def endpoint(self) -> t.Dict[str, t.Any]:
        """The settings with which this container joins the network of its cluster."""
        settings: t.Dict[str, t.Any] = {"Aliases": list(self.aliases)}
        if self.network_ip:
            family = "IPv6Address" if ":" in self.network_ip else "IPv4Address"
            settings["IPAMConfig"] = {family: self.network_ip}
        return settings
