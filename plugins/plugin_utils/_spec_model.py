# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a cluster spec: which keys there are and what each may hold.

It sees one key at a time. What depends on several places (clashes, unknown Docker hosts) is checked when the spec is
resolved. The JSON Schema in docs/spec.schema.json is made from it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_values import (
    Absolute,
    Anything,
    Capability,
    ConditionValue,
    Cpus,
    Device,
    EnvName,
    Gpus,
    Group,
    HealthTest,
    HostAddress,
    Hostname,
    HostPath,
    ImageName,
    Ip,
    LabelKey,
    LogSize,
    Memory,
    MemoryLimit,
    Mode,
    Name,
    Pids,
    Port,
    PortOrName,
    Prefix,
    Restart,
    Role,
    Seconds,
    SecurityOption,
    SharedMemory,
    Signal,
    Subnet,
    Sysctl,
    Text,
    Tmpfs,
    Ulimit,
    UlimitName,
    User,
    Variables,
    Where,
    WholeSeconds,
    Words,
    WorkingDir,
    as_meant,
    bind_entry,
    empty,
    image_entry,
    port_entry,
    volume_entry,
    wrong,
)

# Each label makes a group, and Ansible takes minutes for some ten thousand of them.
MOST_ENTRIES = 1000
# Nodes are counted with their ranges; the rest is for others.
COUNTED_ELSEWHERE = ("nodes", "config", "assemble")


def _bare(annotation: t.Any) -> t.Any:
    """``annotation`` without Optional."""
    return (
        next((one for one in t.get_args(annotation) if one is not type(None)), None) if t.get_origin(annotation) is t.Union else annotation
    )


class Model(BaseModel):
    """Base of every mapping in a spec: no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: t.Any, info: t.Any) -> t.Any:
        """Numbers and choices that people read otherwise than YAML does; nothing of a size that is an accident."""
        if isinstance(value, (dict, list)) and len(value) > MOST_ENTRIES and info.field_name not in COUNTED_ELSEWHERE:
            raise wrong(f"{len(value):,} entries, more than the {MOST_ENTRIES:,} that one key may have; leave some out")
        return as_meant(value, _bare(cls.model_fields[info.field_name].annotation))


class PortEntry(Model):
    """One port of a node. A number is this host port; "8080:80" is host port 8080 and container port 80."""

    container: t.Optional[Port] = Field(None, description="Port that the software listens on. Default: the flavor's, or host.")
    host: t.Optional[Port] = Field(None, description="Port on the Docker host. null: not published.")
    base: t.Optional[Port] = Field(
        None, description="Instead of host: the host port is this + the role's port_offset + the node's ordinal."
    )
    address: t.Optional[Ip] = Field(None, description="Address of the Docker host to listen on. Default: 127.0.0.1.")
    protocol: t.Optional[t.Literal["tcp", "udp"]] = Field(None, description="Default: tcp.")


class Volume(Model):
    """A volume of the node's own. "data:/data:ro" is the same in one line."""

    name: Name = Field(description="Name; the volume is called <container name>-<name>.")
    target: Absolute = Field(description="Where the container sees it.")
    read_only: bool = Field(False, description="Whether the container may only read it.")


class Bind(Model):
    """A file or folder of the Docker host. "/srv/data:/data:rw" is the same in one line, read-only without :rw."""

    source: HostPath = Field(description="Absolute path on the Docker host; it must be there.")
    target: Absolute = Field(description="Where the container sees it.")
    read_only: bool = Field(True, description="Whether the container may only read it.")


class Log(Model):
    """Rotation of the container's log."""

    max_size: t.Optional[LogSize] = Field(None, description="Size of one file. Default: 10m.")
    max_file: t.Optional[int] = Field(None, ge=1, le=1000, description="How many files are kept. Default: 3.")


class File(Model):
    """A text file that is put into the container."""

    path: Absolute = Field(description="Path in the container, below a volume.")
    content: str = Field(description="The text.")
    mode: t.Optional[Mode] = Field(None, description="File mode, in quotes. Default: 0644; 0400 for a secret.")
    secret: bool = Field(False, description="Whether it is a secret: mode 0400, and never in a diff.")


