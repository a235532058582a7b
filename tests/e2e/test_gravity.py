# SPDX-License-Identifier: GPL-3.0-or-later
"""Flavor gravity, with stand-ins for its programs that check all that they are given: birth, life, and what its users bring."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
import time
import typing as t
import uuid
from pathlib import Path

import docker
import gravity_image
import pytest
import yaml

from .conftest import Cluster, ask, free_offset, free_subnet, remove_all

ADDRESS = "0xAEd2a948892475F800A337427B3275D190EA3e9"
# A proxy that is not there must not come between us and the nodes.
PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
OLDER = {"ANSIBLE_INVENTORY_ENABLED": "gravity.cluster.spec"}


@pytest.fixture(scope="module")
def images(engine: docker.APIClient) -> t.Iterator[t.Dict[str, str]]:
    """The node image, the one that makes the genesis, a next release and a broken one."""
    node = gravity_image.node_image(engine)
    made = {"node": node, "maker": gravity_image.maker_image(engine)}
    for name, line in (("next", "LABEL release=next"), ("broken", 'ENTRYPOINT ["sh", "-c", "echo broken release; exit 7"]')):
        made[name] = f"gravity-test-{name}:{uuid.uuid4().hex[:8]}"
        list(engine.build(fileobj=io.BytesIO(f"FROM {node}\n{line}\n".encode()), tag=made[name], rm=True))
    yield made
    for name in ("next", "broken"):
        engine.remove_image(made[name], force=True)


def new_cluster(engine: docker.APIClient, folder: Path, images: t.Dict[str, str]) -> Cluster:
    """A spec of four validators and a vfn."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    offset = free_offset()
    nodes: t.Dict[str, t.Any] = {f"node_{number}": {"config": {"address": f"{ADDRESS}{number}"}} for number in range(4)}
    return Cluster(
        folder,
        {
            "plugin": "gravity.cluster.spec",
            "cluster_name": name,
            "flavor": "gravity",
            "container_prefix": f"{name}-",
            "network": {"name": name, "subnet": free_subnet(engine), "chain_id": 7777},
            "image": {"source": "present", "name": images["node"]},
            "defaults": {"resources": {"cpus": 1, "memory": "256m"}},
            "roles": {
                "validator": {"port_offset": offset, "ports": {"https": {"host": None}}},
                "vfn": {"port_offset": offset + 100},
                "pfn": {"port_offset": offset + 108},
            },
            "config": {"genesis": {"image": images["maker"]}},
            "nodes": {**nodes, "vfn_0": {"role": "vfn", "ports": {"public": {}}, "config": {"seeds": [{"from": "node_0"}]}}},
        },
    )


