# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker hosts for tests: containers that are reached over SSH, as a user with sudo, and can run a Docker Engine of their own.

``up`` writes into a folder what Ansible needs: a key, the host keys, and ``hosts.json`` (name -> address). ``down`` removes
everything that ``up`` made, whatever state it is in.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import ipaddress
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import typing as t
from pathlib import Path

import debian_image
import docker
import docker.errors

# The published types of the low-level client are too incomplete to be of use.
Api = t.Any

LABEL = "gravity-test-hosts"
REPOSITORY = "gravity-test-host"
USER = "ops"
NAMES = ("alpha", "beta", "gamma", "delta")

# What a bare machine has, and what a Docker host has on top of it.
BARE = ("openssh-server", "python3", "sudo", "ca-certificates", "iproute2", "iptables", "procps", "ufw", "zstd")
ENGINE = ("docker.io", "python3-docker")

START = """#!/bin/sh
mount -o remount,rw /sys
mkdir -p /run/sshd
ssh-keygen -A >/dev/null
exec /usr/sbin/sshd -D -e
"""

# How long a host may take until its SSH server answers (seconds).
PATIENCE = 60.0


def image(api: Api, with_engine: bool = True) -> str:
    """Name of the image of a host; it is made when it is not there."""
    packages = (*BARE, *(ENGINE if with_engine else ()))
    name = f"{REPOSITORY}:{hashlib.sha256(repr((packages, START)).encode()).hexdigest()[:12]}"
    try:
        api.inspect_image(name)
    except docker.errors.ImageNotFound:
        _make_image(api, name, packages)
    return name


def _make_image(api: Api, name: str, packages: t.Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        start.write_text(START, encoding="utf-8")
        hooks = (
            f'upload "{start}" /usr/local/sbin/start-host',
            f'chroot "$1" useradd --create-home --shell /bin/bash {USER}',
            f'echo "{USER} ALL=(ALL) NOPASSWD:ALL" >"$1/etc/sudoers.d/{USER}"',
            'rm -f "$1"/etc/ssh/ssh_host_*_key*',
        )
        debian_image.make(api, name, packages, hooks, ['CMD ["/bin/sh", "/usr/local/sbin/start-host"]', f"LABEL {LABEL}=image"])


def up(api: Api, name: str, folder: Path, subnet: str, count: int, bare: t.Collection[str] = ()) -> t.Dict[str, str]:
    """Start ``count`` hosts on a network of their own, and wait until SSH answers: host -> address. Those in ``bare`` have no Engine."""
    down(api, name)
    if shutil.which("ssh") is None:
        debian_image.install("openssh-client")
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    for old in (key, key.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    labels = {LABEL: name}
    pool = docker.types.IPAMPool(subnet=subnet)
    api.create_network(name, driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels=labels)
    addresses = {}
    places = ipaddress.IPv4Network(subnet)
    for number, host in enumerate(NAMES[:count]):
        container = _start(api, name, host, image(api, host not in bare), labels, str(places[10 + number]))
        _put(api, container, f"/home/{USER}", ".ssh/authorized_keys", key.with_suffix(".pub").read_bytes())
        addresses[host] = str(places[10 + number])
    known = [f"{address} {_host_key(api, f'{name}-{host}')}" for host, address in addresses.items()]
    (folder / "known_hosts").write_text("".join(known), encoding="utf-8")
    (folder / "hosts.json").write_text(json.dumps(addresses), encoding="utf-8")
    return addresses


def _start(api: Api, name: str, host: str, source: str, labels: t.Dict[str, str], address: str) -> str:
    volume = f"{name}-{host}"
    api.create_volume(volume, labels=labels)
    config: t.Any = api.create_host_config(
        binds=[f"{volume}:/var/lib/docker", "/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        # The machines of the tests have no CAP_SYS_RESOURCE, so that a privileged container is not to be had.
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        cgroupns="host",
        init=True,
        network_mode=name,
    )
    config.update(MaskedPaths=[], ReadonlyPaths=[])
    network = api.create_networking_config({name: api.create_endpoint_config(ipv4_address=address)})
    made = api.create_container(source, name=f"{name}-{host}", hostname=host, host_config=config, networking_config=network, labels=labels)
    api.start(made["Id"])
    return str(made["Id"])


def _put(api: Api, container: str, folder: str, path: str, content: bytes) -> None:
    """A file of the user, in a folder of the user's own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        parent = tarfile.TarInfo(os.path.dirname(path))
        parent.type, parent.mode, parent.uid, parent.gid = tarfile.DIRTYPE, 0o700, 1000, 1000
        archive.addfile(parent)
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o600, 1000, 1000
        archive.addfile(entry, io.BytesIO(content))
    api.put_archive(container, folder, buffer.getvalue())


def _host_key(api: Api, container: str) -> str:
    """The public host key of a host whose SSH server is up."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        probe = api.exec_create(container, ["sh", "-c", "ss -ltn | grep -q ':22 ' && cat /etc/ssh/ssh_host_ed25519_key.pub"])
        said: str = api.exec_start(probe["Id"]).decode()
        if said.startswith("ssh-ed25519 "):
            return said
        time.sleep(0.1)
    raise RuntimeError(f"{container}: no SSH server within {PATIENCE:g} s: {api.logs(container, tail=20)!r}")


def down(api: Api, name: str) -> None:
    """Remove the hosts, with all that their Engines hold."""
    label = {"label": f"{LABEL}={name}"}
    for container in api.containers(all=True, filters=label):
        api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks(filters=label):
        api.remove_network(network["Id"])
    for volume in api.volumes(filters=label)["Volumes"] or []:
        api.remove_volume(volume["Name"], force=True)


def main() -> None:
    """``up`` and ``down`` for playbooks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, help="where the key and the addresses go (up)")
    parser.add_argument("--subnet", help="addresses of the hosts (up)")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--bare", action="append", default=[], help="a host without an Engine (up)")
    given = parser.parse_args()
    api = docker.APIClient(version="auto", timeout=300)
    if given.verb == "down":
        down(api, given.name)
    else:
        print(json.dumps(up(api, given.name, given.folder, given.subnet, given.count, given.bare)))


if __name__ == "__main__":
    main()
