# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from integration.running import ROOT, Chain, Data, Nodes, hanging

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._info import work
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

Run = t.Callable[..., Data]
CHAIN_FACTS = ("height", "peers", "syncing", "chain_id", "block_hash")


@pytest.fixture
def info(run_module: Run, nodes: Nodes) -> t.Callable[..., t.Dict[str, Data]]:
    """Facts of nodes by name."""

    def run(*targets: Data, check: bool = False, **options: t.Any) -> t.Dict[str, Data]:
        given = {"cluster": nodes.cluster, **({"nodes": list(targets)} if targets else {}), **options}
        result = run_module("cluster_info", given, check=check)
        assert not result.get("failed"), result
        assert not result["changed"]
        found: t.Dict[str, Data] = result["nodes"]
        return found

    return run


def test_every_state_of_a_container(info: Run, nodes: Nodes) -> None:
    second = 1_000_000_000
    nodes.run("runs")
    nodes.run("created", start=False)
    nodes.run("failed", "exit 3")
    nodes.run("sick", health={"test": ["CMD", "false"], "interval": second, "retries": 1})
    nodes.run("stopped")
    nodes.engine.api.stop(f"{nodes.cluster}-stopped", timeout=0)
    nodes.engine.api.wait(f"{nodes.cluster}-failed")
    found: t.Dict[str, Data] = {}
    for _try in range(30):
        found = info(*(nodes.target(name) for name in ("runs", "created", "failed", "sick", "stopped", "gone")))
        if found["sick"]["state"] == "unhealthy":
            break
    states = {name: facts["state"] for name, facts in found.items()}
    assert states == {
        "runs": "running",
        "created": "stopped",
        "failed": "error",
        "sick": "unhealthy",
        "stopped": "stopped",
        "gone": "absent",
    }
    assert found["failed"]["exit_code"] == 3
    assert found["sick"]["health"] == "unhealthy"
    assert found["runs"]["image"] == nodes.image
    assert found["runs"]["image_id"].startswith("sha256:")
    assert found["runs"]["uptime_seconds"] < 60
    assert found["runs"]["restarts"] == 0
    assert found["runs"]["container"] == f"{nodes.cluster}-runs"
    assert found["stopped"]["uptime_seconds"] is None
    assert found["created"]["started_at"] is None
    assert found["gone"]["image"] is None


def test_the_address_is_known_also_when_it_does_not_run(info: Run, nodes: Nodes, cluster: t.Any, engine: Engine) -> None:
    api = engine.api
    pool = [{"Subnet": cluster.subnet}]
    api.create_network(cluster.name, ipam={"Driver": "default", "Config": pool}, labels={"gravity.cluster.name": cluster.name})
    container = nodes.run("a", start=False, network_mode="none")
    api.disconnect_container_from_network(container, "none")
    api.connect_container_to_network(container, cluster.name, ipv4_address=cluster.address(9))
    assert info(nodes.target("a"))["a"]["address"] == cluster.address(9)
    api.start(container)
    assert info(nodes.target("a"))["a"]["address"] == cluster.address(9)


def test_voting_power_is_that_of_the_genesis_also_of_nodes_that_nobody_asked_for(engine: Engine, nodes: Nodes, cluster: t.Any) -> None:
    def known() -> t.Dict[str, int]:
        asked = {"cluster": nodes.cluster, "nodes": [], "rpc_timeout": 2.0}
        found: t.Dict[str, int] = work(asked, engine, Progress(), True)["validators"]
        return found

    api, role = engine.api, {"role": "validator"}
    api.create_container(nodes.image, ["true"], name=f"{cluster.name}-old", labels=labels.own(cluster.name, "node", node="old", **role))
    assert known() == {"old": 1}
    born = '{"validators": {"node_0": 3, "gone": 2}}'
    api.create_volume(f"{cluster.name}-v", labels=labels.own(cluster.name, "volume", node="node_0", birth=born))
    assert known() == {"node_0": 3, "gone": 2}


def test_restarts_are_counted(info: Run, nodes: Nodes) -> None:
    nodes.run("a", "test -f /tmp/been && sleep 60; touch /tmp/been; exit 1", restart_policy={"Name": "on-failure"})
    for _try in range(50):
        facts = info(nodes.target("a"))["a"]
        if facts["restarts"]:
            break
    assert facts["restarts"] == 1


def test_the_chain_is_asked(info: Run, nodes: Nodes, chain: t.Callable[..., Chain]) -> None:
    one = chain("--chain-id", "1337")
    one.call("anvil_mine", "0x5")
    nodes.run("a")
    facts = info(nodes.target("a", {"rpc": {"type": "eth", "url": one.url}}))["a"]
    assert {key: facts[key] for key in ("height", "chain_id", "syncing", "rpc_error")} == {
        "height": 5,
        "chain_id": 1337,
        "syncing": False,
        "rpc_error": None,
    }
    assert facts["block_hash"] == one.call("eth_getBlockByNumber", "latest", False)["hash"]