class Resources(Model):
    """Limits of the container; each may be unlimited."""

    cpus: t.Optional[Cpus] = Field(None, description="CPUs, for example 0.5.")
    memory: t.Optional[MemoryLimit] = Field(None, description="Memory, for example 512m.")
    pids: t.Optional[Pids] = Field(None, description="Processes and threads.")


class Health(Model):
    """Health check of the container, run by the Engine."""

    test: HealthTest = Field(description="A shell line, or a list of words.")
    interval: t.Optional[Seconds] = Field(None, description="Time between two checks.")
    timeout: t.Optional[Seconds] = Field(None, description="Time that one check may take.")
    retries: t.Optional[int] = Field(None, ge=1, le=1000, description="Failures in a row that make the container unhealthy.")
    start_period: t.Optional[Seconds] = Field(None, description="Time after the start in which failures do not count.")


class Probe(Model):
    """How to ask a node: by port (a name in ports, or a container port), by url, or by command."""

    type: t.Literal["eth", "cometbft", "http", "tcp", "exec"] = Field(
        description="eth: Ethereum JSON-RPC; cometbft: RPC of CometBFT; http; tcp; exec: a command in the container."
    )
    port: t.Optional[PortOrName] = Field(None, description="Name of one of the node's ports, or a container port.")
    path: t.Optional[str] = Field(None, description="Path of the URL (http).")
    url: t.Optional[str] = Field(None, description="The whole URL, instead of port and path.")
    status: t.Optional[int] = Field(None, ge=100, le=599, description="Expected HTTP status (http). Default: 200.")
    command: t.Optional[Words] = Field(None, description="Command that exits with 0 (exec).")
    timeout: t.Optional[Seconds] = Field(None, description="Time that one question may take.")


class Condition(Model):
    """A named condition, such as {is: height_at_least, value: 2}."""

    is_: Name = Field(alias="is", description="Name of the condition.")
    value: t.Optional[ConditionValue] = Field(None, description="What it compares with. $chain_id and $quorum_peers are filled in.")
    probe: t.Optional[Name] = Field(None, description="Name of the probe whose answer counts.")


class Ready(Model):
    """When the node counts as ready. Each key replaces what the flavor says."""

    probes: t.Optional[t.Dict[Name, Probe]] = Field(None, description="Name to probe.")
    conditions: t.Optional[t.List[Condition]] = Field(None, description="All must hold. Default for own probes: each of them succeeds.")
    together: t.Optional[t.List[Condition]] = Field(None, description="Conditions over all nodes at once.")
    timeout: t.Optional[Seconds] = Field(None, description="Time after which the wait is given up.")
    stable: t.Optional[Seconds] = Field(None, le=3600, description="Time that the container must have been running without an end.")
    crash_loop: t.Optional[Seconds] = Field(None, le=3600, description="Time that it may restart again and again. Default: 10 s.")


class Image(Model):
    """Where a node's image comes from. A text is the name of an image to pull."""

    source: t.Literal["assemble", "pull", "build", "load", "present"] = Field(description="How the image gets onto the Docker host.")
    name: t.Optional[ImageName] = Field(None, description="Name and tag. Default: the flavor's, if it has one.")
    always: t.Optional[bool] = Field(None, description="Look again (pull), build again or assemble again even when the image is there.")
    context: t.Optional[str] = Field(None, description="Folder with the Dockerfile, relative to the spec (build).")
    dockerfile: t.Optional[str] = Field(None, description="The Dockerfile, relative to context (build).")
    args: t.Optional[t.Dict[EnvName, Text]] = Field(None, description="Build arguments, no secrets (build).")
    target: t.Optional[str] = Field(None, description="Stage of the Dockerfile (build).")
    archive: t.Optional[str] = Field(None, description="File that docker save made, relative to the spec (load).")
    cache: t.Optional[str] = Field(None, description="Folder for downloads (assemble).")
    assemble: t.Optional[t.Dict[str, Anything]] = Field(None, description="What the image is made from; see the module image (assemble).")


ImageEntry = t.Annotated[Image, BeforeValidator(image_entry, json_schema_input_type=t.Union[str, Image])]
PortsEntry = t.Dict[Name, t.Annotated[PortEntry, BeforeValidator(port_entry, json_schema_input_type=t.Union[int, str, PortEntry])]]
BindEntry = t.Annotated[Bind, BeforeValidator(bind_entry, json_schema_input_type=t.Union[str, Bind])]
VolumeEntry = t.Annotated[Volume, BeforeValidator(volume_entry, json_schema_input_type=t.Union[str, Volume])]


