# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import time
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._apply import apply
from ansible_collections.gravity.cluster.plugins.module_utils._observed import observe
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems
from ansible_collections.gravity.cluster.plugins.module_utils._plan import plan
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import parse_request

HOPELESS = ["/no/such/program"]


def by_name(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in result["nodes"]}


def test_one_of_four_fails_and_the_others_run(demo: Any) -> None:
    result = demo.run(demo.node(0), demo.node(1, command=HOPELESS, init=False), demo.node(2), demo.node(3))
    assert result["failed"]
    assert result["changed"]
    assert re.fullmatch(
        r"1 of 4 nodes failed: node_1: starting container \S+_1: .*no such file or directory.*; "
        r"node_0, node_2, node_3 run and are left alone; "
        r"fix it and run again to continue, or add deploy_rollback=true to remove what a run created",
        result["msg"],
    )
    nodes = by_name(result)
    assert [nodes[f"node_{number}"]["ok"] for number in range(4)] == [True, False, True, True]
    assert [nodes[f"node_{number}"]["state"] for number in range(4)] == ["running", "error", "running", "running"]
    assert "no such file" in nodes["node_1"]["error"]
    assert [entry["after_header"] for entry in result["diff"]][:1] == [f"network {demo.name}"]

    kept = demo.inspect(0)["Id"]
    fixed = demo.up(*demo.nodes(4))
    assert [node["action"] for node in fixed["nodes"]] == ["none", "recreate", "none", "none"]
    assert demo.inspect(0)["Id"] == kept


def test_the_same_again_continues(demo: Any) -> None:
    bad = demo.node(1, command=["sh", "-c", "exec /data/program"], volumes=[demo.volume(1)], init=False, restart="no")
    demo.up(demo.node(0), bad)
    assert by_name(demo.up(demo.node(0), bad, check=True))["node_1"]["reasons"] == ["not running (exited with code 127)"]


def test_rollback_removes_what_the_run_created(demo: Any) -> None:
    bad = demo.node(1, command=HOPELESS, init=False, volumes=[demo.volume(1)])
    result = demo.run(demo.node(0, volumes=[demo.volume(0)]), bad, rollback=True)
    assert result["failed"]
    assert sorted(result["rolled_back"]) == [
        f"container {demo.name}_0",
        f"container {demo.name}_1",
        f"network {demo.name}",
        f"volume {demo.name}_0-data",
        f"volume {demo.name}_1-data",
    ]
    assert result["msg"].endswith("; fix it and run again")
    assert {node["state"] for node in result["nodes"]} == {"absent"}
    assert demo.everything() == {"containers": {}, "networks": [], "volumes": []}


def test_rollback_leaves_what_was_there(demo: Any) -> None:
    demo.up(*(demo.node(number, volumes=[demo.volume(number)]) for number in range(2)))
    kept = demo.inspect(0)["Id"]
    result = demo.run(
        demo.node(0, volumes=[demo.volume(0)]),
        demo.node(1, volumes=[demo.volume(1)], memory="64m"),
        demo.node(2, command=HOPELESS, init=False),
        rollback=True,
    )
    assert result["rolled_back"] == [f"container {demo.name}_2"]
    assert {name: node["state"] for name, node in by_name(result).items()} == {
        "node_0": "running",
        "node_1": "running",
        "node_2": "absent",
    }
    assert demo.inspect(0)["Id"] == kept
    assert demo.everything()["volumes"] == [f"{demo.name}_0-data", f"{demo.name}_1-data"]


