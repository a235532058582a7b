# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's own eyes and broom on the Engine: what runs, is it the same for everyone, remove it."""

from __future__ import annotations

import io
import tarfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import docker.errors
import docker.types
import docker.utils

from benchmark.settings import CLUSTER_LABEL, IMAGE, LABEL, BenchError, Case, Node

Data = t.Dict[str, t.Any]

THREADS = 8
# The Engine may take this long to remove everything when the machine is busy (seconds).
CLEAR_LIMIT = 180.0
# An empty network that cannot be removed within this time will not go before the Engine restarts (seconds).
STUCK_AFTER = 10.0
# Names of such networks.
STUCK: t.Set[str] = set()


def connect() -> docker.APIClient:
    """A new low-level client of the Engine that ``DOCKER_HOST`` names, or the local one."""
    try:
        return docker.APIClient(**docker.utils.kwargs_from_env(), version="auto", timeout=120, num_pools=THREADS)
    except docker.errors.DockerException as exc:
        raise BenchError(f"no Docker Engine answers ({exc}): start it, or name one with DOCKER_HOST") from exc


def import_image(api: docker.APIClient, busybox: Path) -> None:
    """Make the image: a shell, and folders to mount on. One of an earlier run is replaced."""
    forget_image(api)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "tmp", "gate"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        entry = archive.gettarinfo(str(busybox), "bin/busybox")
        entry.mode, entry.uid, entry.gid = 0o755, 0, 0
        with busybox.open("rb") as stream:
            archive.addfile(entry, stream)
        entry = tarfile.TarInfo("bin/sh")
        entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
        archive.addfile(entry)
    repository, tag = IMAGE.split(":")
    api.import_image_from_data(buffer.getvalue(), repository=repository, tag=tag)


def make_network(api: docker.APIClient, case: Case, labels: t.Dict[str, str]) -> None:
    """Make the bridge network of ``case``."""
    pool = docker.types.IPAMPool(subnet=str(case.subnet), gateway=case.gateway)
    api.create_network(case.network, driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels=labels)


def networking(api: docker.APIClient, case: Case, node: Node) -> t.Any:
    """The part of a container's creation that gives it its fixed address."""
    endpoint: t.Any = api.create_endpoint_config(ipv4_address=node.address, aliases=[node.name])
    # The stubs of the SDK say that this takes an endpoint; it takes endpoints by network.
    return api.create_networking_config(t.cast("t.Any", {case.network: endpoint}))


def selector(case: Case) -> t.Dict[str, str]:
    """Engine list filter for the objects of ``case``."""
    if case.contender == "ours":
        return {"label": f"{CLUSTER_LABEL}={case.network}"}
    return {"label": f"{LABEL}={case.contender}"}


def containers(api: docker.APIClient, case: Case) -> t.List[Data]:
    """The Engine's full description of every container of ``case``, by name."""
    listed = api.containers(all=True, filters=selector(case))
    with ThreadPoolExecutor(THREADS) as pool:
        found: t.List[Data] = list(pool.map(api.inspect_container, [entry["Id"] for entry in listed]))
    return sorted(found, key=lambda entry: str(entry["Name"]))


def check_running(api: docker.APIClient, case: Case) -> t.Dict[str, str]:
    """``{container id: when it was started}``; raises :class:`BenchError` unless all of ``case`` run at their addresses."""
    found = containers(api, case)
    running = [entry for entry in found if entry["State"]["Running"]]
    wanted = sorted(node.address for node in case.nodes)
    seen = sorted(str(address(entry)) for entry in running)
    if seen != wanted:
        raise BenchError(f"{case.contender}: {len(running)} of {case.size} containers run at their addresses")
    return {entry["Id"]: entry["State"]["StartedAt"] for entry in found}


def address(container: Data) -> t.Optional[str]:
    """The fixed address that a container asked for."""
    for network in container["NetworkSettings"]["Networks"].values():
        return (network.get("IPAMConfig") or {}).get("IPv4Address")
    return None


def traits(container: Data) -> Data:
    """The settings that cost the Engine time, in one form: they must be equal for all contenders."""
    host, config = container["HostConfig"], container["Config"]
    return {
        "image": container["Image"],
        "argv": [container["Path"], *container["Args"]],
        "user": config["User"],
        "memory": host["Memory"],
        "cpus": host["NanoCpus"] or (host["CpuQuota"] * 10_000 if host["CpuQuota"] else 0),
        "pids": host["PidsLimit"],
        "restart": host["RestartPolicy"]["Name"],
        "cap_drop": sorted(host["CapDrop"] or []),
        "cap_add": sorted(host["CapAdd"] or []),
        "security": sorted(option.removesuffix(":true") for option in host["SecurityOpt"] or []),
        "read_only": host["ReadonlyRootfs"],
        "tmpfs": sorted(host["Tmpfs"] or {}),
        "log": [host["LogConfig"]["Type"], *sorted((host["LogConfig"]["Config"] or {}).items())],
        "init": bool(host.get("Init")),
        "mounts": len(container["Mounts"]),
        "published ports": sorted(host["PortBindings"] or {}),
        "networks": len(container["NetworkSettings"]["Networks"]),
        "health": bool(config.get("Healthcheck")),
    }


def unequal(left: Data, right: Data) -> t.List[str]:
    """``name: left / right`` for each trait that differs."""
    one, other = traits(left), traits(right)
    return [f"{name}: {one[name]} / {other[name]}" for name in one if one[name] != other[name]]


def clear(api: docker.APIClient, case: Case) -> None:
    """Remove every container, network and volume of ``case``; looks again until none is left."""
    begin = time.monotonic()
    empty_since = None
    while time.monotonic() < begin + CLEAR_LIMIT:
        listed = [entry["Id"] for entry in api.containers(all=True, filters=selector(case))]
        networks = [entry["Name"] for entry in api.networks(filters=selector(case)) if entry["Name"] not in STUCK]
        volumes = [entry["Name"] for entry in api.volumes(filters=selector(case))["Volumes"] or []]
        if not listed and not networks and not volumes:
            return
        empty_since = None if listed else empty_since or time.monotonic()
        if empty_since is not None and time.monotonic() > empty_since + STUCK_AFTER:
            STUCK.update(networks)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda item: remove(api.remove_container, item, v=True, force=True), listed))
        for network in networks:
            remove(api.remove_network, network)
        for volume in volumes:
            remove(api.remove_volume, volume)
        time.sleep(0.2)
    raise BenchError(f"{case.contender}: the Engine keeps objects that were removed: docker ps -a --filter label={selector(case)['label']}")


def remove(call: t.Callable[..., t.Any], item: str, **options: t.Any) -> None:
    """One removal; what is gone already, or is going, is fine: :func:`clear` looks again."""
    try:
        call(item, **options)
    except docker.errors.APIError:
        return


def forget_image(api: docker.APIClient) -> None:
    """Remove the image."""
    remove(api.remove_image, IMAGE, force=True)
