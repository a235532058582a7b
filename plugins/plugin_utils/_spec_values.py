# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that a spec holds: what is accepted, what it becomes, and what to say when it is something else.

Every function here takes what was written and returns what is meant, or raises a mistake in our own words: what is
wrong; what would be right.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar
from ansible_collections.gravity.cluster.plugins.module_utils import _settings as settings
from ansible_collections.gravity.cluster.plugins.plugin_utils._pydantic import BeforeValidator, PydanticCustomError, WithJsonSchema
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import kind
from ansible_collections.gravity.cluster.plugins.plugin_utils._written import WrittenBool, WrittenInt, odd, odd_places, plain, written

Meant = t.TypeVar("Meant")

LONGEST_NAME = 63
MOST_PIDS = 2**22
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}\Z")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?\Z")
NAME_RULE = "use up to 63 letters, digits, '_', '.' and '-', a letter or digit first"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_PORT = re.compile(r"(?:(?:(\d+\.\d+\.\d+\.\d+):)?(\d{1,9}):)?(\d{1,9})(?:/(tcp|udp))?\Z")
_USER = re.compile(r"[A-Za-z0-9_.\-]+(?::[A-Za-z0-9_.\-]+)?\Z")
_ULIMIT = re.compile(r"(-1|\d+)(?::(-1|\d+))?\Z")

_ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice"),
    *("nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)
_MODES = (0o400, 0o440, 0o444, 0o600, 0o640, 0o644, 0o700, 0o750, 0o755)

# Words that the inventory makes groups of.
_TAKEN_ROLES = ("all", "ungrouped", "node", "docker_host")
_TAKEN_STARTS = ("on_", "flavor_", "label_")
# Labels of this start say whose an object is.
_OWN_LABELS = "gravity.cluster."


def wrong(text: str) -> PydanticCustomError:
    """A mistake in our own words: what is wrong; what would be right."""
    return PydanticCustomError("spec", "{text}", {"text": text})


def by_grammar(parse: t.Callable[[t.Any], Meant], value: t.Any) -> Meant:
    """What the grammar of all plugins makes of ``value``."""
    try:
        return parse(value)
    except grammar.Wrong as exc:
        raise wrong(str(exc)) from None


def text(value: t.Any) -> str:
    """One value as text: what is written in the file, also when it looks like a number or like true or false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WrittenInt) and not value.written:
        raise wrong(f"the file writes {kind(value)} in several ways; put the text in quotes")
    if isinstance(value, (str, int, float)):
        return by_grammar(grammar.plain_text, written(value))
    raise wrong(f"expected text, got {kind(value)}; write one value, in quotes")


def name(value: t.Any) -> str:
    """A name that Docker and Ansible both take."""
    if not isinstance(value, str):
        raise wrong(f"expected a name, got {kind(value)}; put it in quotes, as 'node_0'")
    if not NAME.match(value):
        raise wrong(f"{kind(value)} is not a valid name; {NAME_RULE}")
    return value


def prefix(value: t.Any) -> str:
    """The start of a name, or nothing."""
    return "" if value == "" else name(value)


def role(value: t.Any) -> str:
    """A role; it becomes the name of a group, with an s behind it."""
    if not isinstance(value, str) or not _ROLE.match(value):
        raise wrong(f"{kind(value)} is not a valid role; use up to 40 small letters, digits and '_', a letter first, as validator")
    if value in _TAKEN_ROLES or value.startswith(_TAKEN_STARTS):
        raise wrong(f"the role {kind(value)} would make a group that the inventory has already; choose another name")
    return value


def as_meant(value: t.Any, wanted: t.Any) -> t.Any:
    """What was written where a number, or true or false, is ``wanted``; the model checks its type."""
    if wanted is bool:
        return value.value if isinstance(value, WrittenBool) else value
    if wanted is float and isinstance(value, int) and abs(value) > 2**62:
        raise wrong(f"{kind(value)} is out of range; use a smaller one")
    return number(value) if wanted in (int, float) else value


def number(value: t.Any) -> t.Any:
    """A number as everyone reads it; its type is checked elsewhere."""
    problem = odd(value)
    if problem:
        raise wrong(problem)
    return plain(value)


def anything(value: t.Any) -> t.Any:
    """Data that mean something to others."""
    for path, problem in odd_places(value):
        raise wrong(f"{problem} (at {'.'.join(map(str, path))})" if path else problem)
    return plain(value)


def port(value: t.Any) -> int:
    """A port number."""
    return by_grammar(grammar.port, number(value))


def port_or_name(value: t.Any) -> t.Union[int, str]:
    """A container port, or the name of a port."""
    return name(value) if isinstance(value, str) else port(value)


def ip(value: t.Any) -> str:
    """An IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ValueError:
        raise wrong(f"{kind(value)} is not an IPv4 address; write it as '172.20.0.10'") from None


def host_address(value: t.Any) -> str:
    """An IPv4 address or a DNS name."""
    if isinstance(value, str) and _HOST.match(value):
        return value
    raise wrong(f"{kind(value)} is not the address of a machine; write an IPv4 address or a DNS name")


def subnet(value: t.Any) -> str:
    """An IPv4 subnet that has room for a cluster."""
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise wrong(f"{kind(value)} is not an IPv4 subnet; write it as '172.20.0.0/24'") from None
    if str(network.network_address) != str(value).partition("/")[0]:
        raise wrong(f"{kind(value)} is an address inside a subnet; the subnet itself is '{network}'")
    if network.prefixlen > 29:
        raise wrong(f"the subnet {network} is too small for a cluster; use /29 or larger, for example '172.20.0.0/24'")
    return str(network)


def seconds(value: t.Any) -> float:
    """A duration in seconds: a number, or text such as ``1m30s``."""
    return by_grammar(grammar.duration, number(value))


def whole_seconds(value: t.Any) -> int:
    """A duration that the Engine counts in seconds."""
    return by_grammar(grammar.whole_seconds, number(value))


def memory(value: t.Any) -> str:
    """An amount of memory, as it is written."""
    value = number(value)
    by_grammar(grammar.memory, value)
    return str(value).lower()


def cpus(value: t.Any) -> t.Union[float, str]:
    """A number of CPUs, or no limit."""
    value = number(value)
    if value == grammar.UNLIMITED:
        return grammar.UNLIMITED
    if isinstance(value, str):
        raise wrong(f"expected a number, got {kind(value)}; write digits, without quotes, or {grammar.UNLIMITED}")
    return by_grammar(grammar.nanocpus, value) / 1e9


def memory_limit(value: t.Any) -> str:
    """An amount of memory, or no limit."""
    return grammar.UNLIMITED if value == grammar.UNLIMITED else memory(value)


def pids(value: t.Any) -> t.Union[int, str]:
    """A number of processes and threads, or no limit."""
    value = number(value)
    if value == grammar.UNLIMITED or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_PIDS):
        return t.cast("t.Union[int, str]", value)
    raise wrong(f"expected a number of processes, got {kind(value)}; use 1 to {MOST_PIDS}, or {grammar.UNLIMITED}")


def mode(value: t.Any) -> str:
    """A file mode. A number in a file counts as it is written, with its zero; JSON has no such numbers."""
    if isinstance(value, WrittenInt) and value.odd:
        value = value.written
    if isinstance(value, int) and value in _MODES:
        value = f"{value:04o}"
    return by_grammar(grammar.mode, value)


