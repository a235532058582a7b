# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own deploy: the shipped playbook on a spec of flavor ``generic``, with the inventory parsed anew each time."""

from __future__ import annotations

import json
import typing as t

from benchmark import ansible, settings
from benchmark.measured import Timed
from benchmark.settings import REPOSITORY, Case

DEPLOY = REPOSITORY / "playbooks" / "deploy.yml"


class Ours:
    """``ansible-playbook playbooks/deploy.yml``: readiness wait and final table included."""

    key = "ours"
    title = "gravity.cluster deploy"

    def prepare(self, case: Case) -> None:
        """Write the spec."""
        spec: t.Dict[str, t.Any] = {
            "plugin": "gravity.cluster.spec",
            "cluster_name": case.network,
            "network": {"name": case.network, "subnet": str(case.subnet), "gateway": case.gateway},
            "flavor": "generic",
            "defaults": {
                "role": "service",
                "image": {"source": "present", "name": settings.IMAGE},
                "command": settings.COMMAND,
                "user": settings.USER,
                "resources": {"cpus": settings.CPUS, "memory": str(settings.MEMORY), "pids": settings.PIDS},
                "tmpfs": ["/tmp"],
            },
            "nodes": {node.name: {"container_name": node.container, "network_ip": node.address} for node in case.nodes},
        }
        case.folder.mkdir(parents=True, exist_ok=True)
        (case.folder / "cluster.yml").write_text(json.dumps(spec, indent=1), encoding="utf-8")

    def cold(self, case: Case) -> Timed:
        """Deploy on nothing."""
        return self._deploy(case, "cold")

    def noop(self, case: Case) -> Timed:
        """Deploy again."""
        return self._deploy(case, "noop")

    def _deploy(self, case: Case, phase: str) -> Timed:
        seconds, events = ansible.play(DEPLOY, case.folder / "cluster.yml", case.folder / f"{phase}.log")
        return Timed(seconds, ansible.parts(events))