class Storage(Model):
    """The node's data, for clearing them."""

    clear: t.List[Absolute] = Field(description="Folders in the container whose content is the node's data, below its volumes.")
    keep: t.List[Absolute] = Field([], description="What in them stays.")


class Placement(Model):
    """Which Docker hosts may carry the node."""

    labels: t.Dict[LabelKey, Text] = Field(description="Labels that the Docker host must have.")


class NodeFields(Model):
    """What can be said of a node: of one, of a range, of a role, or of all."""

    flavor: t.Optional[Name] = Field(None, description="The software that the node runs. Default: the spec's flavor.")
    host: t.Optional[Name] = Field(None, description="The Docker host that carries the node, one of hosts. Default: placed.")
    placement: t.Optional[Placement] = Field(None, description="Which Docker hosts may carry the node, when no host is named.")
    aliases: t.Optional[t.List[Name]] = Field(None, description="More names of the node in the cluster's network.")
    voting_power: t.Optional[int] = Field(None, ge=1, le=2**50, description="A validator's share in the decisions. Default: 1.")
    image: t.Optional[ImageEntry] = Field(None, description="The node's image. Default: the spec's, else the flavor's.")
    ports: t.Optional[PortsEntry] = Field(None, description="Ports by name.")
    command: t.Optional[Words] = Field(None, description="Command of the container.")
    entrypoint: t.Optional[Words] = Field(None, description="Entry point of the container.")
    env: t.Optional[t.Dict[EnvName, Text]] = Field(None, description="Environment variables. No secrets: docker inspect shows them.")
    user: t.Optional[User] = Field(None, description="User and group of the process.")
    volumes: t.Optional[t.List[VolumeEntry]] = Field(None, description="Volumes.")
    tmpfs: t.Optional[t.List[Tmpfs]] = Field(
        None, description="Folders in memory, with mount options behind a colon: /run:size=64m. Default: /tmp, with a read-only root."
    )
    files: t.Optional[t.List[File]] = Field(None, description="Files to put into the container.")
    labels: t.Optional[t.Dict[LabelKey, Text]] = Field(None, description="Labels of the container; each makes a group label_<key>_<value>.")
    resources: t.Optional[Resources] = Field(None, description="Limits.")
    ulimits: t.Optional[t.Dict[UlimitName, Ulimit]] = Field(None, description="Limits on each process, such as nofile, open files.")
    cap_add: t.Optional[t.List[Capability]] = Field(None, description="Linux capabilities to keep; all others are dropped.")
    read_only: t.Optional[bool] = Field(None, description="Whether the root filesystem is read-only. Default: true.")
    restart: t.Optional[Restart] = Field(None, description="When the Engine restarts the container. Default: unless-stopped.")
    stop_grace: t.Optional[WholeSeconds] = Field(
        None, description="Time to end before the container is killed, whole seconds. Default: 30 s."
    )
    stop_signal: t.Optional[Signal] = Field(None, description="Signal that asks the container to stop. Default: the image's.")
    init: t.Optional[bool] = Field(None, description="Whether an init passes signals on and reaps what children leave. Default: true.")
    hostname: t.Optional[Hostname] = Field(None, description="Host name inside the container. Default: the node's name.")
    extra_hosts: t.Optional[t.Dict[Hostname, Where]] = Field(
        None, description="Name to address, for the hosts file; host-gateway is the Docker host."
    )
    working_dir: t.Optional[WorkingDir] = Field(None, description="Folder that the process starts in. Default: the image's.")
    group_add: t.Optional[t.List[Group]] = Field(None, description="More groups of the process.")
    sysctls: t.Optional[t.Dict[Sysctl, Text]] = Field(None, description="Kernel parameters that the container has for itself.")
    shm_size: t.Optional[SharedMemory] = Field(None, description="Size of /dev/shm. Default: 64m.")
    log: t.Optional[Log] = Field(None, description="Rotation of the container's log.")
    security_opt: t.Optional[t.List[SecurityOption]] = Field(
        None, description="Security options; new privileges are off unless no-new-privileges=false."
    )
    devices: t.Optional[t.List[Device]] = Field(None, description="Devices of the Docker host.")
    gpus: t.Optional[Gpus] = Field(None, description="GPUs: all, a number, or device=0,1.")
    binds: t.Optional[t.List[BindEntry]] = Field(
        None, description="Files and folders of the Docker host; what may write there changes the Docker host."
    )
    health: t.Optional[Health] = Field(None, description="Health check.")
    ready: t.Optional[Ready] = Field(None, description="When the node counts as ready.")
    log_files: t.Optional[t.List[Absolute]] = Field(None, description="Log files in the container that count beside its output.")
    storage: t.Optional[Storage] = Field(None, description="The node's data, for clearing them. Default: the flavor's.")
    config: t.Optional[t.Dict[str, t.Any]] = Field(None, description="Settings of the flavor.")


