# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that look like nodes and are none."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._commands import find_nodes
from ansible_collections.gravity.cluster.plugins.module_utils._info import inspect_all
from ansible_collections.gravity.cluster.plugins.module_utils._readiness import list_containers


@pytest.fixture
def copy(demo: Any) -> Any:
    """A node that runs, and a container with a name before its name, made from an image of it. Both labels and process are the same."""
    demo.up(demo.node())
    image = demo.api.commit(f"{demo.name}_0", repository=f"{demo.name}-copy", tag="1")["Id"]
    made = demo.api.create_container_from_config({"Image": image}, f"{demo.name}-copy")["Id"]
    demo.api.start(made)
    yield made
    demo.api.remove_container(made, force=True)
    demo.api.remove_image(f"{demo.name}-copy:1", force=True)


def runs(demo: Any, container: str) -> bool:
    return bool(demo.api.inspect_container(container)["State"]["Running"])


def test_a_copy_of_a_node_is_left_alone(demo: Any, copy: str) -> None:
    node = f"{demo.name}_0"
    assert list(inspect_all(demo.engine, demo.name)) == [node]
    assert list(list_containers(demo.engine, demo.name)) == [node]
    assert [entry["Names"] for entry in find_nodes(demo.engine, demo.name, None).values()] == [[f"/{node}"]]
    assert not demo.run(demo.node(), prune=True)["changed"]
    demo.act("stopped", nodes=["node_0"])
    assert (runs(demo, node), runs(demo, copy)) == (False, True)
    demo.act("restarted", nodes=["node_0"])
    assert (runs(demo, node), runs(demo, copy)) == (True, True)
    demo.act("absent")
    assert runs(demo, copy)


def test_a_renamed_node_that_runs_keeps_its_data_to_itself(demo: Any) -> None:
    one = demo.node(volumes=[demo.volume()])
    demo.up(one)
    demo.api.rename(f"{demo.name}_0", f"{demo.name}-renamed")
    demo.api.disconnect_container_from_network(f"{demo.name}-renamed", demo.name)
    assert demo.run(one)["msg"] == (
        f"node_0: volume {demo.name}_0-data is in use by container {demo.name}-renamed, which is not this node's: two processes must "
        f"not run on one node's data; stop that one first (docker stop {demo.name}-renamed) (nothing was changed)"
    )
