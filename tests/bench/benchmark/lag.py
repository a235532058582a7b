# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait lag: how long after a container has become ready ``rpc_ready`` knows it.

Each container waits at a gate (a named pipe), sleeps for a time that differs from node to node, writes down the moment
and opens its HTTP port. The moment is taken *before* the server starts, so that the lag is never too small.
"""

from __future__ import annotations

import errno
import json
import math
import os
import random
import shutil
import sys
import time
import typing as t
from pathlib import Path

import docker

from benchmark import ansible, commands, engine, settings
from benchmark.ansible import Event
from benchmark.measured import Sample, Samples
from benchmark.settings import CACHE, CLUSTER_LABEL, BenchError, Case, Options, say

PORT = 8080
# Seconds after the start of Ansible in which nodes become ready: it needs some to begin to wait.
EARLIEST, LATEST = 3.0, 7.0
# A pipe that its last writer is just leaving is read as empty: then the shell reads again.
SCRIPT = """
echo ready > /tmp/index.html
while true; do
  until read -r delay < "/gate/$0"; do true; done
  busybox sleep "$delay"
  busybox cat /proc/uptime
  busybox httpd -f -p "$1" -h /tmp &
  until read -r stop < "/gate/$0"; do true; done
  kill $!
  wait $!
done
"""


def measure(options: Options, samples: Samples) -> None:
    """At least ``options.lag_samples`` samples for the smallest and for the largest size."""
    api = engine.connect()
    for size in sorted({min(options.sizes), max(options.sizes)}):
        case = Case("ours", size, list(options.subnet.subnets(new_prefix=24))[-1], CACHE / "work" / f"lag-{size}", options.repeats)
        engine.clear(api, case)
        try:
            _launch(api, case)
            before, number = len(samples.all), 0
            while len(samples.all) - before < options.lag_samples and number < 3 * math.ceil(options.lag_samples / size):
                lags = _one(api, case, number)
                for lag in lags:
                    samples.add(Sample("ours", "lag", size, number, lag))
                say(f"bench: wait lag, N={size}, run {number + 1}: {len(lags)} samples, largest {max(lags, default=0) * 1000:.0f} ms")
                number += 1
        finally:
            with commands.undisturbed():
                engine.clear(api, case)
            if not options.keep:
                shutil.rmtree(case.folder, ignore_errors=True)


def _launch(api: docker.APIClient, case: Case) -> None:
    gate = case.folder / "gate"
    shutil.rmtree(gate, ignore_errors=True)
    gate.mkdir(parents=True)
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Wait", "gravity.cluster.rpc_ready": _arguments(case)}]}]
    (case.folder / "play.yml").write_text(json.dumps(play, indent=1), encoding="utf-8")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (case.folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": {"localhost": local}}}), encoding="utf-8")
    labels = {CLUSTER_LABEL: case.network, "gravity.cluster.kind": "node"}
    engine.make_network(api, case, labels)
    for node in case.nodes:
        os.mkfifo(gate / node.name)
        (gate / node.name).chmod(0o666)
        host = api.create_host_config(
            mem_limit=settings.MEMORY,
            pids_limit=settings.PIDS,
            tmpfs={"/tmp": ""},
            read_only=True,
            binds=[f"{gate}:/gate:ro"],
            network_mode=case.network,
        )
        made = api.create_container(
            settings.IMAGE,
            ["/bin/sh", "-c", SCRIPT, node.name, str(PORT)],
            name=node.container,
            user=settings.USER,
            labels={**labels, "gravity.cluster.node": node.name},
            host_config=host,
            networking_config=engine.networking(api, case, node),
        )
        api.start(made["Id"])


def _arguments(case: Case) -> t.Dict[str, t.Any]:
    nodes = [
        {"name": node.name, "container": node.container, "probes": {"web": {"type": "http", "url": f"http://{node.address}:{PORT}/"}}}
        for node in case.nodes
    ]
    return {"cluster": case.network, "nodes": nodes, "timeout": 60}


def _one(api: docker.APIClient, case: Case, number: int) -> t.List[float]:
    """Open the gates, wait with ``rpc_ready``, close the gates again; the lags in seconds."""
    dice = random.Random(number)
    gate = case.folder / "gate"
    for node in case.nodes:
        _write(gate / node.name, f"{dice.uniform(EARLIEST, LATEST):.3f}")
    _seconds, events = ansible.play(case.folder / "play.yml", case.folder / "inventory.yml", case.folder / f"wait-{number}.log")
    ready = {node.name: _moment(api, node.container) for node in case.nodes}
    for node in case.nodes:
        _write(gate / node.name, "stop")
    # The shells need a moment to leave the pipe: what is written before that is lost.
    time.sleep(1)
    return lags(events, ready)


def lags(events: t.Sequence[Event], ready: t.Mapping[str, float]) -> t.List[float]:
    """Seconds from the moment when a node was ready to the moment when the wait knew it.

    The module tells seconds since its own beginning, so its end is laid upon the moment at which Ansible had the result:
    what the module's exit and Ansible take counts as lag. Nodes that were ready before the wait began are left out.
    """
    ended = next(event for event in events if event.get("result"))
    result = ended["result"]
    if not result.get("ready"):
        raise BenchError(f"rpc_ready failed: {result.get('msg')}")
    began = ended["at"] - result["seconds"]
    waited = {name: began + facts["seconds"] for name, facts in result["nodes"].items()}
    return [waited[name] - moment for name, moment in ready.items() if moment > began]


def _moment(api: docker.APIClient, container: str) -> float:
    """The last moment that a container wrote down, on the monotonic clock (that of /proc/uptime as long as nothing sleeps)."""
    said = api.logs(container, stdout=True, stderr=False).decode("ascii").splitlines()[-1]
    drift = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return float(said.split()[0]) - drift


def _write(pipe: Path, line: str) -> None:
    """Write ``line`` into ``pipe`` as soon as the container reads it."""
    for _attempt in range(1000):
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as exc:
            if exc.errno != errno.ENXIO:
                raise
            time.sleep(0.01)
            continue
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)
        return
    raise BenchError(f"nothing reads {pipe}: its container does not run")
