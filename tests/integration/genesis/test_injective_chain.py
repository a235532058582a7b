# SPDX-License-Identifier: GPL-3.0-or-later
"""The flavor injective: its image, its genesis, and the chain that comes of them. No playbook: only the role's data and the modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import yaml

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

from .conftest import Stored, document_of

Run = Callable[..., dict[str, Any]]
Look = Callable[[str], dict[str, Stored]]

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "flavor_injective"

PLAY = """
- hosts: localhost
  gather_facts: false
  vars_files: [{role}/defaults/main.yml, {role}/vars/main.yml]
  tasks:
    - ansible.builtin.copy:
        dest: "{{{{ out }}}}"
        mode: '0600'
        content: "{{{{ {{'recipe': __flavor_injective_recipe, 'birth': birth | from_yaml}} | to_json }}}}"
      vars:
        birth: "{{{{ lookup('ansible.builtin.template', '{role}/templates/birth.yml.j2') }}}}"
"""


def node(cluster: str, name: str, power: int = 0, **config: Any) -> dict[str, Any]:
    """What the inventory says of a node, as far as the role asks."""
    facts = yaml.safe_load((ROLE / "meta" / "flavor.yml").read_text())
    return {
        "name": name,
        "role": "validator" if power else "fullnode",
        "container_name": f"{cluster}-{name}",
        "network_ip": "127.0.0.1",
        "host": "here",
        "voting_power": power,
        "image": None,
        "user": None,
        "config": {**{key: value["default"] for key, value in facts["config"].items()}, **config},
    }


def rendered(tmp_path: Path, cluster: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """The role's recipe of the image and data of the birth for these nodes."""
    out, play, given = tmp_path / "out.json", tmp_path / "play.yml", tmp_path / "given.json"
    play.write_text(PLAY.format(role=ROLE))
    settings = {"name": cluster, "network": {"chain_id": 4242}}
    given.write_text(
        json.dumps(
            {"flavor_injective_nodes": nodes, "flavor_injective_all_nodes": nodes, "flavor_injective_cluster": settings, "out": str(out)}
        )
    )
    command = [
        str(ROOT / ".venv" / "bin" / "ansible-playbook"),
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-e",
        f"@{given}",
        str(play),
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data: dict[str, Any] = json.loads(out.read_text())
    return data


def options(image: str, cluster: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"cluster": cluster, "flavor": "injective", "image": image, "chain_id": 4242, **data["birth"]}


@pytest.fixture(scope="module")
def image(engine: Engine, run_module: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The role's image under a name of the tests. Its wheel comes from pip's index, or the cache that every user has."""
    name = f"t-injective-{uuid.uuid4().hex[:8]}:1"
    data = rendered(tmp_path_factory.mktemp("recipe"), "t", node("t", "node_0", 1))
    result = run_module("image", {"name": name, "source": "assemble", "assemble": data["recipe"]})
    assert result.get("changed"), result
    yield name
    engine.api.remove_image(name, force=True)


def test_image_is_found_unchanged(run_module: Run, image: str, tmp_path: Path) -> None:
    data = rendered(tmp_path, "t", node("t", "node_0", 1))
    begin = time.monotonic()
    result = run_module("image", {"name": image, "source": "assemble", "assemble": data["recipe"]})
    assert (result["changed"], result["action"]) == (False, "none")
    print(f"assemble again, unchanged: {time.monotonic() - begin:.2f} s")


def test_four_validators_and_full_nodes(run_module: Run, image: str, cluster: Any, look: Look, objects: Any, tmp_path: Path) -> None:
    validators = [node(cluster.name, f"node_{number}", number + 1) for number in range(4)]
    full = [node(cluster.name, "full_0")]
    given = options(image, cluster.name, rendered(tmp_path, cluster.name, *validators, *full))
    begin = time.monotonic()
    result = run_module("genesis", given)
    assert not result.get("failed"), result
    print(f"birth of five nodes: {time.monotonic() - begin:.2f} s")
    assert result["validators"] == {"node_0": 1, "node_1": 2, "node_2": 3, "node_3": 4}
    assert "mnemonic" not in json.dumps(result)
    assert all(len(identity) == 40 for identity in result["identities"].values())
    assert objects(cluster.name)["containers"] == []

    stored = {name: look(volume) for name, volume in result["volumes"].items()}
    for name, files in stored.items():
        assert {(one.uid, one.gid) for one in files.values()} == {(10001, 10001)}
        modes = {path: oct(files[path].mode) for path in files if not path.startswith("keyring-test")}
        assert modes == {
            "": "0o700",
            "config": "0o700",
            "config/genesis.json": "0o444",
            "config/node_key.json": "0o400",
            "config/priv_validator_key.json": "0o400",
            "data": "0o700",
            "data/priv_validator_state.json": "0o600",
        }
        assert ("keyring-test" in files) == (name != "full_0")
    for path in ("config/node_key.json", "config/priv_validator_key.json"):
        assert len({files[path].content for files in stored.values()}) == 5
    genesis = document_of(stored["full_0"])
    state = genesis["app_state"]
    assert genesis["chain_id"] == "injective-4242"
    assert state["evm"]["params"]["chain_config"]["eip155_chain_id"] == "4242"
    stakes = [message["value"]["amount"] for tx in state["genutil"]["gen_txs"] for message in tx["body"]["messages"]]
    assert stakes == [f"{power}000000000000000000" for power in (1, 2, 3, 4)]
    assert len(state["auth"]["accounts"]) == len(state["bank"]["balances"]) == 4
    assert state["bank"]["supply"] == []

    begin = time.monotonic()
    again = run_module("genesis", given)
    assert (again["changed"], again["digest"]) == (False, result["digest"])
    print(f"birth again, unchanged: {time.monotonic() - begin:.2f} s")


class Chain:
    """Containers of one test, started by hand."""

    def __init__(self, engine: Engine, image: str, cluster: str) -> None:
        self.engine, self.image, self.cluster = engine, image, cluster

    def start(self, name: str, *arguments: str) -> str:
        """Start a node on its volume; returns its address."""
        api = self.engine.api
        base = [
            "--home",
            "/data",
            "--chain-id",
            "injective-4242",
            "--rpc.laddr",
            "tcp://0.0.0.0:26657",
            "--json-rpc.address",
            "0.0.0.0:8545",
        ]
        host = api.create_host_config(
            binds=[f"{self.cluster}-{name}-data:/data"],
            tmpfs={"/tmp": ""},
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            port_bindings={8545: ("127.0.0.1", None), 26657: ("127.0.0.1", None)},
        )
        container = f"{self.cluster}-{name}"
        command = ["start", *base, "--api.enable=false", "--grpc-web.enable=false", *arguments]
        api.create_container(self.image, command=command, name=container, ports=[8545, 26657], host_config=host)
        api.start(container)
        return str(api.inspect_container(container)["NetworkSettings"]["IPAddress"])

    def port(self, name: str, inside: int) -> int:
        return int(self.engine.api.port(f"{self.cluster}-{name}", inside)[0]["HostPort"])

    def rpc(self, name: str, method: str) -> Any:
        """A JSON-RPC call."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port(name, 8545)}", body, {"Content-Type": "application/json"})
        return self._read(request)["result"]

    def comet(self, name: str, path: str) -> Any:
        """A call of CometBFT's own RPC."""
        return self._read(urllib.request.Request(f"http://127.0.0.1:{self.port(name, 26657)}/{path}"))["result"]

    @staticmethod
    def _read(request: urllib.request.Request) -> Any:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return json.load(answer)

    def wait_for(self, name: str, height: int) -> None:
        """Wait until the node's chain is that high."""
        deadline, seen = time.monotonic() + 60, "nothing"
        while time.monotonic() < deadline:
            try:
                seen = self.rpc(name, "eth_blockNumber")
                if int(seen, 16) >= height:
                    return
            except (OSError, KeyError, ValueError, docker.errors.APIError) as exc:
                seen = repr(exc)
            time.sleep(0.2)
        logs = self.engine.api.logs(f"{self.cluster}-{name}", tail=20).decode(errors="replace")
        pytest.fail(f"{name} did not reach height {height}: {seen}\n{logs}")


def test_chain_runs_and_a_late_full_node_follows(engine: Engine, run_module: Run, image: str, cluster: Any, tmp_path: Path) -> None:
    first, late = node(cluster.name, "node_0", 7), node(cluster.name, "full_0")
    born = run_module("genesis", options(image, cluster.name, rendered(tmp_path, cluster.name, first)))
    assert not born.get("failed"), born
    chain = Chain(engine, image, cluster.name)
    address = chain.start("node_0")
    chain.wait_for("node_0", 2)
    assert chain.rpc("node_0", "eth_chainId") == hex(4242)
    assert chain.comet("node_0", "status")["node_info"]["id"] == born["identities"]["node_0"]
    assert [int(one["voting_power"]) for one in chain.comet("node_0", "validators")["validators"]] == [7]
    started = engine.api.inspect_container(f"{cluster.name}-node_0")["State"]["StartedAt"]

    joined = run_module("genesis", options(image, cluster.name, rendered(tmp_path, cluster.name, first, late)))
    assert (joined["reasons"], joined["digest"]) == (["full_0: joins the genesis"], born["digest"])
    chain.start("full_0", "--p2p.persistent_peers", f"{joined['identities']['node_0']}@{address}:26656")
    chain.wait_for("full_0", int(chain.rpc("node_0", "eth_blockNumber"), 16) + 2)
    assert chain.comet("full_0", "status")["validator_info"]["voting_power"] == "0"
    assert engine.api.inspect_container(f"{cluster.name}-node_0")["State"]["StartedAt"] == started
