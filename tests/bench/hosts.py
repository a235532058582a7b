# SPDX-License-Identifier: GPL-3.0-or-later
"""What more Docker hosts cost: our deploy of 8 nodes per host on 1, 2 and 3 hosts over SSH, and of one node more on 24.

The hosts are containers on this machine (tests/lib/docker_hosts.py), so they share its processors: what they cannot do side by side
here costs time that real hosts would not need. So the processor time is told beside the time, that of the hosts for itself, and an
estimate of the time with hosts apart: without what all hosts but the busiest one have spent, spread over this machine's processors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import docker
import yaml
from benchmark import commands
from benchmark.settings import REPOSITORY, BenchError, say

sys.path.insert(0, str(REPOSITORY / "tests" / "lib"))
import docker_hosts

NAME = "gravity-bench-hosts"
IMAGE = "gravity-bench-hosts:1"
PER_HOST = 8
TARGETS = {"3 hosts over 1, hosts apart": 1.3, "one node more over a full deploy": 0.15}
# What is measured -> nodes.
NODES = {"1 host": 8, "2 hosts": 16, "3 hosts": 24, "again": 24, "one more": 25, "one more, limited": 26}
Data = t.Dict[str, t.Any]


class Bench:
    """The hosts, the spec, and one measured playbook after the other."""

    def __init__(self, folder: Path, subnet: str) -> None:
        self.folder = folder
        self.api: t.Any = docker.APIClient(version="auto", timeout=300)
        self.addresses = docker_hosts.up(self.api, NAME, folder, subnet, 3)

    def write(self, hosts: int, nodes: int) -> Path:
        """A spec with so many nodes on the first hosts."""
        login = {
            "ansible_user": docker_hosts.USER,
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder / 'known_hosts'}",
        }
        spec = {
            "plugin": "gravity.cluster.spec",
            "cluster_name": NAME,
            "flavor": "generic",
            "hosts": {host: {"ansible_host": address, **login} for host, address in list(self.addresses.items())[:hosts]},
            "image": {"source": "assemble", "name": IMAGE, "assemble": {"programs": ["sh", "sleep", "cat"]}},
            "defaults": {"command": ["sleep", "86400"], "resources": {"memory": "64m", "cpus": 0.25, "pids": 32}},
            "nodes": {f"web_[0:{nodes - 1}]": {"role": "service"}},
        }
        path = self.folder / "cluster.yml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        return path

    def play(self, verb: str, spec: Path, *more: str) -> Data:
        """Run a playbook.

        ``seconds``; ``cpu`` seconds of the whole machine and ``hosts`` seconds of the hosts; ``apart``: estimated seconds if each host were
        a machine of its own; ``bytes`` that each host received.
        """
        environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(REPOSITORY / ".venv/bin/ansible-playbook"), str(REPOSITORY / f"playbooks/{verb}.yml"), "-i", str(spec), *more]
        received, used, spent = self.received(), self.used(), cpu_seconds()
        seconds = commands.run(command, self.folder / f"{verb}.log", environment, REPOSITORY)
        cpu, hosts = cpu_seconds() - spent, [now - before for now, before in zip(self.used(), used)]
        return {
            "seconds": seconds,
            "cpu": cpu,
            "hosts": sum(hosts),
            "apart": seconds - (sum(hosts) - max(hosts)) / (os.cpu_count() or 1),
            "bytes": {host: count - received[host] for host, count in self.received().items()},
        }

    def received(self) -> t.Dict[str, int]:
        """Bytes that came to each host so far."""
        counter = "/sys/class/net/eth0/statistics/rx_bytes"
        read = [["docker", "exec", f"{NAME}-{host}", "cat", counter] for host in self.addresses]
        said = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for command in read]
        return dict(zip(self.addresses, map(int, said)))

    def used(self) -> t.List[float]:
        """Processor seconds of each host so far: its SSH server, what Ansible ran there, and its Engine."""
        found = [self.api.stats(f"{NAME}-{host}", stream=False, one_shot=True) for host in self.addresses]
        return [one["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9 for one in found]

    def forget(self, spec: Path) -> None:
        """Remove the nodes, and the image: the next deploy is a first one, but for the Engines."""
        self.purge(spec)
        for host in self.addresses:
            subprocess.run(["docker", "exec", f"{NAME}-{host}", "docker", "image", "rm", "--force", IMAGE], check=True, capture_output=True)

    def purge(self, spec: Path) -> None:
        """Remove the nodes, and where they were put."""
        self.play("teardown", spec, "-e", "teardown_purge=true", "-e", f"confirm={NAME}")
        (self.folder / ".cluster.placement.json").unlink(missing_ok=True)

    def round(self, figures: t.Dict[str, t.List[Data]]) -> None:
        """Every deploy once."""
        for hosts in (1, 2, 3):
            spec = self.write(hosts, hosts * PER_HOST)
            figures["1 host" if hosts == 1 else f"{hosts} hosts"].append(self.play("deploy", spec))
            if hosts == 3:
                figures["again"].append(self.play("deploy", spec))
                figures["one more"].append(self.play("deploy", self.write(hosts, hosts * PER_HOST + 1)))
                more = self.write(hosts, hosts * PER_HOST + 2)
                figures["one more, limited"].append(self.play("deploy", more, "--limit", f"web_{hosts * PER_HOST + 1}"))
            self.forget(spec)


def cpu_seconds() -> float:
    """Processor time that this machine has spent since it began."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def report(figures: t.Dict[str, t.List[Data]]) -> None:
    """Medians, and the ratios within a round."""
    say("| deploy | nodes | seconds | over 1 host | hosts apart | over 1 host | CPU seconds | of the hosts | bytes to a host |")
    say("|---|---|---|---|---|---|---|---|---|")
    for key, found in figures.items():
        ratios = [ratio(found, figures["1 host"], what) for what in ("seconds", "apart")]
        sent = max(median(one["bytes"][host] for one in found) for host in found[0]["bytes"])
        seconds, apart, cpu, hosts = (median(one[what] for one in found) for what in ("seconds", "apart", "cpu", "hosts"))
        say(
            f"| {key} | {NODES[key]} | {seconds:.1f} | {ratios[0]:.2f} | {apart:.1f} | {ratios[1]:.2f} "
            f"| {cpu:.1f} | {hosts:.1f} | {sent / 1e6:.1f} MB |"
        )
    three = ratio(figures["3 hosts"], figures["1 host"], "apart")
    more = ratio(figures["one more"], figures["3 hosts"], "seconds")
    for name, seen in zip(TARGETS, (three, more)):
        say(f"{name}: {seen:.2f} (wanted: at most {TARGETS[name]:g}) {'yes' if seen <= TARGETS[name] else 'NO'}")


def ratio(found: t.Sequence[Data], base: t.Sequence[Data], what: str) -> float:
    """Median of the ratios within a round."""
    return median(one[what] / other[what] for one, other in zip(found, base))


def median(values: t.Iterable[float]) -> float:
    return statistics.median(list(values))


def main() -> int:
    """Measure, and always remove what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--subnet", default="10.207.9.0/24", help="addresses of the hosts (default: %(default)s)")
    given = parser.parse_args()
    figures: t.Dict[str, t.List[Data]] = {key: [] for key in NODES}
    with tempfile.TemporaryDirectory() as folder:
        try:
            bench = Bench(Path(folder), given.subnet)
            # Engines start before anything is measured.
            spec = bench.write(3, 3)
            bench.play("deploy", spec)
            bench.forget(spec)
            for number in range(given.repeats):
                say(f"bench: round {number + 1} of {given.repeats}")
                bench.round(figures)
            report(figures)
        except BenchError as exc:
            say(f"bench: {exc}")
            return 1
        finally:
            with commands.undisturbed():
                docker_hosts.down(docker.APIClient(version="auto", timeout=300), NAME)
    return 0


if __name__ == "__main__":
    sys.exit(main())
