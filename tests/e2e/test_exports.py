# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported works where it is used: the URLs answer, and docker-compose makes the same containers."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import requests
import yaml

from .conftest import Cluster, ask, environment, web_servers
from .test_generic import page
from .test_life import NODES, advances, objects

FILES = {
    "export_nodes": "nodes.json",
    "export_targets": "targets.json",
    "export_env": "cluster.env",
    "export_compose": "docker-compose.cluster.yaml",
}
NOTHING: t.Dict[str, t.List[str]] = {"containers": [], "networks": [], "volumes": []}
# What docker-compose adds for itself.
FOREIGN = "com.docker.compose."


@dataclass
class NodeInfo:
    """All that the reader of nodes.json takes of a node."""

    node_id: str
    type: str
    role: str
    host: str
    rpc_port: int
    metrics_port: int
    ws_port: t.Optional[int] = None
    p2p_port: t.Optional[int] = None
    description: str = ""
    connected_to: t.Optional[t.List[str]] = None
    capabilities: t.Optional[t.List[str]] = None


@pytest.fixture(scope="module", autouse=True)
def _docker_compose() -> None:
    """docker-compose 1.29, as Debian packages it."""
    if shutil.which("docker-compose"):
        return
    if shutil.which("apt-get") is None:
        pytest.fail("docker-compose is not installed: install it (on Debian and Ubuntu: apt-get install docker-compose)")
    install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "docker-compose"]
    if subprocess.run(install, check=False, capture_output=True).returncode != 0:
        # The machine has no package lists yet, or old ones.
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(install, check=True, capture_output=True)


def exported(cluster: Cluster, verb: str) -> Path:
    """The file that an export writes when it is given no name."""
    return cluster.path.parent / FILES[verb]


def compose(cluster: Cluster, *arguments: str) -> str:
    """Run docker-compose on what was exported; what it says."""
    argv = ["docker-compose", "--file", str(exported(cluster, "export_compose")), "--project-name", cluster.name, *arguments]
    # Variables that compose would replace something with.
    env = environment({"HOME": "/nowhere", "TIER": "replaced", "DOCKER_CONFIG": str(cluster.path.parent)})
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=env, cwd=cluster.path.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def essentials(engine: docker.APIClient, cluster: Cluster) -> t.Dict[str, t.Dict[str, t.Any]]:
    """What makes up each container, whoever made it."""
    found = {}
    for item in engine.containers(all=True, filters={"label": f"gravity.cluster.name={cluster.name}"}):
        data = engine.inspect_container(item["Id"])
        config, host = data["Config"], data["HostConfig"]
        keys = ("Cmd", "Entrypoint", "User", "Hostname", "StopSignal", "StopTimeout", "Healthcheck", "ExposedPorts", "WorkingDir")
        (endpoint,) = data["NetworkSettings"]["Networks"].values()
        found[data["Name"]] = {
            "image": data["Image"],
            **{key: config.get(key) for key in keys},
            "env": sorted(config["Env"]),
            "labels": {key: value for key, value in config["Labels"].items() if not key.startswith(FOREIGN)},
            # All of it; nothing and empty are the same.
            "host": {key: value for key, value in host.items() if value and key != "Mounts"},
            "mounts": sorted((mount["Type"], mount.get("Name"), mount["Destination"], mount["RW"]) for mount in data["Mounts"]),
            "network": list(data["NetworkSettings"]["Networks"]),
            "address": endpoint["IPAMConfig"],
            "aliases": sorted(set(endpoint["Aliases"]) - {data["Id"][:12]}),
        }
    return found


def get(url: str) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    return session.get(url, timeout=5)


def test_a_cluster_that_is_not_deployed_has_no_containers_to_export(engine: docker.APIClient, cluster: Cluster) -> None:
    message = cluster.refused("export_compose")
    assert "node_0, node_1, node_2, node_3: no keys and no genesis yet, which deploy makes: deploy first. Nothing was written." in message
    assert objects(engine, cluster) == NOTHING
    assert not exported(cluster, "export_compose").exists()


def test_mistakes_are_refused_and_nothing_is_written(cluster: Cluster) -> None:
    folder = cluster.path.parent
    assert f"{folder} is a folder: name a file in dest" in cluster.refused("export_nodes", "-e", f"dest={folder}")
    assert f"{cluster.path}/file cannot be written: Not a directory" in cluster.refused("export_env", "-e", f"dest={cluster.path}/file")
    assert "export_host beta carries none of the selected nodes: choose local" in cluster.refused(
        "export_compose", "-e", "export_host=beta"
    )
    assert [path.name for path in folder.iterdir()] == [cluster.path.name]


def test_check_mode_shows_all_and_writes_nothing(engine: docker.APIClient, cluster: Cluster) -> None:
    cluster.ok("deploy")
    before = objects(engine, cluster)
    output = cluster.ok(" ".join(FILES), "--check", "--diff")
    for verb in FILES:
        # A compose file has the values of variables, and is for its owner only.
        assert (f"after: {exported(cluster, verb)}" in output) == (verb != "export_compose")
        assert f"{exported(cluster, verb)}: would be written" in output
        assert not exported(cluster, verb).exists()
    assert objects(engine, cluster) == before


