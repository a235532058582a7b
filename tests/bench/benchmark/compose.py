# SPDX-License-Identifier: GPL-3.0-or-later
"""docker-compose 1.29, as Debian packages it, with its own default parallelism."""

from __future__ import annotations

import json
import typing as t

from benchmark import commands, settings
from benchmark.measured import Timed
from benchmark.settings import Case


class Compose:
    """``docker-compose up -d``. The file is JSON, which is YAML and parses faster."""

    key = "compose"
    title = "docker-compose 1.29"

    def prepare(self, case: Case) -> None:
        """Write the compose file."""
        labels = {settings.LABEL: case.contender}
        network = {
            "driver": "bridge",
            "labels": labels,
            "ipam": {"config": [{"subnet": str(case.subnet), "gateway": case.gateway}]},
        }
        services: t.Dict[str, t.Any] = {
            node.name: {
                "image": settings.IMAGE,
                "command": settings.COMMAND,
                "container_name": node.container,
                "user": settings.USER,
                "labels": labels,
                "mem_limit": settings.MEMORY,
                "cpus": settings.CPUS,
                "pids_limit": settings.PIDS,
                "cap_drop": ["ALL"],
                "security_opt": settings.SECURITY,
                "read_only": True,
                "init": True,
                "tmpfs": ["/tmp"],
                "restart": "unless-stopped",
                "logging": {"driver": "json-file", "options": settings.LOG},
                "networks": {"bench": {"ipv4_address": node.address}},
            }
            for node in case.nodes
        }
        case.folder.mkdir(parents=True, exist_ok=True)
        content = {"version": "2.4", "services": services, "networks": {"bench": network}}
        (case.folder / "docker-compose.yml").write_text(json.dumps(content, indent=1), encoding="utf-8")

    def cold(self, case: Case) -> Timed:
        """``up -d`` on nothing."""
        return self._up(case, "cold")

    def noop(self, case: Case) -> Timed:
        """``up -d`` again."""
        return self._up(case, "noop")

    def _up(self, case: Case, phase: str) -> Timed:
        argv = ["docker-compose", "--project-name", case.network, "up", "-d"]
        return Timed(commands.run(argv, case.folder / f"{phase}.log", cwd=case.folder))
