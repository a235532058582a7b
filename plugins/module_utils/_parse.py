# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From plain data to definitions. Every mistake becomes one line; all of them are collected before anything is refused."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar
from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils import _settings as settings
from ansible_collections.gravity.cluster.plugins.module_utils._definition import (
    Bind,
    ConfigFile,
    ContainerDefinition,
    Device,
    NetworkDefinition,
    Port,
    Volume,
)

Plain = t.Mapping[str, t.Any]
Subnet = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Value = t.TypeVar("Value")

# Folders in memory that a container with a read-only root gets unless its definition says otherwise.
SCRATCH = ("/tmp",)  # noqa: S108 - inside the container
PROTOCOLS = ("tcp", "udp", "sctp")


class Mistake(ValueError):
    """A value that cannot be meant. Its text is one line, without the name of the thing."""


@dataclass
class Problems:
    """Lines that each name a thing, what is wrong with it and the remedy."""

    lines: t.List[str] = field(default_factory=list)

    def attempt(self, thing: str, work: t.Callable[[], Value]) -> t.Optional[Value]:
        """The result of ``work``, or None after its mistake was noted."""
        try:
            return work()
        except Mistake as exc:
            self.add(f"{thing}: {exc}")
            return None

    def add(self, line: str) -> None:
        """Note ``line`` once."""
        if line not in self.lines:
            self.lines.append(line)


def parse_containers(items: t.Iterable[Plain], problems: Problems) -> t.List[ContainerDefinition]:
    """Definitions of the well-formed ``items``; the mistakes of the others, and clashes among them, go to ``problems``."""
    found = []
    for position, item in enumerate(items):
        thing = str(item.get("node") or item.get("name") or f"containers[{position}]")
        definition = problems.attempt(thing, lambda item=item, thing=thing: parse_container(item, thing, problems))  # type: ignore[misc]
        if definition is not None:
            found.append(definition)
    clashes(found, problems)
    return found


def parse_container(item: Plain, thing: str, problems: Problems) -> ContainerDefinition:
    """One definition. Raises the first :class:`Mistake` in what the others depend on, and notes the rest in ``problems``."""

    def checked(work: t.Callable[[], Value], instead: Value) -> Value:
        result = problems.attempt(thing, work)
        return instead if result is None else result

    def listed(key: str, convert: t.Callable[[t.Any], Value]) -> t.Tuple[Value, ...]:
        results = [problems.attempt(thing, lambda value=value: convert(value)) for value in item.get(key) or []]  # type: ignore[misc]
        return tuple(result for result in results if result is not None)

    def optional(key: str, parse: t.Callable[[t.Any], Value]) -> t.Optional[Value]:
        """What is meant by an option; one that is empty is not given."""
        return problems.attempt(thing, lambda: meant(key, parse, item[key])) if item.get(key) not in (None, "") else None

    name = object_name(item.get("name"), "container name")
    node = str(item.get("node") or name)
    image = item.get("image")
    if not image:
        raise Mistake("no image is given: name one with `image`")
    read_only = True if item.get("read_only") is None else bool(item["read_only"])
    tmpfs = item.get("tmpfs")
    if tmpfs is None:
        tmpfs = list(SCRATCH) if read_only else []
    restart, tries = checked(lambda: restart_policy(item.get("restart")), ("unless-stopped", 0))
    definition = ContainerDefinition(
        name=name,
        node=node,
        image=meant("image", grammar.image, str(image)),
        role=str(item.get("role") or ""),
        flavor=str(item.get("flavor") or ""),
        # Without words it is the image's, or none when there is an entry point.
        command=words(item.get("command")) or None,
        entrypoint=words(item.get("entrypoint")),
        env=checked(lambda: environment(item.get("env")), {}),
        user=str(item["user"]) if item.get("user") is not None else None,
        hostname=optional("hostname", settings.hostname),
        network_ip=checked(lambda: address(item.get("network_ip")), None),
        aliases=tuple(str(alias) for alias in item.get("aliases") or []),
        ports=listed("ports", port),
        volumes=listed("volumes", volume),
        tmpfs=checked(lambda: tmpfs_mounts(tmpfs), {}),
        files=listed("files", config_file),
        labels=checked(lambda: user_labels(item.get("labels")), {}),
        nanocpus=checked(lambda: nanocpus(item.get("cpus")), None),
        memory=checked(lambda: memory(item.get("memory")), None),
        pids=checked(lambda: positive(item.get("pids"), "pids"), None),
        cap_add=listed("cap_add", capability),
        read_only=read_only,
        init=True if item.get("init") is None else bool(item["init"]),
        restart=restart,
        restart_tries=tries,
        stop_grace=checked(lambda: grace(item.get("stop_grace")), 30),
        stop_signal=optional("stop_signal", settings.signal),
        health=checked(lambda: health(item.get("health")), None),
        log=checked(lambda: rotation(item.get("log") or {}), {}),
        ulimits=checked(lambda: ulimits(item.get("ulimits")), {}),
        sysctls=checked(lambda: sysctls(item.get("sysctls")), {}),
        extra_hosts=checked(lambda: extra_hosts(item.get("extra_hosts")), {}),
        working_dir=optional("working_dir", settings.working_dir),
        shm_size=optional("shm_size", settings.shared_memory),
        group_add=listed("group_add", lambda value: meant("group_add", settings.group, value)),
        security_opt=listed("security_opt", lambda value: meant("security_opt", settings.security_option, value)),
        devices=listed("devices", lambda value: Device(*meant("devices", settings.device, value))),
        gpus=optional("gpus", settings.gpus),
        binds=listed("binds", bind),
        genesis=item.get("genesis"),
    )
    problems.attempt(thing, lambda: mounted_once(definition))
    problems.attempt(thing, lambda: written_once(definition))
    for file in definition.files:
        problems.attempt(thing, lambda file=file: writable(definition, file))  # type: ignore[misc]
    return definition


