# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole life of a cluster of four validators, in the order of its life."""

from __future__ import annotations

import json
import re
import signal
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from .conftest import Cluster, kill
from .moments import MOMENTS, started, until, watch

NODES = range(4)


def objects(engine: docker.APIClient, cluster: Cluster) -> t.Dict[str, t.List[str]]:
    """Ids of everything that the cluster has on the engine, with the start time of containers."""
    label = {"label": f"gravity.cluster.name={cluster.name}"}
    containers = [item["Id"] for item in engine.containers(all=True, filters=label)]
    return {
        "containers": sorted(f"{item} {engine.inspect_container(item)['State']['StartedAt']}" for item in containers),
        "networks": sorted(item["Id"] for item in engine.networks(filters=label)),
        "volumes": sorted(item["Name"] for item in engine.volumes(filters=label)["Volumes"] or []),
    }


def advances(cluster: Cluster, node: int, seconds: float = 30) -> bool:
    """Whether the node's chain grows."""
    before, deadline = cluster.height(node), time.monotonic() + seconds
    while time.monotonic() < deadline:
        if cluster.height(node) > before:
            return True
        time.sleep(0.2)
    return False


def test_check_mode_plans_a_deploy_and_makes_nothing(engine: docker.APIClient, cluster: Cluster) -> None:
    output = cluster.ok("deploy", "--check", "--diff")
    assert re.search(r"^WHAT +ACTION +REASON$", output, re.MULTILINE)
    assert re.search(r"^node_3 +create +absent$", output, re.MULTILINE)
    assert objects(engine, cluster) == {"containers": [], "networks": [], "volumes": []}


def test_what_killed_deploys_leave_is_taken_up(engine: docker.APIClient, cluster: Cluster) -> None:
    """Each run finds what the one before has left, and comes further: only a run that begins anew what is half done gets there."""
    for moment in MOMENTS.values():
        process = cluster.start("deploy")
        until(engine, cluster, process, moment)
        kill(process)


def test_deploy_ends_with_a_ready_chain_and_a_table(engine: docker.APIClient, cluster: Cluster) -> None:
    output = cluster.ok("deploy")
    assert watch(engine, cluster)["oneoffs"] == []
    for node in NODES:
        row = next(line for line in output.splitlines() if line.split()[:2] == [f"node_{node}", "validator"])
        assert f"http://127.0.0.1:{cluster.port(node)}" in row
        assert "running" in row
        assert cluster.rpc(node, "eth_chainId") == hex(1337)
    assert advances(cluster, 0)
    height = hex(min(cluster.height(node) for node in NODES))
    assert len({cluster.rpc(node, "eth_getBlockByNumber", height, False)["hash"] for node in NODES}) == 1