def user(value: t.Any) -> str:
    """A user, with or without a group."""
    value = number(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if not isinstance(value, str) or not _USER.match(value):
        raise wrong(f"expected a user, got {kind(value)}; write it as '10001:10001'")
    if any(len(part) > 1 and part.startswith("0") and part.isdigit() for part in value.split(":")):
        raise wrong(f"the user {kind(value)} has a leading zero; write the numbers without it, as '10001:10001'")
    return value


def words(value: t.Any) -> t.List[str]:
    """A command as a list of words, from such a list or from one line."""
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError as exc:
            raise wrong(f"the command cannot be split into words ({exc}); write it as a list") from None
    if not isinstance(value, list):
        raise wrong(f"expected a command, got {kind(value)}; write a list of words, or one line of text")
    return [text(word) for word in value]


def absolute(value: t.Any) -> str:
    """A path in the container, in its only form."""
    return by_grammar(grammar.path, value)


def tmpfs_entry(value: t.Any) -> str:
    """``/tmp``, or ``/tmp:size=64m`` with mount options."""
    target, options = by_grammar(grammar.tmpfs, value)
    return f"{target}:{options}" if options else target


def image_name(value: t.Any) -> str:
    """A reference to an image."""
    return by_grammar(grammar.image, value)


def capability(value: t.Any) -> str:
    """A Linux capability."""
    return by_grammar(grammar.capability, value)


def ulimit_name(value: t.Any) -> str:
    """What a process is limited in, as Linux names it."""
    if value not in _ULIMITS:
        raise wrong(f"there is no limit {kind(value)}; use one of {', '.join(_ULIMITS)}")
    return str(value)


def ulimit(value: t.Any) -> str:
    """A limit on what a process may use as ``soft:hard``; -1 is unlimited."""
    value = number(value)
    match = _ULIMIT.match(str(value)) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    if not match:
        raise wrong(f"expected a limit, got {kind(value)}; write a number, or 'soft:hard' as '1024:4096' (-1 is unlimited)")
    soft, hard = int(match[1]), int(match[2] or match[1])
    if hard != -1 and not 0 <= soft <= hard:
        raise wrong(f"the soft limit {soft} is above the hard limit {hard}; write the smaller one first")
    return f"{soft}:{hard}"


def env_name(value: t.Any) -> str:
    """The name of an environment variable."""
    return by_grammar(grammar.env_name, value)


def label(value: t.Any) -> str:
    """The key of a label."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"{kind(value)} is not a key for a label; use text")
    if value.startswith(_OWN_LABELS):
        raise wrong(f"labels that start with {_OWN_LABELS} are the collection's own; choose another key")
    return value


def condition_value(value: t.Any) -> t.Any:
    """What a condition compares with."""
    value = str(value) if isinstance(value, WrittenBool) else number(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, str))):
        raise wrong(f"expected a number or text, got {kind(value)}; write for example value: 2")
    return value


def port_entry(value: t.Any) -> t.Any:
    """``"8080:80"``, ``"127.0.0.1:8080:80/udp"`` or ``80`` as a mapping."""
    if isinstance(value, str):
        match = _PORT.match(value)
        if not match:
            raise wrong(f"{kind(value)} is not a port; write '8080:80' (host:container), a number, or a mapping with container and host")
        container = port(int(match[3]))
        entry: t.Dict[str, t.Any] = {"container": container, "host": port(int(match[2])) if match[2] else container}
        if match[1]:
            entry["address"] = ip(match[1])
        if match[4]:
            entry["protocol"] = match[4]
        return entry
    if isinstance(value, int) and not isinstance(value, bool):
        return {"host": port(value)}  # a number that can be read in two ways is refused there
    return value


def volume_entry(value: t.Any) -> t.Any:
    """``"data:/data"`` or ``"data:/data:ro"`` as a mapping."""
    if not isinstance(value, str):
        return value
    parts = value.split(":")
    if value.startswith(("/", ".", "~")) and len(parts) > 1:
        raise wrong(f"{kind(value)} is a folder of the Docker host, not a volume; write it under binds, with its absolute path")
    if not 2 <= len(parts) <= 3 or (len(parts) == 3 and parts[2] not in ("ro", "rw")):
        raise wrong(f"{kind(value)} is not a volume; write 'name:/path/in/container', with ':ro' to make it read-only")
    return {"name": name(parts[0]), "target": absolute(parts[1]), "read_only": parts[2:] == ["ro"]}


def image_entry(value: t.Any) -> t.Any:
    """``name:tag`` as a mapping: pulled when it is not there."""
    return {"source": "pull", "name": image_name(value)} if isinstance(value, str) else value


def restart(value: t.Any) -> str:
    """A restart policy; ``no`` without quotes and false are the same."""
    name, tries = by_grammar(settings.restart, value.value if isinstance(value, WrittenBool) else value)
    return f"{name}:{tries}" if tries else name


def hostname(value: t.Any) -> str:
    """The name that a container has for itself, or that its hosts file leads somewhere."""
    return by_grammar(settings.hostname, value)


def signal(value: t.Any) -> str:
    """A signal, by name or number."""
    return by_grammar(settings.signal, number(value))


def sysctl(value: t.Any) -> str:
    """The name of a kernel parameter."""
    return by_grammar(settings.sysctl, value)


def where(value: t.Any) -> str:
    """Where a name of the hosts file leads."""
    return by_grammar(settings.host_address, value)


def log_size(value: t.Any) -> str:
    """The size of a log file, as it is written."""
    return by_grammar(settings.log_size, number(value))


def shared_memory(value: t.Any) -> str:
    """The size of /dev/shm, as it is written."""
    value = number(value)
    by_grammar(settings.shared_memory, value)
    return str(value).lower()


def working_dir(value: t.Any) -> str:
    """The folder that a process starts in."""
    return by_grammar(settings.working_dir, value)


def group(value: t.Any) -> str:
    """A group, by name or number."""
    return by_grammar(settings.group, number(value))


def security_option(value: t.Any) -> str:
    """A security option in the form ``name=value``."""
    return by_grammar(settings.security_option, value)


def device(value: t.Any) -> str:
    """A device as ``path:path in the container:rights``."""
    return ":".join(by_grammar(settings.device, value))


def gpus(value: t.Any) -> str:
    """How many GPUs, or which, as it is written."""
    value = number(value)
    by_grammar(settings.gpus, value)
    return str(value)


def host_path(value: t.Any) -> str:
    """A path of the Docker host."""
    return by_grammar(settings.host_path, value)


def bind_entry(value: t.Any) -> t.Any:
    """``"/srv/data:/data"`` or ``"/srv/data:/data:rw"`` as a mapping."""
    if not isinstance(value, str):
        return value
    source, target, read_only = by_grammar(settings.bind, value)
    return {"source": source, "target": target, "read_only": read_only}


def health_test(value: t.Any) -> t.List[str]:
    """A shell line, or a command in words, as the Engine wants it."""
    if isinstance(value, str):
        return ["NONE"] if value == "NONE" else ["CMD-SHELL", value]
    test = words(value)
    return test if test[:1] in (["CMD"], ["CMD-SHELL"], ["NONE"]) else ["CMD", *test]


def empty(value: t.Any) -> t.Any:
    """``node_0:`` with nothing behind it is a node with nothing special."""
    return {} if value is None else value


def variables(value: t.Any) -> t.Any:
    """Names of Ansible variables, with their values."""
    if not isinstance(value, dict):
        raise wrong(f"expected a mapping of variables, got {kind(value)}; write name: value")
    for key in value:
        if not isinstance(key, str) or not _VARIABLE.match(key):
            raise wrong(f"{kind(key)} is not a variable name; use letters, digits and '_', a letter first")
    return anything(value)


def _schema(*types: str, **more: t.Any) -> WithJsonSchema:
    return WithJsonSchema({"type": list(types) if len(types) > 1 else types[0], **more})


_WORDS: t.Dict[str, t.Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number", "boolean"]}}]}
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$"

Anything = t.Annotated[t.Any, BeforeValidator(anything)]
Text = t.Annotated[str, BeforeValidator(text), _schema("string", "number", "boolean")]
Name = t.Annotated[str, BeforeValidator(name), _schema("string", pattern=_NAME_PATTERN)]
Prefix = t.Annotated[str, BeforeValidator(prefix), _schema("string", pattern=r"^$|" + _NAME_PATTERN)]
Role = t.Annotated[str, BeforeValidator(role), _schema("string", pattern="^[a-z][a-z0-9_]{0,39}$")]
Port = t.Annotated[int, BeforeValidator(port), _schema("integer", minimum=1, maximum=65535)]
PortOrName = t.Annotated[t.Union[int, str], BeforeValidator(port_or_name), _schema("integer", "string")]
Ip = t.Annotated[str, BeforeValidator(ip), _schema("string", format="ipv4")]
HostAddress = t.Annotated[str, BeforeValidator(host_address), _schema("string", examples=["192.0.2.10", "alpha.example.org"])]
Subnet = t.Annotated[str, BeforeValidator(subnet), _schema("string", examples=["172.20.0.0/24"])]
Seconds = t.Annotated[float, BeforeValidator(seconds), _schema("number", "string", examples=[30, "500ms", "1m30s"])]
WholeSeconds = t.Annotated[int, BeforeValidator(whole_seconds), _schema("number", "string", examples=[30, "1m30s"])]
Memory = t.Annotated[str, BeforeValidator(memory), _schema("string", "integer", examples=["512m", "2g"])]
Cpus = t.Annotated[t.Union[float, str], BeforeValidator(cpus), _schema("number", "string", examples=[0.5, "unlimited"])]
MemoryLimit = t.Annotated[str, BeforeValidator(memory_limit), _schema("string", "integer", examples=["512m", "2g", "unlimited"])]
Pids = t.Annotated[t.Union[int, str], BeforeValidator(pids), _schema("integer", "string", examples=[256, "unlimited"])]
Mode = t.Annotated[str, BeforeValidator(mode), _schema("string", "integer", examples=["0644"])]
User = t.Annotated[str, BeforeValidator(user), _schema("string", "integer", examples=["10001:10001"])]
Words = t.Annotated[t.List[str], BeforeValidator(words), WithJsonSchema(_WORDS)]
HealthTest = t.Annotated[t.List[str], BeforeValidator(health_test), WithJsonSchema(_WORDS)]
Absolute = t.Annotated[str, BeforeValidator(absolute), _schema("string", pattern="^/")]
Tmpfs = t.Annotated[str, BeforeValidator(tmpfs_entry), _schema("string", pattern="^/", examples=["/run", "/run:size=64m"])]
ImageName = t.Annotated[str, BeforeValidator(image_name), _schema("string")]
Capability = t.Annotated[str, BeforeValidator(capability), _schema("string", examples=["NET_ADMIN"])]
UlimitName = t.Annotated[str, BeforeValidator(ulimit_name), _schema("string", enum=list(_ULIMITS))]
Ulimit = t.Annotated[str, BeforeValidator(ulimit), _schema("integer", "string", examples=[1048576, "1024:4096"])]
_POLICY = "^(no|always|unless-stopped|on-failure(:[1-9][0-9]{0,5})?)$"
Restart = t.Annotated[
    str, BeforeValidator(restart), WithJsonSchema({"anyOf": [{"type": "string", "pattern": _POLICY}, {"const": False, "type": "boolean"}]})
]
Hostname = t.Annotated[str, BeforeValidator(hostname), _schema("string", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
Signal = t.Annotated[str, BeforeValidator(signal), _schema("string", "integer", examples=["SIGINT"])]
Sysctl = t.Annotated[str, BeforeValidator(sysctl), _schema("string", examples=["net.core.somaxconn"])]
Where = t.Annotated[str, BeforeValidator(where), _schema("string", examples=["192.0.2.1", settings.HOST_GATEWAY])]
LogSize = t.Annotated[str, BeforeValidator(log_size), _schema("string", "integer", examples=["10m"])]
SharedMemory = t.Annotated[str, BeforeValidator(shared_memory), _schema("string", "integer", examples=["256m"])]
WorkingDir = t.Annotated[str, BeforeValidator(working_dir), _schema("string", pattern="^/")]
Group = t.Annotated[str, BeforeValidator(group), _schema("string", "integer", examples=[20, "dialout"])]
SecurityOption = t.Annotated[str, BeforeValidator(security_option), _schema("string", examples=["seccomp=unconfined"])]
Device = t.Annotated[str, BeforeValidator(device), _schema("string", examples=["/dev/fuse", "/dev/ttyUSB0:/dev/tty0:rw"])]
Gpus = t.Annotated[str, BeforeValidator(gpus), _schema("string", "integer", examples=["all", 1, "device=0,1"])]
HostPath = t.Annotated[str, BeforeValidator(host_path), _schema("string", pattern="^/")]
EnvName = t.Annotated[str, BeforeValidator(env_name), _schema("string")]
LabelKey = t.Annotated[str, BeforeValidator(label), _schema("string")]
ConditionValue = t.Annotated[t.Any, BeforeValidator(condition_value), _schema("integer", "string")]
Variables = t.Annotated[t.Dict[str, t.Any], BeforeValidator(variables), _schema("object")]
