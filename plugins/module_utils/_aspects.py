# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one vocabulary in which a wanted and a real container are compared.

The Engine describes what it is asked to create and what exists in the same form (``Config`` and ``HostConfig``).
``aspects`` flattens that form into named values; a difference between two aspects is a reason that a user can read.
"""

from __future__ import annotations

import json
import posixpath
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels

# Compared by other means: per file, or not at all.
NOT_COMPARED = frozenset({labels.FILES, labels.DEFINED, labels.CONTAINER, labels.ORIGIN})
# Limits that an Engine drops without an error when the kernel cannot keep them.
DROPPABLE = frozenset({"memory", "cpus", "pids limit"})
SHOWN = 60
HEALTH_TIMES = {
    "health check interval": "Interval",
    "health check timeout": "Timeout",
    "health check start period": "StartPeriod",
}


def aspects(config: t.Mapping[str, t.Any], host: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """Name -> value, as text, of everything that is set in a container's ``Config`` and ``HostConfig``.

    The image is left out: its name says less than its id.
    """
    found: t.Dict[str, t.Any] = {
        "command": words(config.get("Cmd") or None),
        "entrypoint": entrypoint(config),
        "user": config.get("User"),
        "hostname": config.get("Hostname"),
        "working directory": config.get("WorkingDir"),
        "stop signal": config.get("StopSignal"),
        "stop grace": seconds(config.get("StopTimeout")),
        "read-only root": flag(host.get("ReadonlyRootfs")),
        "init process": flag(host.get("Init")),
        "memory": size(host.get("Memory")),
        "shared memory": size(host.get("ShmSize")),
        "cpus": share(host.get("NanoCpus")),
        "pids limit": host.get("PidsLimit"),
        "network": host.get("NetworkMode"),
        "restart policy": policy(host.get("RestartPolicy")),
        "log": logging(host.get("LogConfig")),
        "security options": ", ".join(security(host.get("SecurityOpt"))),
        "groups": ", ".join(sorted(host.get("GroupAdd") or [])),
        "GPUs": gpus(host.get("DeviceRequests")),
        "dropped capabilities": ", ".join(capabilities(host.get("CapDrop"))),
        "added capabilities": ", ".join(capabilities(host.get("CapAdd"))),
    }
    found.update(config_entries(config))
    found.update(host_entries(host))
    # An empty environment variable is set all the same; any other empty value is not.
    return {
        name: str(value)
        for name, value in found.items()
        if value is not None and (value != "" or name.startswith(("environment variable ", "label ")))
    }


def config_entries(config: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The aspects of a ``Config`` of which there can be many."""
    found: t.Dict[str, t.Any] = health(config.get("Healthcheck"))
    for entry in config.get("Env") or []:
        key, _equals, value = entry.partition("=")
        found[f"environment variable {key}"] = value
    for key, value in (config.get("Labels") or {}).items():
        if key not in NOT_COMPARED:
            found[f"label {key}"] = value
    for path, digest in file_digests(config.get("Labels")).items():
        found[f"file {path}"] = digest
    return found