class DefaultsFields(NodeFields):
    """Fields of all nodes that do not say otherwise."""

    role: t.Optional[Role] = Field(None, description="Role of the nodes that name none.")


class RoleFields(NodeFields):
    """Fields of all nodes of a role that do not say otherwise."""

    address_offset: t.Optional[int] = Field(None, ge=0, le=2**24, description="Where the role's addresses start in the subnet.")
    port_offset: t.Optional[int] = Field(None, ge=0, le=65535, description="How far the role's host ports start above a port's base.")


class NodeEntry(NodeFields):
    """A node, or a range of nodes."""

    role: t.Optional[Role] = Field(None, description="validator, fullnode, service or another. Default: the first role of the flavor.")
    container_name: t.Optional[Name] = Field(None, description="Default: container_prefix and the node's name.")
    network_ip: t.Optional[Ip] = Field(None, description="Address in the subnet. Default: allocated from role and ordinal.")
    rpc_port: t.Optional[Port] = Field(None, description="Host port of the port rpc.")
    metrics_port: t.Optional[Port] = Field(None, description="Host port of the port metrics.")
    p2p_port: t.Optional[Port] = Field(None, description="Host port of the port p2p.")
    inspection_port: t.Optional[Port] = Field(None, description="Host port of the port inspection.")
    config_dir: t.Optional[str] = Field(
        None, description="Folder with the node's ready config files, relative to the spec, for flavors that take them (gravity)."
    )


class Network(Model):
    """The cluster's network."""

    name: t.Optional[Name] = Field(None, description="Name of the Docker network. Default: the cluster's name.")
    subnet: Subnet = Field("172.20.0.0/24", description="IPv4 subnet.")
    gateway: t.Optional[Ip] = Field(None, description="Address of the gateway. Default: the first of the subnet.")
    chain_id: int = Field(1337, ge=1, le=2**53 - 1, description="EVM chain id.")
    driver: t.Literal["bridge", "overlay", "host_ports"] = Field(
        "bridge",
        description="bridge: a network of one Docker host. overlay: one network over all of them, on Docker's Swarm mode. "
        "host_ports: a bridge on each; nodes on other Docker hosts are reached at published ports.",
    )
    encrypted: bool = Field(False, description="Whether what goes between the Docker hosts is encrypted (overlay).")
    mtu: t.Optional[int] = Field(None, ge=576, le=65535, description="Largest packet in the network. Default: the Engine's.")


class OlderDocker(Model):
    """What the older cluster.json says of images."""

    image: t.Optional[ImageName] = Field(None, description="Image of the nodes; it must be on the Docker host.")
    compose_file: t.Optional[str] = Field(None, description="Kept for the older tooling, not used.")


class Capacity(Model):
    """How much a Docker host may carry, counted by what the nodes' resources ask for."""

    cpus: t.Optional[float] = Field(None, gt=0, le=4096, description="CPUs.")
    memory: t.Optional[Memory] = Field(None, description="Memory, for example 64g.")
    max_nodes: t.Optional[int] = Field(None, ge=0, le=10_000, description="Nodes.")


