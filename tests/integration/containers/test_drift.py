# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gravity.cluster.plugins.module_utils._engine import ENGINE_ARGUMENTS
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import ARGUMENTS, reconcile


def node(result: dict[str, Any], number: int = 0) -> tuple[str, list[str]]:
    found = result["nodes"][number]
    return found["action"], found["reasons"]


def settled(demo: Any, *wanted: dict[str, Any], **more: Any) -> None:
    """Nothing is left to do."""
    assert not demo.up(*wanted, **more)["changed"]


def test_settings_that_changed(demo: Any) -> None:
    demo.up(demo.node(0, memory="64m", env={"A": "1", "B": "2"}, labels={"team": "x"}), demo.node(1))
    kept = demo.inspect(1)["Id"]
    wanted = [demo.node(0, memory="128m", env={"A": "3"}, cap_add=["net_admin"], labels={"team": "x"}), demo.node(1)]
    result = demo.up(*wanted, diff=True)
    assert node(result) == (
        "recreate",
        [
            "memory 64m -> 128m",
            "added capabilities none -> NET_ADMIN",
            "environment variable A changed",
            "environment variable B is no longer defined",
        ],
    )
    assert node(result, 1) == ("none", [])
    assert demo.inspect(1)["Id"] == kept
    assert demo.address() == demo.cluster.address(10)
    assert sorted(demo.inspect()["Config"]["Env"]) == ["A=3"]
    assert demo.shell("wget -q -O - http://node_0:8080/seed", 1) == "from the image\n"
    settled(demo, *wanted)


def test_a_new_image_of_the_same_name(demo: Any, another_image: Any) -> None:
    image = f"{demo.name}:1"
    another_image(image)
    demo.up(demo.node(image=image))
    old = demo.api.inspect_image(image)["Id"]
    another_image(image)
    new = demo.api.inspect_image(image)["Id"]
    assert node(demo.up(demo.node(image=image))) == ("recreate", [f"image {old[:19]} -> {new[:19]} ({image})"])
    assert demo.inspect()["Image"] == new
    demo.api.remove_image(image, force=True)
    # Its name is gone, but that is no reason to touch what runs.
    settled(demo, demo.node(image=image))


def test_a_container_that_was_cut_off_is_connected_again(demo: Any) -> None:
    demo.up(*demo.nodes(2))
    before = demo.inspect()["Id"]
    demo.api.disconnect_container_from_network(before, demo.name)
    assert node(demo.up(*demo.nodes(2), check=True)) == ("connect", [f"detached from network {demo.name}"])
    assert node(demo.up(*demo.nodes(2), diff=True)) == ("connect", [f"detached from network {demo.name}"])
    assert demo.inspect()["Id"] == before
    assert demo.address() == demo.cluster.address(10)
    assert demo.shell("wget -q -O - http://node_0:8080/seed", 1) == "from the image\n"
    settled(demo, *demo.nodes(2))