def host_entries(host: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The aspects of a ``HostConfig`` of which there can be many."""
    found: t.Dict[str, t.Any] = {}
    for key, bindings in (host.get("PortBindings") or {}).items():
        places = [f"{place.get('HostIp') or '0.0.0.0'}:{place.get('HostPort')}" for place in bindings or []]
        if places:
            found[f"port {key}"] = ", ".join(sorted(places))
    for target, source, read_only in mounts(host):
        # A path is the Docker host's own; volumes have names.
        found[f"{'bind mount' if source.startswith('/') else 'volume'} at {target}"] = source + (" (read-only)" if read_only else "")
    for target, options in (host.get("Tmpfs") or {}).items():
        found[f"tmpfs {target}"] = options or "plain"
    for device in host.get("Devices") or []:
        found[f"device {device.get('PathInContainer')}"] = f"{device.get('PathOnHost')} {device.get('CgroupPermissions')}"
    for limit in host.get("Ulimits") or []:
        found[f"ulimit {limit.get('Name')}"] = f"{limit.get('Soft')}:{limit.get('Hard')}"
    for key, value in (host.get("Sysctls") or {}).items():
        found[f"sysctl {key}"] = value
    for entry in host.get("ExtraHosts") or []:
        # Newer tools write name=address, which leaves the colons to IPv6.
        name, address = re.split("[:=]", entry, maxsplit=1)
        found[f"extra host {name}"] = address.strip("[]")
    return found


def mounts(host: t.Mapping[str, t.Any]) -> t.Iterator[t.Tuple[str, str, bool]]:
    """Target, source and whether it is read-only, of each mount; it may be written as ``Mounts`` or as text in ``Binds``."""
    for mount in host.get("Mounts") or []:
        yield mount.get("Target") or "", mount.get("Source") or "", bool(mount.get("ReadOnly"))
    for bind in host.get("Binds") or []:
        source, _colon, rest = bind.partition(":")
        target, _colon, options = rest.partition(":")
        yield posixpath.normpath(target), source, "ro" in options.split(",")


def differences(
    desired: t.Mapping[str, str], observed: t.Mapping[str, str], defined: t.Iterable[str]
) -> t.Dict[str, t.Tuple[t.Optional[str], t.Optional[str]]]:
    """Aspect -> (observed, desired) of what differs.

    Only what is desired is compared, and what was ``defined`` when the container was made and no longer is.
    """
    found: t.Dict[str, t.Tuple[t.Optional[str], t.Optional[str]]] = {}
    defined = frozenset(defined)
    for name, value in desired.items():
        dropped = name in DROPPABLE and name in defined and name not in observed
        if observed.get(name) != value and not dropped:
            found[name] = (observed.get(name), value)
    for name in sorted(defined):
        if name not in desired and name in observed:
            found[name] = (observed[name], None)
    return found


def reason(name: str, before: t.Optional[str], after: t.Optional[str]) -> str:
    """One difference in words, such as ``memory 1g -> 2g``. Values of environment variables are left out: they may be private."""
    if name.startswith("file "):
        return f"{name} {'is new' if before is None else 'is no longer defined' if after is None else 'changed'}"
    if name.startswith("environment variable "):
        return f"{name} {'is new' if before is None else 'is no longer defined' if after is None else 'changed'}"
    return f"{name} {short(before)} -> {short(after)}"


def short(value: t.Optional[str]) -> str:
    """``value`` cut to a length that still reads in one line."""
    if value is None:
        return "none"
    value = " ".join(value.split())
    return value if len(value) <= SHOWN else value[: SHOWN - 3] + "..."


def defined_aspects(config: t.Mapping[str, t.Any]) -> t.List[str]:
    """The aspects that the definition set when this container was made."""
    return [str(name) for name in json_label(config.get("Labels"), labels.DEFINED, [])]


def file_digests(own: t.Optional[t.Mapping[str, str]]) -> t.Dict[str, str]:
    """Path -> digest of the config files that a container was made with."""
    return {str(path): str(digest) for path, digest in json_label(own, labels.FILES, {}).items()}


def json_label(own: t.Optional[t.Mapping[str, str]], name: str, default: t.Any) -> t.Any:
    """The JSON in a label; ``default`` when there is none of that type (a label is only text, somebody may have written it)."""
    try:
        value = json.loads((own or {}).get(name) or "null")
    except ValueError:
        return default
    return value if isinstance(value, type(default)) else default


def words(value: t.Optional[t.Sequence[str]]) -> t.Optional[str]:
    """A command line as JSON, which keeps its words apart."""
    return json.dumps(list(value)) if value is not None else None


def flag(value: t.Optional[bool]) -> t.Optional[str]:
    """Yes or no; None when it is not set."""
    return None if value is None else "yes" if value else "no"


def seconds(value: t.Optional[t.Union[int, float]]) -> t.Optional[str]:
    """A time such as ``30 s``."""
    return None if value is None else f"{value:g} s"


def size(value: t.Optional[int]) -> t.Optional[str]:
    """A number of bytes such as ``1g``; None when there is no limit."""
    if not value:
        return None
    for unit, factor in (("t", 1024**4), ("g", 1024**3), ("m", 1024**2), ("k", 1024)):
        if value % factor == 0:
            return f"{value // factor}{unit}"
    return f"{value}b"


def share(value: t.Optional[int]) -> t.Optional[str]:
    """Billionths of a CPU as a number of CPUs such as ``0.5``."""
    return f"{value / 1e9:g}" if value else None


def policy(value: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[str]:
    """A restart policy such as ``on-failure:5``."""
    if not value:
        return None
    tries = value.get("MaximumRetryCount") or 0
    return (value.get("Name") or "no") + (f":{tries}" if tries else "")


def logging(value: t.Optional[t.Mapping[str, t.Any]]) -> t.Optional[str]:
    """A log driver and its options."""
    if not value or not value.get("Type"):
        return None
    options = " ".join(f"{key}={item}" for key, item in sorted((value.get("Config") or {}).items()))
    return f"{value['Type']} {options}".strip()


def health(value: t.Optional[t.Mapping[str, t.Any]]) -> t.Dict[str, t.Any]:
    """The aspects of a health check. Each time stands for itself: one that is not asked for comes from the image."""
    value = value or {}
    if not value.get("Test"):
        return {}
    test = list(value["Test"])
    if test[0] == "NONE":
        # The Engine keeps the image's times beside it; nothing reads them.
        return {"health check": json.dumps(test)}
    times = {name: f"{value[key] / 1e9:g} s" for name, key in HEALTH_TIMES.items() if value.get(key)}
    return {"health check": json.dumps(test), **times, "health check retries": value.get("Retries") or None}


def entrypoint(config: t.Mapping[str, t.Any]) -> t.Optional[str]:
    """The entry point. None, an empty list and an empty word are one: the Engine takes the last two for "not the image's"."""
    if "Entrypoint" not in config:
        return None
    value = config["Entrypoint"] or []
    return words([] if list(value) == [""] else value)


def security(value: t.Optional[t.Sequence[str]]) -> t.List[str]:
    """Security options in one form: the Engine takes a colon or an equals sign, and "true" is what a bare name means."""
    options = (re.sub("^([a-z-]+):", r"\1=", option) for option in value or [])
    return sorted(option.removesuffix("=true") for option in options)


def gpus(value: t.Optional[t.Sequence[t.Mapping[str, t.Any]]]) -> t.Optional[str]:
    """The GPUs that a container asks for: how many, or which."""
    for request in value or []:
        if any("gpu" in capabilities for capabilities in request.get("Capabilities") or []):
            ids = request.get("DeviceIDs") or []
            return "device=" + ",".join(ids) if ids else "all" if request.get("Count") == -1 else str(request.get("Count"))
    return None


def capabilities(value: t.Optional[t.Sequence[str]]) -> t.List[str]:
    """Capabilities without the prefix that some Engines add; ALL holds every other."""
    names = {name.upper().removeprefix("CAP_") for name in value or []}
    return ["ALL"] if "ALL" in names else sorted(names)