def parse_network(item: t.Optional[Plain], problems: Problems) -> t.Optional[NetworkDefinition]:
    """The definition of the network; None when none is given or it is not well-formed."""
    if not item:
        return None
    thing = f"network {item.get('name') or ''}".strip()
    return problems.attempt(thing, lambda: network(item))


def network(item: Plain) -> NetworkDefinition:
    """A network definition; raises :class:`Mistake`."""
    # Others made an external one, and the Engine has its own.
    name = object_name(item.get("name"), "network name", str if item.get("external") else grammar.network_name)
    pool = parsed_subnet(item.get("subnet"))
    gateway = item.get("gateway")
    if gateway is not None and pool is not None and not contains(pool, gateway):
        raise Mistake(f"gateway {gateway} is not an address of subnet {pool}: choose one inside it")
    if gateway is not None and pool is None:
        raise Mistake(f"gateway {gateway} needs a subnet: add `subnet`")
    return NetworkDefinition(
        name=name,
        subnet=str(pool) if pool is not None else None,
        gateway=str(gateway) if gateway is not None else None,
        driver=item.get("driver") or "bridge",
        internal=bool(item.get("internal")),
        attachable=bool(item.get("attachable")),
        options=texts(item.get("options"), "network option"),
        external=bool(item.get("external")),
        id=item.get("id"),
    )


def clashes(definitions: t.Sequence[ContainerDefinition], problems: Problems) -> None:
    """Note what two of the definitions both claim."""
    names: t.Dict[str, str] = {}
    nodes: t.Dict[str, str] = {}
    addresses: t.Dict[str, str] = {}
    ports: t.List[t.Tuple[Port, str]] = []
    for one in definitions:
        if one.name in names:
            problems.add(f"{one.node}: container name {one.name} is also that of {names[one.name]}: give each node its own")
        elif one.node in nodes:
            problems.add(f"{one.node}: defined twice, as containers {nodes[one.node]} and {one.name}: give each node one container")
        names.setdefault(one.name, one.node)
        nodes.setdefault(one.node, one.name)
        if one.network_ip:
            if one.network_ip in addresses:
                problems.add(f"{one.node}: address {one.network_ip} is also that of {addresses[one.network_ip]}: give each node its own")
            addresses.setdefault(one.network_ip, one.node)
        for claimed in one.ports:
            if claimed.host is None:
                continue
            for other, owner in ports:
                if same_socket(claimed, other):
                    problems.add(
                        f"{one.node}: host port {claimed.published} is also published by {owner}"
                        f"{'' if owner != one.node else ' itself'}: give it another host port"
                    )
            ports.append((claimed, one.node))


def same_socket(one: Port, other: Port) -> bool:
    """Whether two published ports need the same socket of the Docker host."""
    if one.host != other.host or one.protocol != other.protocol:
        return False
    return one.address == other.address or is_any(one.address) or is_any(other.address)


def is_any(text: str) -> bool:
    """Whether an address means every address of the host."""
    return text in ("", "0.0.0.0", "::")


def writable(definition: ContainerDefinition, file: ConfigFile) -> None:
    """Raise :class:`Mistake` unless ``file`` can be written before the container starts."""
    place = definition.mount_of(file.path)
    if isinstance(place, str):
        raise Mistake(f"file {file.path} lies on the tmpfs {place}, which is empty at every start: put it on a volume")
    if isinstance(place, Bind):
        raise Mistake(f"file {file.path} lies on {place.source} of the Docker host, which is not the node's own: put it on a volume")
    if isinstance(place, Volume) and place.target == file.path:
        raise Mistake(f"file {file.path} is also where volume {place.name} is mounted: choose a path below it")
    if place is None and definition.read_only:
        raise Mistake(f"file {file.path} lies on the read-only root: put it on a volume, or set read_only: false")


