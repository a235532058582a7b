# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that look like nodes and are none."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._apply import apply
from ansible_collections.gravity.cluster.plugins.module_utils._commands import find_nodes
from ansible_collections.gravity.cluster.plugins.module_utils._info import inspect_all
from ansible_collections.gravity.cluster.plugins.module_utils._observed import observe
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems
from ansible_collections.gravity.cluster.plugins.module_utils._plan import plan
from ansible_collections.gravity.cluster.plugins.module_utils._preflight import look_around
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._readiness import list_containers
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import parse_request


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


def test_two_specs_of_one_name_leave_each_other_alone(demo: Any) -> None:
    api = [demo.node(number, node=f"api_{number}", volumes=[demo.volume(number)]) for number in range(3)]
    web = demo.node(3, node="web_0")
    first = {"origin": "first", "known": ["api_0", "api_1", "api_2"]}
    second = {"origin": "second", "known": ["web_0"]}
    demo.up(*api, prune=True, **first)
    before = demo.everything()
    refusals = [
        demo.run(web, prune=True, **second),
        demo.run(prune=True, check=True, **second),
        demo.act("absent", **second),
        demo.act("absent", purge=True, **second),
    ]
    expected = (
        f"{demo.name}: this Docker host has nodes of this cluster_name that another spec made and this one lacks "
        "(api_0, api_1, api_2): choose another cluster_name, use the spec that they were made from, or add -e takeover=true to remove them "
        "when that spec was moved or belongs to another controller (nothing was changed)"
    )
    assert {refusal["msg"] for refusal in refusals} == {expected}
    assert demo.everything() == before
    # A moved spec with the same nodes just works; a node that it then forgets needs a word.
    assert not demo.run(*api, prune=True, origin="moved", known=first["known"])["changed"]
    demo.up(*api[:2], prune=True, origin="first", known=["api_0", "api_1"])
    assert demo.run(api[0], prune=True, origin="moved", known=["api_0"])["failed"]
    demo.up(api[0], prune=True, origin="moved", known=["api_0"], takeover=True)
    assert demo.names(demo.name) == [f"{demo.name}_0"]
    # Volumes without containers are data of the other spec all the same.
    demo.act("absent", **first)
    demo.up(web, prune=True, **second)
    assert demo.act("absent", purge=True, **second)["failed"]
    assert not demo.act("absent", **second).get("failed")
    assert len(demo.everything()["volumes"]) == 3


def test_containers_without_an_origin_are_taken_over_as_they_are(demo: Any) -> None:
    demo.up(*demo.nodes(3))
    before = demo.inspect(0)["Id"]
    mine = {"origin": "mine", "known": ["node_0"]}
    assert demo.run(demo.node(4), prune=True, origin="mine", known=["node_4"])["failed"]
    assert [step["action"] for step in demo.up(demo.node(), prune=True, **mine)["nodes"]] == ["none", "remove", "remove"]
    assert demo.inspect(0)["Id"] == before


@pytest.fixture
def squat(demo: Any) -> Any:
    """Takes names of the cluster's containers for others."""
    made = []

    def take(name: str) -> str:
        made.append(demo.api.create_container_from_config({"Image": demo.image, "Cmd": ["true"]}, name)["Id"])
        return made[-1]

    yield take
    for one in made:
        demo.api.remove_container(one, force=True)


def test_a_name_for_a_moment_that_is_not_to_be_had(demo: Any, squat: Any) -> None:
    """As an Engine keeps one, which no container has, after two requests for it at once."""
    one = demo.node(user="10001:10001", volumes=[demo.volume()])
    others = [squat(f"{demo.name}_0-{ending}") for ending in ("next", "next-2", "owner")]
    demo.up(one)
    assert demo.shell("stat -c %u /data").strip() == "10001"
    before = demo.inspect(0)["Id"]
    assert [step["action"] for step in demo.up({**one, "memory": "64m"})["nodes"]] == ["recreate"]
    assert demo.inspect(0)["Id"] != before
    assert [demo.api.inspect_container(other)["State"]["Status"] for other in others] == ["created"] * 3
    assert demo.names(f"{demo.name}_0") == [f"{demo.name}_0{ending}" for ending in ("", "-next", "-next-2", "-owner")]


def test_what_a_killed_replacement_left_goes(demo: Any) -> None:
    one = demo.node(user="10001:10001", volumes=[demo.volume()])
    demo.up(one)
    marks = {key: demo.inspect(0)["Config"]["Labels"][key] for key in ("gravity.cluster.name", "gravity.cluster.node")}
    for ending, kind in (("next", "node"), ("next-2", "node"), ("owner", "oneoff"), ("owner-2", "oneoff")):
        own = {**marks, "gravity.cluster.kind": kind, "gravity.cluster.container": f"{demo.name}_0"}
        if kind == "oneoff":
            own.pop("gravity.cluster.container")
        config = {"Image": demo.image, "Cmd": ["true"], "Labels": own}
        demo.api.create_container_from_config(config, f"{demo.name}_0-{ending}")
    demo.up({**one, "volumes": [demo.volume(), {"name": f"{demo.name}_0-more", "target": "/more"}]}, prune=True)
    assert demo.names(f"{demo.name}_0") == [f"{demo.name}_0"]


def test_the_loser_of_two_runs_is_told_of_the_other(demo: Any, free_port: Any) -> None:
    port = free_port()
    one = demo.node(ports=[{"container": 8080, "host": port}])
    again = {**one, "memory": "64m"}

    def planned(*definitions: Any) -> Any:
        problems = Problems()
        request = parse_request({"cluster": demo.name, "network": demo.cluster.network, "containers": list(definitions)}, problems)
        assert problems.lines == []
        observed = observe(demo.engine, demo.name, [demo.image], True)
        return request, observed, plan(request, observed)

    rival = "another run on this cluster made it a moment ago: wait until that one has ended, then run again"
    for winner, loser in ((one, one), (again, one)):
        late = planned(loser if winner is one else {**loser, "memory": "128m"})
        demo.up(winner)
        around = look_around(demo.engine, demo.name, late[1], late[2])
        assert around.bind is not None
        assert around.bind(("127.0.0.1", port, "tcp")) == f"is taken by container {demo.name}_0: {rival}"
        (outcome,) = apply(demo.engine, *late, Progress()).outcomes
        assert outcome.error == f"container {demo.name}_0: {rival}"
        assert demo.inspect(0)["State"]["Running"]
    # A node of another name on the same port, made by another run after this one looked.
    late = planned({**demo.node(1), "ports": one["ports"]})
    (error,) = [outcome.error for outcome in apply(demo.engine, *late, Progress()).outcomes]
    assert error == f"host port 127.0.0.1:{port} is taken by container {demo.name}_0: {rival}"
    assert demo.names(demo.name) == [f"{demo.name}_0", f"{demo.name}_1"]