def test_a_container_that_was_cut_off_and_stopped(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    demo.api.disconnect_container_from_network(f"{demo.name}_0", demo.name)
    demo.api.stop(f"{demo.name}_0", timeout=1)
    assert node(demo.up(*demo.nodes(1))) == (
        "start",
        [f"detached from network {demo.name}", "not running (exited with code 143)"],
    )
    assert demo.address() == demo.cluster.address(10)
    settled(demo, *demo.nodes(1))


def test_a_container_that_was_connected_with_another_address(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    demo.api.disconnect_container_from_network(f"{demo.name}_0", demo.name)
    demo.api.connect_container_to_network(f"{demo.name}_0", demo.name, ipv4_address=demo.cluster.address(99))
    result = demo.up(*demo.nodes(1))
    assert node(result) == (
        "connect",
        [f"address {demo.cluster.address(99)} -> {demo.cluster.address(10)}", "unknown in the network as node_0"],
    )
    assert demo.address() == demo.cluster.address(10)
    settled(demo, *demo.nodes(1))


def test_two_nodes_swap_addresses_and_ports(demo: Any, free_port: Any) -> None:
    ports = [free_port(), free_port()]

    def wanted(order: list[int]) -> list[dict[str, Any]]:
        return [
            demo.node(
                number, network_ip=demo.cluster.address(10 + order[number]), ports=[{"container": 8080, "host": ports[order[number]]}]
            )
            for number in range(2)
        ]

    demo.up(*wanted([0, 1]))
    demo.up(*wanted([1, 0]))
    assert [demo.address(number) for number in range(2)] == [demo.cluster.address(11), demo.cluster.address(10)]
    settled(demo, *wanted([1, 0]))


def test_two_nodes_swap_addresses_without_a_restart(demo: Any) -> None:
    demo.up(*demo.nodes(2))
    started = [demo.inspect(number)["State"]["StartedAt"] for number in range(2)]
    wanted = [demo.node(number, network_ip=demo.cluster.address(11 - number)) for number in range(2)]
    assert node(demo.up(*wanted)) == ("connect", [f"address {demo.cluster.address(10)} -> {demo.cluster.address(11)}"])
    assert [demo.inspect(number)["State"]["StartedAt"] for number in range(2)] == started
    settled(demo, *wanted)


@pytest.mark.parametrize(
    ("hand", "action", "reason"),
    [
        (lambda api, name: api.kill(name), "start", "not running (exited with code 137)"),
        (lambda api, name: api.pause(name), "start", "paused"),
        (lambda api, name: api.remove_container(name, force=True), "create", "absent"),
    ],
    ids=["killed", "paused", "removed"],
)
def test_what_was_done_by_hand_is_undone(demo: Any, hand: Any, action: str, reason: str) -> None:
    one = demo.node(restart="no")
    demo.up(one)
    hand(demo.api, f"{demo.name}_0")
    assert node(demo.up(one, check=True)) == (action, [reason])
    result = demo.up(one)
    assert node(result) == (action, [reason])
    assert result["nodes"][0]["state"] == "running"
    assert demo.address() == demo.cluster.address(10)
    settled(demo, one)


def test_a_paused_container_can_be_stopped(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    demo.api.pause(f"{demo.name}_0")
    assert demo.act("stopped")["nodes"][0]["state"] == "stopped"


def test_a_container_in_a_restart_loop_is_an_error_and_can_be_stopped(demo: Any) -> None:
    one = demo.node(command=["sh", "-c", "exit 3"])
    demo.up(one)
    # The Engine waits longer and longer between two starts.
    while demo.inspect()["RestartCount"] < 5 or not demo.inspect()["State"]["Restarting"]:
        time.sleep(0.05)
    result = demo.up(one)
    assert node(result) == ("none", [])
    assert result["nodes"][0]["state"] == "error"
    demo.act("stopped")
    assert not demo.inspect()["State"]["Running"]
    assert not demo.act("stopped")["changed"]


def test_a_node_under_a_new_container_name(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()]))
    demo.shell("echo mine > /data/kept")
    renamed = demo.node(name=f"{demo.name}_other", volumes=[demo.volume()])
    result = demo.up(renamed)
    assert [(one["container"], one["action"]) for one in result["nodes"]] == [
        (f"{demo.name}_other", "create"),
        (f"{demo.name}_0", "remove"),
    ]
    assert demo.names(demo.name) == [f"{demo.name}_other"]
    settled(demo, renamed)


def test_prune_removes_nodes_that_left_the_list(demo: Any) -> None:
    demo.up(*(demo.node(number, volumes=[demo.volume(number)]) for number in range(2)))
    settled(demo, demo.node(0, volumes=[demo.volume(0)]))
    result = demo.up(demo.node(0, volumes=[demo.volume(0)]), prune=True)
    assert node(result, 1) == ("remove", ["node_1 is not in the list any more"])
    assert demo.everything()["volumes"] == [f"{demo.name}_0-data", f"{demo.name}_1-data"]


def test_nodes_that_are_to_be_kept_running_wait(demo: Any) -> None:
    demo.up(*demo.nodes(2))
    before = [demo.inspect(number)["Id"] for number in range(2)]
    result = demo.up(*demo.nodes(2, memory="64m"), keep_running=["node_0"])
    assert result["deferred"] == ["node_0"]
    assert node(result) == ("none", ["memory none -> 64m"])
    assert [demo.inspect(number)["Id"] == before[number] for number in range(2)] == [True, False]
    assert node(demo.up(*demo.nodes(2, memory="64m"))) == ("recreate", ["memory none -> 64m"])


# The network


def test_a_network_that_was_removed_by_hand(demo: Any) -> None:
    demo.up(*demo.nodes(1))
    demo.act("stopped")
    demo.api.remove_network(demo.name)
    named = demo.act("started", nodes=["node_0"])
    assert named["msg"] == f"node_0: its network {demo.name} was removed or made anew: deploy the node again (nothing was changed)"
    result = demo.up(*demo.nodes(1))
    assert result["network"] == {"name": demo.name, "action": "create", "reasons": ["absent"], "error": None}
    assert demo.address() == demo.cluster.address(10)
    settled(demo, *demo.nodes(1))


def test_a_network_with_another_subnet(demo: Any, new_cluster: Any) -> None:
    demo.up(*demo.nodes(2))
    subnet = new_cluster().subnet
    wanted = {"name": demo.name, "subnet": subnet}
    old = demo.cluster.subnet
    moved = [demo.node(number, network_ip=subnet.replace("0/24", str(10 + number))) for number in range(2)]

    seen = demo.everything()
    refused = demo.run(*moved, network=wanted)
    assert refused["msg"] == (
        f"network {demo.name}: subnet {old} -> {subnet} needs a new network, but {demo.name}_0, {demo.name}_1 run in it: "
        "stop the cluster first, or give the network its old settings back (nothing was changed)"
    )
    assert demo.everything() == seen

    demo.act("stopped")
    result = demo.up(*moved, network=wanted)
    assert result["network"]["reasons"] == [f"subnet {old} -> {subnet}"]
    assert demo.address(1) == moved[1]["network_ip"]
    assert demo.shell("wget -q -O - http://node_1:8080/seed") == "from the image\n"
    settled(demo, *moved, network=wanted)

    # state=recreated takes everything down itself.
    demo.up(*demo.nodes(2), state="recreated")
    assert demo.address() == demo.cluster.address(10)


def test_an_external_network_is_used_and_left_alone(demo: Any) -> None:
    name = f"{demo.name}-{uuid.uuid4().hex[:4]}"
    demo.api.create_network(name, ipam={"Config": [{"Subnet": demo.cluster.subnet}]})
    wanted = {"name": name, "external": True}
    demo.up(*demo.nodes(1), network=wanted)
    settled(demo, *demo.nodes(1), network=wanted)
    demo.act("absent")
    assert [one["Name"] for one in demo.api.networks(names=[name])] == [name]


def test_progress_that_cannot_be_written_does_not_cost_a_node(demo: Any, tmp_path: Path) -> None:
    demo.up(*demo.nodes(2))
    args = {"cluster": demo.name, "network": demo.cluster.network, "containers": demo.nodes(2, memory="64m")}
    params = {**ArgumentSpecValidator({**ARGUMENTS, **ENGINE_ARGUMENTS}).validate(args).validated_parameters, "diff_mode": True}
    progress = Progress(str(tmp_path / "gone" / "progress"))
    result = reconcile(params, demo.engine, progress, False)
    assert [(one["action"], one["ok"], one["state"]) for one in result["nodes"]] == [("recreate", True, "running")] * 2
    assert progress.trouble