def test_a_node_that_does_not_answer_is_one_line_and_delays_nobody(info: Run, nodes: Nodes, chain: t.Callable[..., Chain]) -> None:
    for name in ("good", "closed", "hangs", "stopped"):
        nodes.run(name, start=name != "stopped")
    with hanging() as port:
        found = info(
            nodes.target("good", {"rpc": {"type": "eth", "url": chain().url}}),
            nodes.target("closed", {"rpc": {"type": "eth", "url": "http://127.0.0.1:9"}}),
            nodes.target("hangs", {"rpc": {"type": "eth", "url": f"http://127.0.0.1:{port}"}}),
            nodes.target("stopped", {"rpc": {"type": "eth", "url": "http://127.0.0.1:9"}}),
            rpc_timeout=1,
        )
    assert found["good"]["height"] == 0
    assert found["closed"]["rpc_error"] == "port 9 refuses connections"
    assert found["hangs"]["rpc_error"] == f"port {port} does not answer within 1 s"
    # A node that does not run is not asked: its state says it all.
    assert found["stopped"]["rpc_error"] is None
    assert all(found["closed"][key] is None for key in CHAIN_FACTS)


def test_an_http_status_that_is_not_expected_is_told_and_no_command_is_run(info: Run, nodes: Nodes, free_port: t.Callable[[], int]) -> None:
    port = free_port()
    nodes.run("a", "httpd -f -p 80 -h /srv", port=(80, port))
    probes = {
        "web": {"type": "http", "url": f"http://127.0.0.1:{port}/missing"},
        "seed": {"type": "http", "url": f"http://127.0.0.1:{port}/seed"},
        "write": {"type": "exec", "command": ["touch", "/tmp/written"]},
    }
    facts: Data = {}
    for _try in range(20):
        facts = info(nodes.target("a", probes))["a"]
        if "HTTP" in (facts["rpc_error"] or ""):
            break
    assert facts["rpc_error"] == "web: HTTP status 404, expected 200"
    assert nodes.engine.api.exec_start(nodes.engine.api.exec_create(f"{nodes.cluster}-a", "ls /tmp")["Id"]) == b""


def test_a_node_on_another_docker_host_is_only_asked(info: Run, chain: t.Callable[..., Chain]) -> None:
    facts = info({"name": "far", "probes": {"rpc": {"type": "eth", "url": chain().url}}})["far"]
    assert (facts["container"], facts["state"], facts["height"]) == (None, None, 0)


def test_without_nodes_all_of_the_cluster_are_found_and_nothing_else(info: Run, nodes: Nodes, new_cluster: t.Callable[[], t.Any]) -> None:
    nodes.run("a")
    nodes.run("b")
    Nodes(nodes.engine, new_cluster().name, nodes.image).run("c")
    assert list(info()) == ["a", "b"]
    assert list(info(check=True)) == ["a", "b"]


def test_the_table_and_the_records_in_a_playbook(nodes: Nodes, tmp_path: Path) -> None:
    """Module, filters and the action show together, in check mode too, with more than one host in the play."""
    nodes.run("a")
    spec = [{"name": name, "role": "service", "host": "local", "network_ip": "10.0.0.1", "rpc_url": None} for name in ("a", "b")]
    tasks: t.List[Data] = [
        {"gravity.cluster.cluster_info": {"cluster": nodes.cluster, "nodes": [nodes.target("a"), nodes.target("b")]}, "register": "seen"},
        {"gravity.cluster.show": {"table": "{{ spec | gravity.cluster.status_rows(seen.nodes, wide=true) }}"}},
        {"gravity.cluster.show": {"lines": ["{{ (spec | gravity.cluster.status_records(seen.nodes))[0].image }}", "\x1b[2Jclean"]}},
    ]
    play = [{"hosts": "all", "gather_facts": False, "vars": {"spec": spec}, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "one,two,",
        "-c",
        "local",
        "--check",
        str(tmp_path / "play.yml"),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    title = ["NODE", "ROLE", "HOST", "ADDRESS", "RPC", "STATE", "HEIGHT", "PEERS", "IMAGE", "UPTIME", "RESTARTS"]
    assert lines.count(title) == 1
    assert ["b", "service", "local", "10.0.0.1", "-", "absent", "-", "-", "-", "-", "-"] in lines
    assert lines.count([nodes.image]) == 1
    assert ["clean"] in lines