def test_what_the_engine_refuses_to_create_does_not_cost_the_old_container(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    before = demo.inspect()
    result = demo.run(demo.node(binds=[{"source": "/no/such/folder", "target": "/mnt"}]))
    assert result["failed"]
    assert "/no/such/folder" in result["msg"]
    assert not result["changed"]
    after = demo.inspect()
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert demo.names(demo.name) == [f"{demo.name}_0"]


def test_a_replacement_that_a_dead_run_left_is_cleared_away(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    labels = demo.inspect()["Config"]["Labels"]
    demo.api.create_container_from_config({"Image": demo.image, "Cmd": ["true"], "Labels": labels}, f"{demo.name}_0-next")
    result = demo.up(*demo.nodes(1, memory="64m"))
    assert [(node["container"], node["action"]) for node in result["nodes"]] == [
        (f"{demo.name}_0", "recreate"),
        (f"{demo.name}_0-next", "remove"),
    ]
    assert demo.names(demo.name) == [f"{demo.name}_0"]
    assert not demo.up(*demo.nodes(1, memory="64m"))["changed"]


def test_a_volume_in_use_by_others_survives_a_purge(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()]))
    mount = {"Type": "volume", "Source": f"{demo.name}_0-data", "Target": "/x"}
    payload = {"Image": demo.image, "Cmd": ["true"], "HostConfig": {"Mounts": [mount]}}
    demo.api.create_container_from_config(payload, f"{demo.name}-stranger")
    result = demo.act("absent", purge=True)
    assert result["failed"]
    assert f"removing volume {demo.name}_0-data: " in result["msg"]
    assert demo.everything()["containers"] == {}
    demo.api.remove_container(f"{demo.name}-stranger")
    assert demo.act("absent", purge=True)["changed"]


@pytest.mark.parametrize("delay", [0.3, 0.4, 0.5, 0.7, 1.2])
def test_killed_in_the_middle_and_run_again(demo: Any, start_module: Any, delay: float) -> None:
    wanted = [
        demo.node(
            number,
            user="10001:10001",
            volumes=[demo.volume(number)],
            files=[{"path": "/data/config/app.toml", "content": f"x = {number}\n"}],
        )
        for number in range(6)
    ]
    args = {"cluster": demo.name, "network": demo.cluster.network, "containers": wanted, "concurrency": 3}
    process = start_module("containers", args)
    time.sleep(delay)
    process.kill()
    process.communicate()
    result = demo.up(*wanted)
    assert {node["state"] for node in result["nodes"]} == {"running"}
    assert demo.names(demo.name) == [f"{demo.name}_{number}" for number in range(6)]
    for number in range(6):
        assert demo.shell("stat -c %u /data; cat /data/config/app.toml", number) == f"10001\nx = {number}\n"
    assert not demo.up(*wanted)["changed"]


@pytest.mark.parametrize("delay", [0.45, 0.9])
def test_killed_while_containers_are_made_anew(demo: Any, start_module: Any, delay: float) -> None:
    demo.up(*demo.nodes(4))
    wanted = demo.nodes(4, memory="64m")
    process = start_module("containers", {"cluster": demo.name, "network": demo.cluster.network, "containers": wanted, "concurrency": 2})
    time.sleep(delay)
    process.kill()
    process.communicate()
    demo.up(*wanted)
    assert demo.names(demo.name) == [f"{demo.name}_{number}" for number in range(4)]
    assert [demo.address(number) for number in range(4)] == [demo.cluster.address(10 + number) for number in range(4)]
    assert not demo.up(*wanted)["changed"]


def test_what_appears_while_we_look_away_is_taken_over_when_it_is_ours(demo: Any) -> None:
    """A killed run's last requests can still be on their way in the Engine while the next run looks around."""
    wanted, problems = [demo.node(0), demo.node(1)], Problems()
    request = parse_request({"cluster": demo.name, "network": demo.cluster.network, "containers": wanted}, problems)
    before = observe(demo.engine, demo.name, [demo.image], volumes=True)
    steps = plan(request, before)
    demo.up(demo.node(0), state="present")
    applied = apply(demo.engine, request, before, steps, Progress())
    assert (applied.failed, applied.failures) == ([], {})
    assert [demo.address(number) for number in range(2)] == [demo.cluster.address(10), demo.cluster.address(11)]

    # What runs is somebody's work: it is not taken over.
    demo.act("absent", nodes=["node_0"])
    before = observe(demo.engine, demo.name, [demo.image], volumes=True)
    steps = plan(request, before)
    demo.up(demo.node(0))
    kept = demo.inspect()["Id"]
    applied = apply(demo.engine, request, before, steps, Progress())
    assert "another run on this cluster made it a moment ago" in str(applied.failed[0].error)
    assert demo.inspect()["Id"] == kept