def test_what_is_exported_twice_is_written_once(engine: docker.APIClient, cluster: Cluster) -> None:
    before = objects(engine, cluster)
    output = cluster.ok(" ".join(FILES))
    written = {verb: exported(cluster, verb).stat() for verb in FILES}
    for verb in FILES:
        assert f"\n{exported(cluster, verb)}: written\n" in output
        assert written[verb].st_mode & 0o777 == (0o600 if verb == "export_compose" else 0o644)
    output = cluster.unchanged(" ".join(FILES))
    for verb in FILES:
        assert f"\n{exported(cluster, verb)}: unchanged\n" in output
        again = exported(cluster, verb).stat()
        assert (again.st_ino, again.st_mtime_ns) == (written[verb].st_ino, written[verb].st_mtime_ns)
    assert objects(engine, cluster) == before


def test_every_node_of_nodes_json_answers(cluster: Cluster) -> None:
    document = json.loads(exported(cluster, "export_nodes").read_text(encoding="utf-8"))
    assert document["network"] == {"name": cluster.name, "chain_id": 1337}
    assert document["clusters"][cluster.name]["nodes"] == [f"node_{node}" for node in NODES]
    nodes = [NodeInfo(node_id=name, **record) for name, record in document["nodes"].items()]
    assert [node.role for node in nodes] == ["primary", "secondary", "secondary", "secondary"]
    for node in nodes:
        assert (node.type, node.host, node.ws_port, node.p2p_port) == ("validator", "127.0.0.1", None, 26656)
        assert ask(node.rpc_port, "eth_chainId") == hex(1337)
        assert get(f"http://{node.host}:{node.metrics_port}/metrics").ok


def test_every_target_shows_metrics(cluster: Cluster) -> None:
    groups = json.loads(exported(cluster, "export_targets").read_text(encoding="utf-8"))
    assert [group["labels"]["node"] for group in groups] == [f"node_{node}" for node in NODES]
    for group in groups:
        assert set(group["labels"]) == {"cluster", "node", "role", "flavor", "docker_host"}
        (target,) = group["targets"]
        assert "consensus_height" in get(f"http://{target}/metrics").text


def test_a_shell_and_docker_read_the_same_urls(engine: docker.APIClient, cluster: Cluster) -> None:
    file = exported(cluster, "export_env")
    shell = subprocess.run(["sh", "-c", f"set -a; . {file}; env"], capture_output=True, text=True, check=True, env={})
    image = engine.inspect_container(f"{cluster.name}-node_0")["Config"]["Image"]
    argv = ["docker", "create", "--label", f"gravity.cluster.name={cluster.name}", "--env-file", str(file), image]
    made = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    try:
        container = engine.inspect_container(made)["Config"]["Env"]
    finally:
        engine.remove_container(made, force=True)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert set(lines) <= set(shell.stdout.splitlines())
    assert set(lines) <= set(container)
    read = dict(line.split("=", 1) for line in lines)
    assert (read["GRAVITY_CLUSTER"], read["GRAVITY_CHAIN_ID"]) == (cluster.name, "1337")
    assert read["RPC_URLS"] == ",".join(read[f"RPC_URL_NODE_{node}"] for node in NODES)
    assert read["RPC_URL"] == read["RPC_URL_NODE_0"] == f"http://127.0.0.1:{cluster.port(0)}"


def test_a_limit_picks_nodes_and_dest_is_relative_to_the_user(cluster: Cluster) -> None:
    folder = cluster.path.parent
    argv = cluster.command("export_nodes", "--limit", "node_2,node_1", "-e", "dest=some.json")
    done = subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n{folder}/some.json: written\n" in done.stdout
    nodes = json.loads((folder / "some.json").read_text(encoding="utf-8"))["nodes"]
    assert {name: node["role"] for name, node in nodes.items()} == {"node_1": "primary", "node_2": "secondary"}


def test_config_files_that_were_not_deployed_are_not_promised(cluster: Cluster) -> None:
    cluster.spec["nodes"]["node_[0:3]"]["config"] = {"log_level": "warn"}
    cluster.write()
    message = cluster.refused("export_compose")
    del cluster.spec["nodes"]["node_[0:3]"]["config"]
    cluster.write()
    assert "node_3: its config files are not those of the spec any more: deploy first" in message
    cluster.unchanged("export_compose")


def test_compose_makes_the_same_containers(engine: docker.APIClient, cluster: Cluster) -> None:
    text = exported(cluster, "export_compose").read_text(encoding="utf-8")
    assert "x-node: &node\n" in text
    assert text.count("<<: *node\n") == len(NODES)
    compose(cluster, "config", "--quiet")
    before = essentials(engine, cluster)
    first = cluster.rpc(0, "eth_getBlockByNumber", "0x1", False)["hash"]
    height = cluster.height(0)
    cluster.ok("teardown")
    volumes = objects(engine, cluster)["volumes"]
    assert volumes

    said = compose(cluster, "up", "--detach")
    assert "WARNING" not in said
    assert essentials(engine, cluster) == before
    assert objects(engine, cluster)["volumes"] == volumes
    cluster.unchanged("wait")
    assert cluster.height(0) > height
    assert advances(cluster, 3)
    assert cluster.rpc(0, "eth_getBlockByNumber", "0x1", False)["hash"] == first


