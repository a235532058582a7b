# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

# Ends a second after it was asked to, and notes that it did.
SLOW = ["sh", "-c", "trap 'sleep 1; echo bye > /data/bye; exit 0' TERM; while :; do sleep 0.05; done"]


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {node["name"]: node["action"] for node in result["nodes"]}


def states(result: dict[str, Any]) -> dict[str, str]:
    return {node["name"]: node["state"] for node in result["nodes"]}


@pytest.mark.parametrize(
    ("before", "state", "action", "after", "settles"),
    [
        (None, "started", "create", "running", True),
        (None, "present", "create", "stopped", True),
        ("present", "started", "start", "running", True),
        ("started", "stopped", "stop", "stopped", True),
        ("stopped", "started", "start", "running", True),
        ("started", "restarted", "restart", "running", False),
        ("stopped", "restarted", "start", "running", False),
        ("started", "recreated", "recreate", "running", False),
        ("started", "absent", "remove", "absent", True),
        ("present", "absent", "remove", "absent", True),
    ],
)
def test_check_apply_and_apply_again(demo: Any, before: str | None, state: str, action: str, after: str, settles: bool) -> None:
    wanted = [demo.node(number, volumes=[demo.volume(number)]) for number in range(2)]
    if before:
        demo.up(*wanted, state="started" if before == "stopped" else before)
    if before == "stopped":
        demo.act("stopped")
    seen = demo.everything()

    checked = demo.up(*wanted, state=state, check=True, diff=True)
    assert checked["changed"] is True
    assert demo.everything() == seen

    applied = demo.up(*wanted, state=state, diff=True)
    assert applied["changed"] is True
    assert actions(applied) == actions(checked) == {"node_0": action, "node_1": action}
    assert [node["reasons"] for node in applied["nodes"]] == [node["reasons"] for node in checked["nodes"]]
    assert applied["diff"] == checked["diff"]
    assert {entry["after_header"] for entry in applied["diff"]} >= {f"container {demo.name}_0", f"container {demo.name}_1"}
    assert states(applied) == {"node_0": after, "node_1": after}

    seen = demo.everything()
    again = demo.up(*wanted, state=state, diff=True)
    assert again["changed"] is not settles
    if settles:
        assert demo.everything() == seen
        assert again["diff"] == []


def test_a_container_as_it_comes_up(demo: Any, free_port: Any) -> None:
    port = free_port()
    demo.up(demo.node(ports=[{"container": 8080, "host": port}], memory="64m", cpus=0.5, pids=50, user="10001:10001"), demo.node(1))
    found = demo.inspect()
    assert demo.address() == demo.cluster.address(10)
    host = found["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["ReadonlyRootfs"], host["Init"], host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (
        True,
        True,
        64 << 20,
        500_000_000,
        50,
    )
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["NetworkSettings"]["Ports"]["8080/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    assert demo.shell("id -u; cat /proc/self/status | while read k v; do [ $k = CapEff: ] && echo $v; done; true").split() == [
        "10001",
        "0" * 16,
    ]
    assert demo.shell("touch /tmp/x && ! touch /x 2>/dev/null && echo fine") == "fine\n"
    # By name, through the network's own resolver.
    assert demo.shell("wget -q -O - http://node_1:8080/seed") == "from the image\n"


def test_restart_keeps_the_container_its_address_and_its_names(demo: Any) -> None:
    demo.up(*demo.nodes(2))
    before = demo.inspect(1)
    result = demo.act("restarted", nodes=["node_1"])
    assert actions(result) == {"node_1": "restart"}
    after = demo.inspect(1)
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]
    assert demo.address(1) == demo.cluster.address(11)
    assert demo.shell("wget -q -O - http://node_1:8080/seed") == "from the image\n"


def test_nodes_by_name(demo: Any) -> None:
    demo.up(*demo.nodes(3))
    assert actions(demo.act("stopped", nodes=["node_2", "node_0"])) == {"node_2": "stop", "node_0": "stop"}
    assert not demo.act("stopped", nodes=["node_2", "node_0", "node_9"])["changed"]
    assert actions(demo.act("started", nodes=["node_0"])) == {"node_0": "start"}
    assert actions(demo.act("absent", nodes=["node_0", "node_9"])) == {"node_0": "remove", "node_9": "none"}
    assert [entry[1]["Status"] for _name, entry in sorted(demo.everything()["containers"].items())] == ["running", "exited"]
    assert demo.everything()["networks"] != []
    assert demo.act("restarted", nodes=["node_0"])["msg"] == (
        "node_0: there is no container of this node on this Docker host: deploy it first (nothing was changed)"
    )


