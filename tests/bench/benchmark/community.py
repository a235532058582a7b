# SPDX-License-Identifier: GPL-3.0-or-later
"""community.docker.docker_container, the two ways in which it is used: a task loop, and one inventory host per container."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

from benchmark import commands, settings
from benchmark.measured import Timed
from benchmark.settings import Case

FORKS = 10

Data = t.Dict[str, t.Any]


class Community:
    """``ansible-playbook`` with one task for the network and one for the containers. Playbook and inventory are JSON."""

    def __init__(self, collections: Path, looping: bool) -> None:
        self.key = "loop" if looping else "hosts"
        self.title = "docker_container, task loop" if looping else f"docker_container, hosts, forks={FORKS}"
        self._collections = collections
        self._looping = looping

    def prepare(self, case: Case) -> None:
        """Write playbook and inventory."""
        nodes = {node.name: {"container": node.container, "address": node.address} for node in case.nodes}
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory: Data = {"all": {"vars": local, "hosts": {"localhost": {}}}}
        network = {"name": "Make the network", "community.docker.docker_network": _network(case)}
        container: Data = {"name": "Run the container"}
        if self._looping:
            items = [{"name": name, **facts} for name, facts in nodes.items()]
            container["community.docker.docker_container"] = _container(case, "item.container", "item.address", "item.name")
            container["loop"] = items
            container["loop_control"] = {"label": "{{ item.name }}"}
            plays: t.List[Data] = [{"hosts": "localhost", "gather_facts": False, "tasks": [network, container]}]
        else:
            inventory["all"]["children"] = {"nodes": {"hosts": nodes}}
            container["community.docker.docker_container"] = _container(case, "container", "address", "inventory_hostname")
            plays = [
                {"hosts": "localhost", "gather_facts": False, "tasks": [network]},
                {"hosts": "nodes", "gather_facts": False, "tasks": [container]},
            ]
        case.folder.mkdir(parents=True, exist_ok=True)
        (case.folder / "inventory.yml").write_text(json.dumps(inventory, indent=1), encoding="utf-8")
        (case.folder / "play.yml").write_text(json.dumps(plays, indent=1), encoding="utf-8")

    def cold(self, case: Case) -> Timed:
        """Run the playbook on nothing."""
        return self._play(case, "cold")

    def noop(self, case: Case) -> Timed:
        """Run the playbook again."""
        return self._play(case, "noop")

    def _play(self, case: Case, phase: str) -> Timed:
        argv = [settings.tool("ansible-playbook"), "-i", "inventory.yml", "play.yml", "--forks", str(FORKS)]
        env = settings.ansible_environment(case.folder, self._collections)
        return Timed(commands.run(argv, case.folder / f"{phase}.log", env=env, cwd=case.folder))


def _network(case: Case) -> Data:
    return {
        "name": case.network,
        "driver": "bridge",
        "labels": {settings.LABEL: case.contender},
        "ipam_config": [{"subnet": str(case.subnet), "gateway": case.gateway}],
    }


def _container(case: Case, container: str, address: str, alias: str) -> Data:
    return {
        "name": _variable(container),
        "image": settings.IMAGE,
        "pull": "never",
        "command": settings.COMMAND,
        "user": settings.USER,
        "labels": {settings.LABEL: case.contender},
        "memory": str(settings.MEMORY),
        "cpus": settings.CPUS,
        "pids_limit": settings.PIDS,
        "cap_drop": ["ALL"],
        "security_opts": settings.SECURITY,
        "read_only": True,
        "init": True,
        "tmpfs": ["/tmp"],
        "restart_policy": "unless-stopped",
        "log_driver": "json-file",
        "log_options": settings.LOG,
        "networks": [{"name": case.network, "ipv4_address": _variable(address), "aliases": [_variable(alias)]}],
    }


def _variable(name: str) -> str:
    return "{{ " + name + " }}"