def test_our_playbooks_know_the_containers_of_compose(engine: docker.APIClient, cluster: Cluster) -> None:
    facts = cluster.facts()
    assert sorted(facts) == [f"node_{node}" for node in NODES]
    assert {fact["state"] for fact in facts.values()} == {"running"}
    before = objects(engine, cluster)
    cluster.unchanged("deploy")
    cluster.unchanged("export_compose")
    assert objects(engine, cluster) == before


def test_compose_takes_away_what_it_made_and_leaves_the_data(engine: docker.APIClient, cluster: Cluster) -> None:
    volumes = objects(engine, cluster)["volumes"]
    compose(cluster, "down", "--volumes")
    assert objects(engine, cluster) == {**NOTHING, "volumes": volumes}
    cluster.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={cluster.name}")
    assert objects(engine, cluster) == NOTHING


@pytest.fixture(scope="module")
def web(engine: docker.APIClient, busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Two web servers that show what they find in their environment."""
    fields = {
        "command": ["sh", "-c", 'echo "$TIER" > /www/index.html; exec httpd -f -p 8080 -h /www'],
        "env": {"TIER": "5$ for $TIER, ${TIER} and $$: no"},
        "labels": {"price": "5$"},
        "health": {"test": "test -n $$ && wget -q -O /dev/null http://127.0.0.1:8080/", "interval": "500ms"},
    }
    with web_servers(engine, busybox, tmp_path_factory, **fields) as made:
        yield made


def test_servers_without_rpc_and_metrics_are_not_what_others_ask_for(web: Cluster) -> None:
    words = "web_0, web_1: no published port rpc and metrics, which nodes.json must have: set rpc_port and metrics_port in the spec"
    assert words in web.refused("export_nodes")
    assert "web_0, web_1: no published port rpc, so there are no URLs: set rpc_port in the spec" in web.refused("export_env")
    assert "web_0, web_1: no published port metrics, left out" in web.ok("export_targets")
    assert json.loads(exported(web, "export_targets").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"files": [{"path": "/www/more.html", "content": "x"}]},
            "no container shows that its config files are in its volumes: deploy first",
        ),
        ({"user": "10001:10001"}, "a new volume would belong to root, and only deploy gives it to user 10001:10001: deploy first"),
    ],
)
def test_what_only_deploy_can_bring_is_refused(engine: docker.APIClient, web: Cluster, fields: t.Dict[str, t.Any], words: str) -> None:
    nodes = web.spec["nodes"]["web_[0:1]"]
    nodes.update(fields)
    web.write()
    message = web.refused("export_compose")
    for key in fields:
        del nodes[key]
    web.write()
    assert f"web_0, web_1: {words}" in message
    assert not exported(web, "export_compose").exists()
    assert objects(engine, web) == NOTHING


def test_of_several_docker_hosts_one_is_chosen(engine: docker.APIClient, web: Cluster) -> None:
    # Both are this machine: what differs is only which nodes they carry.
    web.spec["hosts"] = {host: {"ansible_connection": "local"} for host in ("alpha", "beta")}
    web.write()
    message = web.refused("export_compose")
    services = []
    for choice in (("-e", "export_host=beta"), ("--limit", "on_alpha")):
        web.ok("export_compose", *choice)
        services.append(list(yaml.safe_load(exported(web, "export_compose").read_text(encoding="utf-8"))["services"]))
    exported(web, "export_compose").unlink()
    del web.spec["hosts"]
    web.write()
    assert "The nodes are on alpha, beta, and a compose file is for one Docker host: choose it with -e export_host=NAME" in message
    assert services == [["web_1"], ["web_0"]]
    assert objects(engine, web) == NOTHING


def test_servers_need_no_deploy(engine: docker.APIClient, web: Cluster) -> None:
    assert "changed=1" in web.ok("export_compose")
    assert objects(engine, web) == NOTHING
    compose(web, "config", "--quiet")
    assert "WARNING" not in compose(web, "up", "--detach")
    made = essentials(engine, web)
    facts = web.facts("wait")
    assert [page(web, node) for node in range(2)] == ["5$ for $TIER, ${TIER} and $$: no\n"] * 2
    assert {fact["state"] for fact in facts.values()} <= {"running", "starting"}
    web.unchanged("deploy")
    compose(web, "down")
    web.ok("deploy")
    assert essentials(engine, web) == made


def test_nothing_is_left_of_the_servers(engine: docker.APIClient, web: Cluster) -> None:
    web.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={web.name}")
    assert objects(engine, web) == NOTHING