@pytest.fixture(scope="module")
def gravity(engine: docker.APIClient, images: t.Dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """A cluster that is deployed by the first test and lives through the others; the keys of its validators come from seeds."""
    cluster = new_cluster(engine, tmp_path_factory.mktemp("gravity"), images)
    for number in range(4):
        cluster.spec["nodes"][f"node_{number}"]["config"]["seed"] = f"{number + 1:064x}"
    cluster.write()
    try:
        yield cluster
    finally:
        remove_all(engine, cluster.name)


def container(engine: docker.APIClient, cluster: Cluster, node: str) -> t.Dict[str, t.Any]:
    """The inspection of a node's container."""
    found: t.Dict[str, t.Any] = engine.inspect_container(f"{cluster.name}-{node}")
    return found


def read_config(engine: docker.APIClient, cluster: Cluster, node: str) -> t.Dict[str, tarfile.TarInfo]:
    """The files of a node's config folder, by name; the text of each is in ``pax_headers['text']``."""
    stream, _stat = engine.get_archive(f"{cluster.name}-{node}", "/gravity/config")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        found = {}
        for entry in archive:
            source = archive.extractfile(entry)
            if source is not None:
                entry.pax_headers = {"text": source.read().decode()}
                found[Path(entry.name).name] = entry
        return found


def content(engine: docker.APIClient, name: str, path: str) -> bytes:
    """A file of a container, which need not run."""
    stream, _stat = engine.get_archive(name, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        source = archive.extractfile(Path(path).name)
        assert source is not None
        return source.read()


def text(files: t.Dict[str, tarfile.TarInfo], name: str) -> str:
    return files[name].pax_headers["text"]


def objects(engine: docker.APIClient, cluster: Cluster) -> t.Tuple[int, int]:
    """How many containers and volumes a cluster has."""
    own = {"label": f"gravity.cluster.name={cluster.name}"}
    return len(engine.containers(all=True, filters=own)), len(engine.volumes(filters=own)["Volumes"] or [])


def test_birth(engine: docker.APIClient, gravity: Cluster) -> None:
    said = gravity.ok("deploy", "-vvv", env=PROXY)
    facts = gravity.facts()
    assert {name: (node["role"], node["state"]) for name, node in facts.items()} == {
        **{f"node_{number}": ("validator", "running") for number in range(4)},
        "vfn_0": ("vfn", "running"),
    }
    assert {node["chain_id"] for node in facts.values()} == {7777}
    for node in facts:
        files = read_config(engine, gravity, node)
        kind = "validator_full_node.yaml" if node == "vfn_0" else "validator.yaml"
        assert set(files) == {
            *("genesis.json", "waypoint.txt", "identity.yaml", "identity.public.yaml", "reth_config.json", "relayer_config.json", kind)
        }
        assert {(entry.uid, entry.gid) for entry in files.values()} == {(10001, 10001)}
        assert files["identity.yaml"].mode & 0o777 == 0o400
        secrets = [line.split(": ")[1] for line in text(files, "identity.yaml").splitlines() if "private" in line]
        assert len(secrets) == 3
        assert not [secret for secret in secrets if secret in said]
        # Nor where everyone looks who may use the Engine.
        seen = json.dumps([container(engine, gravity, node), engine.inspect_volume(f"{gravity.name}-{node}-config")])
        assert not [secret for secret in secrets if secret in seen]
    gravity.unchanged("deploy")


def test_the_genesis_holds_static_addresses(engine: docker.APIClient, gravity: Cluster) -> None:
    files = read_config(engine, gravity, "node_2")
    key = yaml.safe_load(text(files, "identity.public.yaml"))["network_public_key"]
    entry = json.loads(text(files, "genesis.json"))["standin"][2]
    address = gravity.spec["network"]["subnet"].replace(".0/24", ".12")
    assert entry["networkAddresses"] == f"/ip4/{address}/tcp/6180/noise-ik/{key}/handshake/0"
    assert entry["fullnodeAddresses"] == f"/ip4/{address}/tcp/6190/noise-ik/{key}/handshake/0"


def test_a_full_node_joins_by_editing_the_spec(engine: docker.APIClient, gravity: Cluster) -> None:
    before = {node: container(engine, gravity, node)["Id"] for node in ("node_0", "node_3", "vfn_0")}
    gravity.spec["nodes"]["pfn_0"] = {"role": "pfn", "config": {"seeds": [{"from": "vfn_0"}]}}
    gravity.write()
    assert gravity.facts("deploy")["pfn_0"]["height"] > 0
    assert {node: container(engine, gravity, node)["Id"] for node in before} == before


def test_logs_are_files(gravity: Cluster) -> None:
    said = gravity.ok("logs", "--limit", "node_1,pfn_0", "-e", "tail=3")
    blocks = {part.split(" <==\n")[0]: part.split(" <==\n")[1].splitlines() for part in said.split("==> ")[1:]}
    assert [name for name in blocks if name.startswith("node_1")] == [
        "node_1",
        "node_1: /gravity/data/execution_logs/dev/reth.log",
        "node_1: /gravity/data/consensus_log/validator.log",
    ]
    assert len([line for line in blocks["node_1: /gravity/data/execution_logs/dev/reth.log"] if "INFO" in line]) == 3
    assert "pfn_0: /gravity/data/consensus_log/vfn.log" in blocks
    assert "INFO" not in gravity.ok("logs", "--limit", "node_1", "-e", "since=2099-01-01T00:00:00Z")


def test_a_restart_waits_for_the_end_of_the_process(gravity: Cluster) -> None:
    gravity.ok("restart", "--limit", "node_1")
    said = gravity.ok("logs", "--limit", "node_1", "-e", "tail=400")
    own = [line for line in said.splitlines() if "flushing the database" in line or " exit" in line or "node started" in line]
    assert [line.split()[-1] for line in own][-3:-1] == ["database", "exit"]
    assert "node started" in own[-1]
    assert "Resource temporarily unavailable" not in said


def test_clear_storage(engine: docker.APIClient, gravity: Cluster) -> None:
    identity = text(read_config(engine, gravity, "node_1"), "identity.yaml")
    assert "node_1: runs, and would lose its data under its feet: stop it first" in gravity.refused("clear_storage", "--limit", "node_1")
    gravity.ok("stop", "--limit", "node_1")
    secure = content(engine, f"{gravity.name}-node_1", "/gravity/data/data/secure_storage.json")
    assert "files and folders of its data" in gravity.ok("clear_storage", "--limit", "node_1", "--check")
    gravity.ok("clear_storage", "--limit", "node_1")
    assert "There were no data." in gravity.ok("clear_storage", "--limit", "node_1")
    reached = gravity.height(0)
    gravity.ok("start", "--limit", "node_1")
    wait_for(lambda: gravity.height(1) >= reached)
    assert text(read_config(engine, gravity, "node_1"), "identity.yaml") == identity
    assert content(engine, f"{gravity.name}-node_1", "/gravity/data/data/secure_storage.json") == secure


def test_upgrade(engine: docker.APIClient, gravity: Cluster, images: t.Dict[str, str]) -> None:
    reached = gravity.height(2)
    said = gravity.ok("upgrade", "--limit", "node_2", "-e", f"upgrade_image={images['next']}")
    assert "node_2: upgraded (image sha256:" in said
    assert f"({images['next']})" in said
    assert "node_2: has this image already; nothing was done" in gravity.unchanged(
        "upgrade", "--limit", "node_2", "-e", f"upgrade_image={images['next']}"
    )
    assert container(engine, gravity, "node_2")["Config"]["Image"] == images["next"]
    assert gravity.height(2) >= reached
    # Back by the spec, which names the older one.
    gravity.ok("upgrade", "--limit", "node_2")
    assert container(engine, gravity, "node_2")["Config"]["Image"] == images["node"]


def test_an_upgrade_that_fails_is_undone(engine: docker.APIClient, gravity: Cluster, images: t.Dict[str, str]) -> None:
    before = container(engine, gravity, "node_2")["Image"]
    others = {node: container(engine, gravity, node)["Id"] for node in ("node_0", "node_1", "node_3")}
    said = gravity.refused("upgrade", "--limit", "node_2,node_3", "-e", f"upgrade_image={images['broken']}")
    assert "node_2: the new image was given up, and the old one is restored and ready" in said
    assert "last log line: broken release" in said
    # The report holds the end of the log files too.
    assert "flushing the database" in said
    assert container(engine, gravity, "node_2")["Image"] == before
    assert gravity.facts()["node_2"]["state"] == "running"
    assert {node: container(engine, gravity, node)["Id"] for node in others} == others


def test_an_image_that_is_not_there_changes_nothing(engine: docker.APIClient, gravity: Cluster) -> None:
    before = container(engine, gravity, "node_2")["Id"]
    gravity.refused("upgrade", "--limit", "node_2", "-e", "upgrade_image=127.0.0.1:9/no/such:image")
    assert container(engine, gravity, "node_2")["Id"] == before


def test_a_genesis_that_is_brought(engine: docker.APIClient, gravity: Cluster) -> None:
    """The same seeds make the same keys, so that the genesis of a purged cluster fits the next one."""
    files = read_config(engine, gravity, "node_0")
    genesis = gravity.path.parent / "genesis.json"
    genesis.write_text(text(files, "genesis.json"), encoding="utf-8")
    gravity.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={gravity.name}")
    digest = hashlib.sha256(genesis.read_bytes()).hexdigest()
    del gravity.spec["nodes"]["vfn_0"], gravity.spec["nodes"]["pfn_0"]
    with Served(gravity.path.parent) as url:
        config = gravity.spec["config"]
        config["genesis"] = {"url": f"{url}/genesis.json", "checksum": f"sha256:{'0' * 64}"}
        gravity.write()
        said = gravity.refused("deploy")
        assert f"genesis: its sha256 is {digest} and not {'0' * 64}; bring the right file, or mend config.genesis.checksum" in said
        assert objects(engine, gravity) == (0, 0)
        config["genesis"]["checksum"] = f"sha256:{digest}"
        gravity.write()
        gravity.ok("deploy")
    again = read_config(engine, gravity, "node_0")
    assert {name: text(again, name) for name in ("identity.yaml", "waypoint.txt", "genesis.json")} == {
        name: text(files, name) for name in ("identity.yaml", "waypoint.txt", "genesis.json")
    }


class Older:
    """The older cluster.json with a config folder for each of four validators, copied out of a cluster."""

    def __init__(self, engine: docker.APIClient, source: Cluster, folder: Path, image: str) -> None:
        self.folder = folder
        self.name = f"e2e-{uuid.uuid4().hex[:8]}"
        offset = free_offset()
        nodes = {}
        for number in range(4):
            place = folder / "configs" / f"node_{number}"
            place.mkdir(parents=True)
            for name, entry in read_config(engine, source, f"node_{number}").items():
                (place / name).write_text(entry.pax_headers["text"], encoding="utf-8")
            nodes[f"node_{number}"] = {
                "container_name": f"{self.name}-node_{number}",
                "role": "validator",
                "network_ip": source.spec["network"]["subnet"].replace(".0/24", f".1{number}"),
                "rpc_port": 8545 + offset + number,
                "metrics_port": 9001 + offset + number,
                "p2p_port": 8080 + offset + number,
                "inspection_port": 10000 + offset + number,
                "config_dir": f"configs/node_{number}",
            }
        self.spec: t.Dict[str, t.Any] = {
            "cluster_name": self.name,
            "network": {"name": self.name, "subnet": source.spec["network"]["subnet"], "chain_id": 7777},
            "docker": {"image": image, "compose_file": "docker/cluster/docker-compose.cluster.yaml"},
            "nodes": nodes,
        }
        self.cluster = Cluster(folder, {"cluster_name": self.name})
        self.cluster.path.unlink()
        self.cluster.path = folder / "cluster.json"
        self.write()

    def write(self) -> None:
        self.cluster.path.write_text(json.dumps(self.spec), encoding="utf-8")

    def rpc(self, number: int, method: str) -> t.Any:
        return ask(self.spec["nodes"][f"node_{number}"]["rpc_port"], method)


@pytest.fixture(scope="module")
def older(
    engine: docker.APIClient, gravity: Cluster, images: t.Dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Older]:
    """Takes the place of the cluster that the tests above used."""
    made = Older(engine, gravity, tmp_path_factory.mktemp("older"), images["node"])
    gravity.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={gravity.name}")
    try:
        yield made
    finally:
        remove_all(engine, made.name)


def test_an_identity_for_two_nodes(engine: docker.APIClient, older: Older) -> None:
    own = older.folder / "configs/node_1/identity.yaml"
    kept = own.read_text(encoding="utf-8")
    shutil.copy(older.folder / "configs/node_0/identity.yaml", own)
    said = older.cluster.refused("deploy", env=OLDER)
    own.write_text(kept, encoding="utf-8")
    assert "node_0 and node_1: have a key in common" in said
    assert "give each node keys of its own; no genesis was made" in said
    assert objects(engine, older.cluster) == (0, 0)


def test_a_node_without_its_folder(engine: docker.APIClient, older: Older) -> None:
    folder = older.folder / "configs/node_2"
    folder.rename(folder.with_name("away"))
    said = older.cluster.refused("deploy", env=OLDER)
    folder.with_name("away").rename(folder)
    assert (
        f"node_2: its config_dir {folder} is no folder with files; make it, or leave config_dir out so that the files are rendered" in said
    )
    assert objects(engine, older.cluster) == (0, 0)


def test_another_genesis_in_one_folder(engine: docker.APIClient, older: Older) -> None:
    path = older.folder / "configs/node_3/genesis.json"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept + " ", encoding="utf-8")
    said = older.cluster.refused("deploy", env=OLDER)
    path.write_text(kept, encoding="utf-8")
    assert "node_3: the genesis.json in its config_dir is not that of the other nodes; put the same one into every folder" in said
    assert objects(engine, older.cluster) == (0, 0)


def test_the_older_cluster_json_alone(engine: docker.APIClient, older: Older) -> None:
    older.cluster.ok("deploy", env=OLDER)
    assert older.rpc(3, "eth_chainId") == hex(7777)
    for number in range(4):
        folder = older.folder / "configs" / f"node_{number}"
        files = read_config(engine, older.cluster, f"node_{number}")
        assert {name: text(files, name) for name in files} == {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        assert files["identity.yaml"].mode & 0o777 == 0o400
    older.cluster.unchanged("deploy", env=OLDER)


def test_an_edited_config_file_reaches_its_node(engine: docker.APIClient, older: Older) -> None:
    before = [container(engine, older.cluster, f"node_{number}")["Id"] for number in range(4)]
    path = older.folder / "configs/node_0/reth_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("debug,eth,net", "eth,net"), encoding="utf-8")
    older.cluster.ok("deploy", env=OLDER)
    after = [container(engine, older.cluster, f"node_{number}")["Id"] for number in range(4)]
    assert [one == other for one, other in zip(before, after)] == [False, True, True, True]
    assert "eth,net,trace" in text(read_config(engine, older.cluster, "node_0"), "reth_config.json")


def test_other_keys_for_a_node_are_refused(older: Older) -> None:
    path = older.folder / "configs/node_0/identity.yaml"
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace("account_address: ", "account_address: ff"), encoding="utf-8")
    said = older.cluster.refused("deploy", env=OLDER)
    path.write_text(kept, encoding="utf-8")
    assert "node_0: the keys that are brought for it (ff" in said
    assert "a node keeps its keys" in said


def of_nodes(spec: t.Dict[str, t.Any]) -> None:
    """One mistake or another in every node."""
    nodes = spec["nodes"]
    nodes["node_1"].pop("config")
    nodes["node_2"]["config"].update(identity="keys.yaml")
    nodes["node_3"]["config"].update(seed="12")
    nodes["vfn_0"]["config"].update(seeds=[{"from": "node_7"}, {"peer_id": "0x1", "role": "Validator"}])
    nodes["pfn_0"] = {"role": "pfn", "config": {"seeds": [{"from": "node_0"}]}}


MISTAKES: t.Dict[str, t.Tuple[t.Callable[[t.Dict[str, t.Any]], t.Any], t.List[str]]] = {
    "no genesis": (
        lambda spec: spec.pop("config"),
        ["genesis: nothing says where it comes from; set config.genesis in the spec, to the path or url"],
    ),
    "no file": (
        lambda spec: spec["config"].update(genesis={"path": "none.json"}),
        ["genesis: there is no file none.json beside the spec; mend config.genesis.path"],
    ),
    "another file": (
        lambda spec: spec["config"].update(genesis={"path": "other.json", "pth": "x", "checksum": "sha256:" + "1" * 64}),
        [
            "genesis: it names its validators on the loopback",
            "genesis: its config.chainId is 1, and network.chain_id of the spec is 7777; bring the genesis of this chain, or set",
            f"and not {'1' * 64}; bring the right file, or mend config.genesis.checksum",
            "genesis: unknown key pth in config.genesis; use path or url, and checksum, or image, command and output",
        ],
    ),
    "the genesis of others": (
        lambda spec: spec["config"].update(genesis={"path": "own.json"}),
        ["node_0, node_1, node_2, node_3: the genesis that is brought names the keys of its validators, and theirs are not brought"],
    ),
    "a genesis on the loopback": (
        lambda spec: spec["config"].update(genesis={"path": "own.json"}, genesis_hosts=["localhost"]),
        ["genesis: it names its validators on the loopback (127.0.0.1), where containers do not meet; make a new one with each"],
    ),
    "nodes": (
        of_nodes,
        [
            "node_1: a validator of the genesis has an Ethereum address, 0x and 40 hexadecimal digits; set config.address",
            "node_2: there is no file keys.yaml beside the spec; mend config.identity",
            "node_3: its seed is not 64 hexadecimal digits; mend config.seed",
            "vfn_0: there is no node node_7 to be a seed; name one of node_0, node_1, node_2, node_3, vfn_0",
            "vfn_0: a seed needs from, or peer_id and role with address or with host, port and network_pk; complete config.seeds[1]",
            "pfn_0: its seed node_0 has no port public; give it one, with ports: {public: {}}, or choose another",
        ],
    ),
    "a maker that fails": (
        lambda spec: spec["config"].update(genesis_config={"epochIntervalMicros": 13}),
        ["ended with code 1 (forge: the epoch interval brings bad luck): no genesis was made"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(engine: docker.APIClient, images: t.Dict[str, str], tmp_path: Path, mistake: str) -> None:
    cluster = new_cluster(engine, tmp_path, images)
    for name, chain in (("other.json", 1), ("own.json", 7777)):
        # As in the storage of a contract: a length, and the text.
        slot = "0x17" + b"/ip4/127.0.0.1/tcp/6180".hex()
        alloc = {"0x2": {"storage": {"0x1": slot}}} if name == "other.json" else {}
        (tmp_path / name).write_text(json.dumps({"config": {"chainId": chain}, "alloc": alloc}), encoding="utf-8")
    change, lines = MISTAKES[mistake]
    change(cluster.spec)
    cluster.write()
    try:
        said = cluster.refused("deploy")
        assert [line for line in lines if line not in said] == []
        assert objects(engine, cluster) == (0, 0)
    finally:
        remove_all(engine, cluster.name)


TOML_NODE = """
[[nodes]]
id = "{node}"
role = "genesis"
source = {{ project_path = "../" }}
host = "127.0.0.1"
validator_port = 6180
vfn_port = 6190
rpc_port = {rpc}
metrics_port = {metrics}
inspection_port = {inspection}
https_port = {https}
authrpc_port = 8551
reth_p2p_port = 12024
"""


def test_the_cluster_toml_of_the_tooling(engine: docker.APIClient, older: Older, images: t.Dict[str, str], tmp_path: Path) -> None:
    """With the keys, the genesis and the waypoint that its own commands leave beside it: those of the cluster whose place it takes."""
    folder = tmp_path / "tooling"
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    offset = free_offset()
    text_of = f'[cluster]\nname = "{name}"\nbase_dir = "/tmp/{name}"\n'
    text_of += f"""
[docker]
image = "{images["node"]}"
network = {{ subnet = "{older.spec["network"]["subnet"]}" }}
"""
    (folder / "output").mkdir(parents=True)
    for number in range(4):
        node = f"{name}_{number}"
        files = older.folder / "configs" / f"node_{number}"
        place = folder / "output" / node / "config"
        place.mkdir(parents=True)
        shutil.copy(files / "identity.yaml", place)
        ports = {key: base + offset + number for key, base in (("rpc", 8545), ("metrics", 9001), ("inspection", 10000), ("https", 8080))}
        text_of += TOML_NODE.format(node=node, **ports)
        for shared in ("genesis.json", "waypoint.txt"):
            shutil.copy(files / shared, folder / "output")
    older.cluster.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={older.name}", env=OLDER)
    toml = Cluster(folder, {"cluster_name": name})
    toml.path = folder / "cluster.toml"
    toml.path.write_text(text_of, encoding="utf-8")
    try:
        toml.ok("deploy", env=OLDER)
        assert ask(8545 + offset + 3, "eth_chainId") == hex(7777)
        container_name = f"gravity_{name}_3"
        identity = content(engine, container_name, "/gravity/config/identity.yaml")
        assert identity == (folder / "output" / f"{name}_3" / "config" / "identity.yaml").read_bytes()
    finally:
        remove_all(engine, name)


def wait_for(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


class Served:
    """A folder over HTTP, on the loopback; gives its URL."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_args: object) -> None:
        self.server.shutdown()
        self.server.server_close()