def test_deploy_again_changes_nothing(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    cluster.unchanged("deploy")
    assert objects(engine, cluster) == before


def test_status_tells_programs_what_it_shows(cluster: Cluster) -> None:
    facts = cluster.facts()
    assert sorted(facts) == [f"node_{node}" for node in NODES]
    for fact in facts.values():
        assert fact["state"] == "running"
        assert fact["chain_id"] == 1337
        assert fact["peers"] == 3
        assert fact["height"] > 0
        assert fact["restarts"] == 0


def test_one_of_four_may_stop_and_the_chain_goes_on(cluster: Cluster) -> None:
    assert cluster.facts("stop", "--limit", "node_3")["node_3"]["state"] == "stopped"
    assert advances(cluster, 0)
    cluster.unchanged("stop", "--limit", "node_3")


def test_a_stopped_one_may_start_from_nothing_with_its_keys(cluster: Cluster) -> None:
    assert "runs, and would lose its data" in cluster.refused("clear_storage", "--limit", "node_2")
    reached = cluster.height(0)
    assert "files and folders of its data" in cluster.ok("clear_storage", "--limit", "node_3")
    facts = cluster.facts("start", "--limit", "node_3")
    assert cluster.height(3) >= reached
    assert facts["node_3"]["peers"] == 3
    cluster.unchanged("wait")
    cluster.ok("stop", "--limit", "node_3")


def test_a_second_one_is_refused_with_the_remedy(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    message = cluster.refused("stop", "--limit", "node_2")
    assert "2 of 4" in message
    assert "quorum_override=true" in message
    assert objects(engine, cluster) == before


def test_a_guard_that_cannot_look_refuses(cluster: Cluster) -> None:
    message = cluster.refused("stop", "--limit", "node_2", "-e", "engine_url=unix:///nonexistent.sock")
    assert (
        "stopping node_2: whether the others keep the quorum is not known (Docker host local could not be asked: no Docker Engine"
        in message
    )
    assert "quorum_override=true" in message


def test_a_rolling_restart_is_refused_while_one_is_away(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    message = cluster.refused("restart", "--limit", "node_0")
    assert "restarting node_0 leaves 2 of 4" in message
    assert objects(engine, cluster) == before


def test_the_override_stops_it_and_the_chain_halts(cluster: Cluster) -> None:
    cluster.ok("stop", "--limit", "node_2", "-e", "quorum_override=true")
    height = cluster.height(0)
    assert not advances(cluster, 0, seconds=4) or cluster.height(0) <= height + 1


def test_start_brings_them_back_and_they_catch_up(cluster: Cluster) -> None:
    facts = cluster.facts("start")
    assert {fact["state"] for fact in facts.values()} == {"running"}
    assert not any(fact["syncing"] for fact in facts.values())
    assert advances(cluster, 3)


def test_restart_takes_one_after_the_other(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    cluster.ok("restart")
    after = objects(engine, cluster)
    assert [item.split()[0] for item in after["containers"]] == [item.split()[0] for item in before["containers"]]
    started = sorted(item.split()[1] for item in after["containers"])
    assert not set(started) & {item.split()[1] for item in before["containers"]}
    assert advances(cluster, 1)


def test_of_two_operations_at_once_one_is_refused(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    running = {"label": f"gravity.cluster.name={cluster.name}", "status": "running"}
    both = [cluster.start("restart", "--limit", f"node_{node}") for node in (0, 1)]
    with ThreadPoolExecutor() as pool:
        said = [pool.submit(process.communicate) for process in both]
        while any(process.poll() is None for process in both):
            assert len(engine.containers(filters=running)) >= len(NODES) - 1
    assert sorted(process.returncode for process in both) == [0, 2]
    loser = next(node for node, process in enumerate(both) if process.returncode)
    message = " ".join(said[loser].result()[0].split())
    assert f"{cluster.name}: restart by " in message
    assert "lock_force=true" in message
    after = objects(engine, cluster)
    assert after["volumes"] == before["volumes"]
    assert len(set(after["containers"]) - set(before["containers"])) == 1


def locks(engine: docker.APIClient, cluster: Cluster) -> t.List[str]:
    """The volumes that say that an operation works on the cluster."""
    own = [f"gravity.cluster.name={cluster.name}", "gravity.cluster.kind=lock"]
    return [str(volume["Name"]) for volume in engine.volumes(filters={"label": own})["Volumes"] or []]


def test_a_deploy_and_an_upgrade_that_wait_for_one_another_both_succeed(engine: docker.APIClient, cluster: Cluster) -> None:
    both = [cluster.start(verb, "-e", "lock_timeout=200") for verb in ("deploy", "upgrade")]
    with ThreadPoolExecutor() as pool:
        said = [done.result()[0] for done in [pool.submit(process.communicate) for process in both]]
    assert [process.returncode for process in both] == [0, 0], said
    assert any("waiting (0 s): " in text for text in said)
    assert locks(engine, cluster) == []


def test_the_lock_of_a_killed_operation_is_nobodys(engine: docker.APIClient, cluster: Cluster) -> None:
    process = cluster.start("restart", "--limit", "node_0")
    while not locks(engine, cluster):
        assert process.poll() is None
    kill(process)
    assert locks(engine, cluster)
    assert "died and left its lock" in cluster.ok("restart", "--limit", "node_0")
    assert locks(engine, cluster) == []


def test_an_operation_elsewhere_holds_up_what_changes_the_cluster_and_nothing_else(engine: docker.APIClient, cluster: Cluster) -> None:
    holder = {
        "token": "elsewhere",
        "owner": "ann@laptop",
        "purpose": "upgrade",
        "boot": "another machine",
        "taken": time.time(),
        "lease": 600,
    }
    marks = {"name": cluster.name, "kind": "lock", "holder": json.dumps(holder)}
    lock = f"{cluster.name}.operation-lock"
    engine.create_volume(lock, labels={f"gravity.cluster.{key}": value for key, value in marks.items()})
    before = objects(engine, cluster)
    cluster.ok("stop", "--check", "--limit", "node_3")
    message = cluster.refused("stop", "--limit", "node_3")
    assert f"{cluster.name}: upgrade by ann@laptop has been running since " in message
    assert "(on another machine; its lock expires at " in message
    assert objects(engine, cluster) == before
    cluster.unchanged("start", "-e", "lock_force=true")
    assert locks(engine, cluster) == []


def test_what_was_started_just_now_is_waited_for(engine: docker.APIClient, cluster: Cluster) -> None:
    """As after a kill in the middle of a replacement: one is stopped, and the run that starts it has another one to replace."""
    engine.stop(f"{cluster.name}-node_3", timeout=10)
    cluster.spec["nodes"]["node_[0:3]"]["labels"] = {"round": "two"}
    cluster.write()
    cluster.ok("deploy")
    assert advances(cluster, 3)


@pytest.mark.parametrize(
    ("verbs", "options"), [("restart start teardown status logs", []), ("stop exec", ["--limit", "node_1", "-e", "command=true"])]
)
def test_check_mode_of_every_verb_changes_nothing(engine: docker.APIClient, cluster: Cluster, verbs: str, options: t.List[str]) -> None:
    before = objects(engine, cluster)
    cluster.ok(verbs, "--check", "--diff", *options)
    assert objects(engine, cluster) == before


def test_logs_show_the_chosen_node_only(cluster: Cluster) -> None:
    output = cluster.ok("logs", "--limit", "node_1", "-e", "tail=5", "-e", "since=5m")
    assert "node_1" in output
    assert "node_2" not in output


def test_exec_runs_in_the_chosen_node(cluster: Cluster) -> None:
    output = cluster.ok("exec", "--limit", "node_1", "-e", '{"command": "injectived comet show-node-id --home /data"}')
    assert any(len(word) == 40 and set(word) <= set("0123456789abcdef") for word in output.split())
    assert "node_1" in cluster.refused("exec", "--limit", "node_1", "-e", '{"command": "injectived no-such-command"}')


def test_teardown_keeps_the_data_and_deploy_goes_on_with_it(engine: docker.APIClient, cluster: Cluster) -> None:
    height = cluster.height(0)
    first = cluster.rpc(0, "eth_getBlockByNumber", "0x1", False)["hash"]
    cluster.ok("teardown")
    left = objects(engine, cluster)
    assert left["containers"] == left["networks"] == []
    assert len(left["volumes"]) >= len(NODES)
    cluster.unchanged("teardown")
    # Interrupted by the user, and run again.
    process = cluster.start("deploy")
    until(engine, cluster, process, started(1))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    assert process.returncode != 0
    facts = cluster.facts("deploy")
    assert {fact["state"] for fact in facts.values()} == {"running"}
    assert cluster.height(0) > height
    assert cluster.rpc(0, "eth_getBlockByNumber", "0x1", False)["hash"] == first


def test_a_purge_must_be_confirmed(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    message = cluster.refused("teardown", "-e", "teardown_purge=true")
    assert f"confirm={cluster.name}" in message
    assert objects(engine, cluster) == before


def test_purge_leaves_nothing_of_the_cluster(engine: docker.APIClient, cluster: Cluster) -> None:
    cluster.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={cluster.name}")
    assert objects(engine, cluster) == {"containers": [], "networks": [], "volumes": []}
    cluster.unchanged("teardown", "-e", "teardown_purge=true", "-e", f"confirm={cluster.name}")