def test_definitions_can_be_narrowed_to_some_nodes(demo: Any) -> None:
    assert actions(demo.up(*demo.nodes(3), nodes=["node_1"])) == {"node_1": "create"}


def test_an_empty_list_touches_nothing(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    seen = demo.everything()
    for state in ("stopped", "absent", "restarted", "started"):
        assert not demo.act(state, containers=[])["changed"]
        assert not demo.act(state, nodes=[])["changed"]
    assert demo.everything() == seen


def test_a_stop_waits_for_the_process(demo: Any) -> None:
    demo.up(demo.node(command=SLOW, volumes=[demo.volume()]))
    result = demo.act("stopped")
    assert states(result) == {"node_0": "stopped"}
    assert demo.inspect()["State"]["ExitCode"] == 0
    demo.act("started", nodes=["node_0"])
    assert demo.shell("cat /data/bye") == "bye\n"


def test_a_process_that_does_not_stop_is_killed_after_its_grace(demo: Any) -> None:
    demo.up(demo.node(command=["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], init=False, stop_grace=600))
    result = demo.act("stopped", stop_grace=1)
    assert states(result) == {"node_0": "stopped"}
    assert demo.inspect()["State"]["ExitCode"] == 137


def test_nodes_stop_side_by_side(demo: Any) -> None:
    demo.up(*(demo.node(number, command=SLOW, volumes=[demo.volume(number)]) for number in range(4)))
    demo.act("stopped")
    ended = [datetime.fromisoformat(demo.inspect(number)["State"]["FinishedAt"][:26]) for number in range(4)]
    # One after the other they would end at least a second apart.
    assert (max(ended) - min(ended)).total_seconds() < 2


def test_present_does_not_stop_what_runs(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    assert not demo.up(*demo.nodes(1), state="present")["changed"]
    result = demo.up(*demo.nodes(1, memory="64m"), state="present")
    assert (actions(result), states(result)) == ({"node_0": "recreate"}, {"node_0": "running"})


def test_teardown_keeps_data_and_purge_does_not(demo: Any) -> None:
    one = demo.node(volumes=[demo.volume()])
    demo.up(one)
    demo.shell("echo mine > /data/kept")
    assert demo.act("absent")["changed"]
    assert demo.everything() == {"containers": {}, "networks": [], "volumes": [f"{demo.name}_0-data"]}
    assert not demo.act("absent")["changed"]
    demo.up(one)
    assert demo.shell("cat /data/kept") == "mine\n"
    demo.act("absent")
    result = demo.act("absent", purge=True)
    assert [(one["name"], one["action"]) for one in result["volumes"]] == [(f"{demo.name}_0-data", "remove")]
    assert demo.everything() == {"containers": {}, "networks": [], "volumes": []}
    assert not demo.act("absent", purge=True)["changed"]


def test_teardown_takes_helpers_along_and_leaves_others_alone(demo: Any, new_cluster: Any) -> None:
    other = new_cluster()
    demo.up(*demo.nodes(1))
    own = {"gravity.cluster.name": demo.name, "gravity.cluster.kind": "oneoff"}
    foreign = {"gravity.cluster.name": other.name, "gravity.cluster.kind": "node"}
    for name, labels in ((f"{demo.name}-helper", own), (f"{other.name}-node", foreign), (f"{other.name}-plain", {})):
        demo.api.create_container_from_config({"Image": demo.image, "Cmd": ["true"], "Labels": labels}, name)
    result = demo.act("absent")
    assert sorted(node["container"] for node in result["nodes"]) == [f"{demo.name}-helper", f"{demo.name}_0"]
    assert demo.names(other.name) == [f"{other.name}-node", f"{other.name}-plain"]


def test_the_last_node_takes_the_network_along(demo: Any) -> None:
    demo.up(*demo.nodes(2))
    assert demo.act("absent", nodes=["node_0"])["network"] is None
    assert demo.act("absent", nodes=["node_1"])["network"]["action"] == "remove"


def test_health_is_part_of_the_state(demo: Any) -> None:
    checks = {"ill": {"test": "false", "interval": "100ms", "retries": 1}, "slow": {"test": "true", "interval": "1h"}}
    demo.up(demo.node(0, health=checks["ill"]), demo.node(1, health=checks["slow"]))
    deadline = time.monotonic() + 20
    while demo.inspect()["State"]["Health"]["Status"] != "unhealthy" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert states(demo.up(demo.node(0, health=checks["ill"]), demo.node(1, health=checks["slow"]))) == {
        "node_0": "unhealthy",
        "node_1": "starting",
    }