def mounted_once(definition: ContainerDefinition) -> None:
    """Raise :class:`Mistake` when two things are mounted at one place, where one would hide the other."""
    targets = [*definition.tmpfs, *(volume.target for volume in definition.volumes), *(bind.target for bind in definition.binds)]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise Mistake(f"two things are mounted on {twice}: keep one of them")


def written_once(definition: ContainerDefinition) -> None:
    """Raise :class:`Mistake` when a file is given twice."""
    paths = [file.path for file in definition.files]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise Mistake(f"file {twice} is given twice: keep one of them")


def object_name(value: t.Any, what: str, parse: t.Callable[[t.Any], str] = grammar.object_name) -> str:
    """A name that the Engine accepts."""
    if not value:
        raise Mistake(f"no {what} is given: add `name`")
    return meant(what, parse, str(value))


def words(value: t.Optional[t.Sequence[t.Any]]) -> t.Optional[t.Tuple[str, ...]]:
    """The words of a command line."""
    return None if value is None else tuple(str(word) for word in value)


def texts(value: t.Optional[Plain], what: str) -> t.Dict[str, str]:
    """A mapping of text to text; booleans become true and false."""
    found = {}
    for key, item in (value or {}).items():
        if item is None or isinstance(item, (dict, list)):
            raise Mistake(f"{what} {key} has no plain value: give it a text or a number, or leave it out")
        text = str(item).lower() if isinstance(item, bool) else str(item)
        found[str(key)] = meant(f"{what} {key}", grammar.plain_text, text)
    return found


def environment(value: t.Optional[Plain]) -> t.Dict[str, str]:
    """Environment variables."""
    found = texts(value, "environment variable")
    return {meant("env", grammar.env_name, key): text for key, text in found.items()}


def user_labels(value: t.Optional[Plain]) -> t.Dict[str, str]:
    """Labels of the user's own; the collection's prefix is reserved."""
    found = texts(value, "label")
    for key in found:
        if key.startswith(labels.PREFIX):
            raise Mistake(f"label {key} is reserved: labels that start with {labels.PREFIX} are set by the collection, choose another name")
    return found


def address(value: t.Optional[str]) -> t.Optional[str]:
    """An address in its canonical form."""
    if not value:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise Mistake(f"network_ip {value} is not an IP address: write it like 172.20.0.10") from None


def parsed_subnet(value: t.Optional[str]) -> t.Optional[Subnet]:
    """A subnet; raises :class:`Mistake`."""
    if not value:
        return None
    try:
        return ipaddress.ip_network(value)
    except ValueError as exc:
        raise Mistake(f"subnet {value} is not a subnet ({exc}): write it like 172.20.0.0/24") from None


def contains(pool: Subnet, value: str) -> bool:
    """Whether the address ``value`` is one of ``pool``."""
    try:
        return ipaddress.ip_address(value) in pool
    except ValueError:
        return False


def port(value: Plain) -> Port:
    """A port; raises :class:`Mistake`."""
    inside, outside = value.get("container"), value.get("host")
    protocol = str(value.get("protocol") or "tcp").lower()
    where = str(value.get("address") or "127.0.0.1")
    for number, what in ((inside, "container port"), (outside, "host port")):
        if number is not None:
            meant(what, grammar.port, int(number))
    if inside is None:
        raise Mistake("a port has no number inside the container: add `container`")
    if protocol not in PROTOCOLS:
        raise Mistake(f"protocol {protocol} of port {inside} is unknown: choose {', '.join(PROTOCOLS)}")
    try:
        ipaddress.ip_address(where)
    except ValueError:
        raise Mistake(f"address {where} of port {inside} is not an IP address: write it like 127.0.0.1") from None
    return Port(int(inside), None if outside is None else int(outside), where, protocol)


def volume(value: Plain) -> Volume:
    """A volume; raises :class:`Mistake`."""
    name = object_name(value.get("name"), "volume name")
    return Volume(name, meant(f"target of volume {name}", grammar.path, value.get("target")), bool(value.get("read_only")))


def meant(what: str, parse: t.Callable[[t.Any], Value], value: t.Any) -> Value:
    """What the grammar makes of ``value``; raises :class:`Mistake`."""
    try:
        return parse(value)
    except grammar.Wrong as exc:
        raise Mistake(f"{what}: {exc.what}: {exc.right}") from None


def tmpfs_mounts(value: t.Sequence[str]) -> t.Dict[str, str]:
    """Target -> mount options, from entries like ``/tmp`` or ``/tmp:size=64m``."""
    found = {}
    for entry in value:
        target, options = meant("tmpfs", grammar.tmpfs, entry)
        if target in found:
            raise Mistake(f"tmpfs {target} is given twice: keep one of them")
        found[target] = options
    return found


