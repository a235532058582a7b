# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of tiny containers, and how to look at it from outside."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import ENGINE_ARGUMENTS, Engine, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import ARGUMENTS, reconcile

# Serves its root, and ends at once when it is asked to.
SERVE = ["httpd", "-f", "-p", "8080", "-h", "/srv"]


class Demo:
    """One cluster: definitions for it, runs of the module on it, and the Engine's view of it."""

    def __init__(self, engine: Engine, image: str, cluster: Any) -> None:
        self.engine = engine
        self.api = engine.api
        self.image = image
        self.cluster = cluster
        self.name = cluster.name

    def node(self, number: int = 0, **more: Any) -> dict[str, Any]:
        """A definition."""
        return {
            "name": f"{self.name}_{number}",
            "node": f"node_{number}",
            "role": "service",
            "image": self.image,
            "command": SERVE,
            "network_ip": self.cluster.address(10 + number),
            "aliases": [f"node_{number}"],
            "stop_grace": 5,
            **more,
        }

    def nodes(self, count: int, **more: Any) -> list[dict[str, Any]]:
        """Several definitions."""
        return [self.node(number, **more) for number in range(count)]

    def volume(self, number: int = 0) -> dict[str, Any]:
        """The data volume of a node."""
        return {"name": f"{self.name}_{number}-data", "target": "/data"}

    def run(self, *containers: dict[str, Any], check: bool = False, diff: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module on definitions, in the cluster's network."""
        args = {"cluster": self.name, "network": self.cluster.network, "containers": list(containers), **more}
        return call(args, check, diff)

    def act(self, state: str, check: bool = False, diff: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module without definitions."""
        return call({"cluster": self.name, "state": state, **more}, check, diff)

    def up(self, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Run the module on definitions; it must succeed."""
        result = self.run(*containers, **more)
        assert not result.get("failed"), result["msg"]
        return result

    def inspect(self, number: int = 0) -> dict[str, Any]:
        """What the Engine says of a node's container."""
        found: dict[str, Any] = self.api.inspect_container(f"{self.name}_{number}")
        return found

    def address(self, number: int = 0) -> str:
        """The address that a running container has."""
        return str(self.inspect(number)["NetworkSettings"]["Networks"][self.name]["IPAddress"])

    def shell(self, command: str, number: int = 0, user: str = "") -> str:
        """What a command says inside a node's container; it must succeed."""
        code, out, err = self.engine.run_in(f"{self.name}_{number}", ["sh", "-c", command], user=user)
        assert code == 0, f"{command}: {code}: {out!r} {err!r}"
        return (out + err).decode()

    def names(self, beginning: str) -> list[str]:
        """Names of all containers that begin so, whoever they belong to."""
        found = [name.lstrip("/") for one in self.api.containers(all=True) for name in one["Names"]]
        return sorted(name for name in found if name.startswith(beginning))

    def everything(self) -> dict[str, Any]:
        """All objects with the cluster's label, in as much detail as a change would show."""
        mine = labels.select(self.name)
        containers = [self.api.inspect_container(one["Id"]) for one in self.api.containers(all=True, filters=mine)]
        return {
            "containers": {one["Name"]: (one["Id"], one["State"], one["NetworkSettings"]["Networks"]) for one in containers},
            "networks": sorted(one["Id"] for one in self.api.networks(filters=mine)),
            "volumes": sorted(one["Name"] for one in self.api.volumes(filters=mine)["Volumes"] or []),
        }


def call(args: dict[str, Any], check: bool, diff: bool) -> dict[str, Any]:
    """What the module does below its edge, without a process of its own, which takes most of a test's time.

    Ansible's validator fills in the options, and the Engine is the real one. test_through_ansible.py has the edge.
    """
    validated = ArgumentSpecValidator({**ARGUMENTS, **ENGINE_ARGUMENTS}).validate(args)
    assert validated.error_messages == []
    params = {**validated.validated_parameters, "diff_mode": diff}
    try:
        return reconcile(params, Engine(options_from(params)), Progress(), check)
    except ClusterError as exc:
        return {"failed": True, "msg": exc.message, **exc.details}


@pytest.fixture
def demo(engine: Engine, tiny_image: str, cluster: Any) -> Demo:
    """A cluster that does not exist yet."""
    return Demo(engine, tiny_image, cluster)