class DockerHost(BaseModel):
    """A Docker host: its ansible_... variables, capacity and labels, and other variables under vars."""

    model_config = ConfigDict(
        extra="allow", strict=True, json_schema_extra={"patternProperties": {"^ansible_[a-z0-9_]+$": {}}, "additionalProperties": False}
    )
    address: t.Optional[HostAddress] = Field(None, description="Address at which the other Docker hosts reach it. Default: ansible_host.")
    capacity: t.Optional[Capacity] = Field(None, description="How much it may carry. Default: no limit.")
    labels: t.Optional[t.Dict[LabelKey, Text]] = Field(None, description="Labels, for the placement of nodes.")
    vars: t.Optional[Variables] = Field(None, description="Variables of the Docker host and its nodes.")


class KeyedGroup(Model):
    """Groups made from a value; see the documentation fragment constructed of ansible-core."""

    key: str = Field(description="Jinja expression.")
    prefix: t.Optional[str] = Field(None, description="Start of the group's name.")
    separator: t.Optional[str] = Field(None, description="What stands between prefix and value. Default: _.")
    parent_group: t.Optional[str] = Field(None, description="Group that these groups are put into.")
    default_value: t.Optional[str] = Field(None, description="Name for an empty value.")
    trailing_separator: t.Optional[bool] = Field(None, description="Whether the separator is kept when a value is empty.")


class Spec(Model):
    """A cluster spec of gravity.cluster."""

    # Keys that start with x- hold what others refer to.
    model_config = ConfigDict(title="gravity.cluster spec", json_schema_extra={"patternProperties": {"^x-": {}}})

    plugin: t.Literal["gravity.cluster.spec"] = Field("gravity.cluster.spec", description="Makes the file an inventory source.")
    cluster_name: Name = Field(description="Name of the cluster; every object on a Docker host carries it.")
    flavor: t.Optional[Name] = Field(
        None, description="The software of the nodes. Default: injective; in a cluster.json without plugin: gravity."
    )
    container_prefix: t.Optional[Prefix] = Field(
        None, description="Put before a node's name to make the name of its container. Default: gravity_."
    )
    network: t.Optional[Network] = Field(None, description="The cluster's network.")
    image: t.Optional[ImageEntry] = Field(None, description="Image of all nodes.")
    docker: t.Optional[OlderDocker] = Field(None, description="Of the older cluster.json.")
    config: t.Optional[t.Dict[str, t.Any]] = Field(None, description="Settings of the flavor for all nodes.")
    hosts: t.Optional[t.Dict[Name, t.Annotated[DockerHost, BeforeValidator(empty, json_schema_input_type=t.Optional[DockerHost])]]] = Field(
        None, description="Docker hosts by name. Default: this machine, called local."
    )
    defaults: t.Optional[DefaultsFields] = Field(None, description="Fields of all nodes.")
    roles: t.Optional[t.Dict[Role, t.Annotated[RoleFields, BeforeValidator(empty, json_schema_input_type=t.Optional[RoleFields])]]] = Field(
        None, description="Fields of all nodes of a role."
    )
    nodes: t.Dict[str, t.Annotated[NodeEntry, BeforeValidator(empty, json_schema_input_type=t.Optional[NodeEntry])]] = Field(
        min_length=1, description="Nodes by name; node_[0:3] stands for four."
    )
    strict: t.Optional[bool] = Field(None, description="Make invalid entries of compose, groups and keyed_groups fatal.")
    compose: t.Optional[t.Dict[str, Text]] = Field(None, description="Variables from Jinja expressions.")
    groups: t.Optional[t.Dict[str, Text]] = Field(None, description="Groups from Jinja conditions.")
    keyed_groups: t.Optional[t.List[KeyedGroup]] = Field(None, description="Groups from values.")
    use_extra_vars: t.Optional[bool] = Field(None, description="Let compose see extra variables.")
    leading_separator: t.Optional[bool] = Field(None, description="Whether a keyed group without prefix starts with its separator.")
    cache: t.Optional[bool] = Field(None, description="Whether the resolved spec is cached.")
    cache_plugin: t.Optional[str] = Field(None, description="Cache plugin.")
    cache_timeout: t.Optional[int] = Field(None, ge=0, description="Seconds that the cache holds.")
    cache_connection: t.Optional[str] = Field(None, description="Where the cache plugin keeps its data.")
    cache_prefix: t.Optional[str] = Field(None, description="Prefix of the cache's keys.")