def config_file(value: Plain) -> ConfigFile:
    """A config file; raises :class:`Mistake`."""
    path = meant("path of a file", grammar.path, value.get("path"))
    secret = bool(value.get("secret"))
    mode = meant(f"mode of file {path}", grammar.mode, value.get("mode") or ("0400" if secret else "0644"))
    if value.get("content") is None:
        raise Mistake(f"file {path} has no content: add `content`")
    return ConfigFile(path, str(value["content"]), mode, secret)


def memory(value: t.Any) -> t.Optional[int]:
    """Bytes, from text like ``1g`` or ``512 MiB``."""
    return None if value is None or value == "" else meant("memory", grammar.memory, value)


def nanocpus(value: t.Any) -> t.Optional[int]:
    """Billionths of a CPU, from a number of CPUs like ``0.5``."""
    return None if value is None or value == "" else meant("cpus", grammar.nanocpus, value)


def positive(value: t.Any, what: str) -> t.Optional[int]:
    """A whole number above 0."""
    if value is None:
        return None
    if int(value) < 1:
        raise Mistake(f"{what} {value} is out of range: choose at least 1, or leave it out for no limit")
    return int(value)


def grace(value: t.Any) -> int:
    """Seconds that a process has to end."""
    return 30 if value is None else meant("stop_grace", grammar.whole_seconds, value)


def capability(value: t.Any) -> str:
    """A capability without its prefix."""
    return meant("cap_add", grammar.capability, value)


def restart_policy(value: t.Any) -> t.Tuple[str, int]:
    """Name and number of tries; the default is to start again whatever ended the process."""
    return ("unless-stopped", 0) if value is None else meant("restart", settings.restart, value)


def rotation(value: Plain) -> t.Dict[str, str]:
    """Options of the Engine's log driver."""
    size = meant("log.max_size", settings.log_size, value.get("max_size") or "10m")
    return {"max-size": size, "max-file": str(positive(value.get("max_file"), "max_file of the log") or 3)}


def sysctls(value: t.Optional[Plain]) -> t.Dict[str, str]:
    """Kernel parameters that a container has for itself."""
    return {meant("sysctls", settings.sysctl, name): text for name, text in texts(value, "sysctl").items()}


def extra_hosts(value: t.Optional[Plain]) -> t.Dict[str, str]:
    """Name to address, for the hosts file."""
    found = texts(value, "extra host")
    address = settings.host_address
    return {meant("extra_hosts", settings.hostname, name): meant(f"extra host {name}", address, found[name]) for name in found}


def bind(value: Plain) -> Bind:
    """A bind mount; raises :class:`Mistake`."""
    source = meant("source of a bind mount", settings.host_path, value.get("source"))
    target = meant(f"target of the bind mount of {source}", grammar.path, value.get("target"))
    return Bind(source, target, True if value.get("read_only") is None else bool(value["read_only"]))


def duration(value: t.Any, what: str) -> t.Optional[int]:
    """Nanoseconds, from seconds or text like ``500ms``."""
    return None if value is None else round(meant(f"{what} of the health check", grammar.duration, value) * 1_000_000_000)


def health(value: t.Optional[Plain]) -> t.Optional[t.Dict[str, t.Any]]:
    """The Engine's form of a health check; a text is run by the container's shell."""
    if not value:
        return None
    test = value.get("test")
    if not test:
        raise Mistake("the health check has no test: add `test`, a command")
    if isinstance(test, str):
        command = ["NONE"] if test == "NONE" else ["CMD-SHELL", test]
    else:
        command = [str(word) for word in test]
        if command[0] not in ("CMD", "CMD-SHELL", "NONE"):
            command = ["CMD", *command]
    found = {
        "Test": command,
        "Interval": duration(value.get("interval"), "interval"),
        "Timeout": duration(value.get("timeout"), "timeout"),
        "StartPeriod": duration(value.get("start_period"), "start_period"),
        "Retries": positive(value.get("retries"), "retries of the health check"),
    }
    return {key: item for key, item in found.items() if item is not None}


def ulimits(value: t.Optional[Plain]) -> t.Dict[str, t.Tuple[int, int]]:
    """Name -> (soft, hard), from a number, text like ``1024:2048`` or a mapping."""
    found = {}
    for name, limit in (value or {}).items():
        if isinstance(limit, dict):
            soft, hard = limit.get("soft"), limit.get("hard")
        else:
            soft, _colon, hard = str(limit).partition(":")
        try:
            first = int(str(soft))
            found[str(name)] = (first, int(str(hard)) if hard not in (None, "") else first)
        except ValueError:
            raise Mistake(f"ulimit {name} {limit} is not a number: write it like 65536 or 1024:65536") from None
    return found
