# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: what the Engine itself needs. Low-level SDK calls, a pool of eight threads, nothing looked up or compared."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import docker.types

from benchmark import engine, settings
from benchmark.measured import Timed
from benchmark.settings import Case, Node


class Floor:
    """Creates the network, then creates and starts each container. Its no-op inspects them all."""

    key = "floor"
    title = "Docker SDK, 8 threads (floor)"

    def prepare(self, case: Case) -> None:
        """Nothing to write."""

    def cold(self, case: Case) -> Timed:
        """Create and start everything."""
        begin = time.perf_counter()
        api = engine.connect()
        labels = {settings.LABEL: case.contender}
        engine.make_network(api, case, labels)
        host = api.create_host_config(
            mem_limit=settings.MEMORY,
            nano_cpus=int(settings.CPUS * 1e9),
            pids_limit=settings.PIDS,
            cap_drop=["ALL"],
            security_opt=settings.SECURITY,
            read_only=True,
            init=True,
            tmpfs={"/tmp": ""},
            restart_policy={"Name": "unless-stopped"},
            log_config=docker.types.LogConfig(type="json-file", config=settings.LOG),
            network_mode=case.network,
        )

        def launch(node: Node) -> None:
            made = api.create_container(
                settings.IMAGE,
                settings.COMMAND,
                name=node.container,
                user=settings.USER,
                labels=labels,
                host_config=host,
                networking_config=engine.networking(api, case, node),
            )
            api.start(made["Id"])

        with ThreadPoolExecutor(engine.THREADS) as threads:
            list(threads.map(launch, case.nodes))
        return Timed(time.perf_counter() - begin)

    def noop(self, case: Case) -> Timed:
        """Inspect every container."""
        begin = time.perf_counter()
        api = engine.connect()
        with ThreadPoolExecutor(engine.THREADS) as threads:
            list(threads.map(api.inspect_container, [node.container for node in case.nodes]))
        return Timed(time.perf_counter() - begin)
