# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster.toml of Gravity's own tooling as a spec."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_toml import genesis_config, is_cluster_toml, translate

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "gravity" / "cluster.toml"
HEAD = '[cluster]\nname = "devnet"\n'
NODE = """[[nodes]]
id = "node1"
role = "genesis"
validator_port = 6180
vfn_port = 6190
"""

Data = t.Dict[str, t.Any]


def spec_of(text: str, folder: Path) -> t.Tuple[Data, t.List[str]]:
    path = folder / "cluster.toml"
    path.write_text(text, encoding="utf-8")
    return translate(read(text, str(path)), str(path))


def lines(text: str, folder: Path) -> t.List[str]:
    with pytest.raises(SpecInvalid) as refused:
        spec_of(text, folder)
    return [line.partition("cluster.toml: ")[2] for line in refused.value.lines]


def test_the_whole_file(tmp_path: Path) -> None:
    spec, warnings = spec_of(FIXTURE.read_text(encoding="utf-8"), tmp_path)
    assert warnings == []
    resolved = load(spec, str(tmp_path / "cluster.toml"))
    nodes = resolved["nodes"]
    assert {name: node["role"] for name, node in nodes.items()} == {
        "node1": "validator",
        "node2": "validator",
        "vfn1": "vfn",
        "pfn1": "pfn",
    }
    assert resolved["cluster"]["validators"] == {"node1": 1, "node2": 1}
    ports = {name: (port["container"], port["host"]) for name, port in nodes["node2"]["ports"].items()}
    assert ports == {
        "p2p": (6181, None),
        "vfn": (6191, None),
        "rpc": (8546, 8546),
        "metrics": (9002, 9002),
        "inspection": (10001, 10001),
        "https": (1025, 1025),
        "authrpc": (8552, None),
        "reth_p2p": (12025, None),
    }
    assert nodes["vfn1"]["ports"]["ws"] == {"container": 8650, "host": 8650, "address": "127.0.0.1", "protocol": "tcp"}
    assert "https" not in nodes["vfn1"]["ports"]
    config = nodes["node1"]["config"]
    assert config["genesis"] == {"path": "./output/genesis.json"}
    assert config["waypoint"] == {"path": "./output/waypoint.txt"}
    assert (config["http_api"], config["peer_hosts"]) == ("eth,net,web3", "address")
    assert nodes["pfn1"]["config"]["seeds"][0] == {"from": "vfn1"}
    assert resolved["cluster"]["network"]["driver"] == "bridge"


def test_what_stands_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "output/node1/config").mkdir(parents=True)
    (tmp_path / "output/node1/config/identity.yaml").write_text("account_address: ab\n", encoding="utf-8")
    (tmp_path / "output/genesis.json").write_text(json.dumps({"config": {"chainId": 4242}}), encoding="utf-8")
    (tmp_path / "genesis.toml").write_text(
        '[genesis]\nchain_id = 7\nepoch_interval_micros = 60\n[[genesis_validators]]\nid = "node1"\naddress = "0xab"\n'
        'stake_amount = "3000000000000000000"\nvoting_power = "3000000000000000000"\n'
        '[[genesis_validators]]\nid = "node2"\naddress = "0xcd"\nvoting_power = "2000000000000000000"\n',
        encoding="utf-8",
    )
    other = NODE.replace("node1", "node2").replace("6180", "6181").replace("6190", "6191")
    spec, _warnings = spec_of(HEAD + NODE + other, tmp_path)
    assert spec["network"] == {"chain_id": 4242}
    assert spec["config"]["genesis_config"] == {"epochIntervalMicros": 60}
    node = spec["nodes"]["node1"]
    assert node["voting_power"] == 3
    assert spec["nodes"]["node2"]["voting_power"] == 2
    assert "genesis_hosts" not in spec["config"]
    assert node["config"] == {
        "address": "0xab",
        "stake_amount": "3000000000000000000",
        "voting_power_amount": "3000000000000000000",
        "identity": "./output/node1/config/identity.yaml",
    }


def test_an_image_that_makes_the_genesis(tmp_path: Path) -> None:
    text = HEAD + NODE + '[docker]\nimage = "gravity_node:v1"\ngenesis_image = "maker:1"\nnetwork = { subnet = "10.9.0.0/24" }\n'
    spec, _warnings = spec_of(text, tmp_path)
    assert spec["image"] == {"source": "present", "name": "gravity_node:v1"}
    assert spec["config"] == {"genesis": {"image": "maker:1"}}
    assert spec["network"] == {"subnet": "10.9.0.0/24"}


def test_other_machines_are_docker_hosts(tmp_path: Path) -> None:
    away = NODE + 'host = "10.0.1.5"\ninternal_host = "10.1.1.5"\n'
    spec, _warnings = spec_of(HEAD + away + NODE.replace("node1", "node2") + 'host = "10.0.1.6"\n', tmp_path)
    assert spec["hosts"] == {
        "10.0.1.5": {"ansible_host": "10.0.1.5", "address": "10.1.1.5"},
        "10.0.1.6": {"ansible_host": "10.0.1.6", "address": "10.0.1.6"},
    }
    assert spec["network"] == {"driver": "host_ports"}
    resolved = load(spec, str(tmp_path / "cluster.toml"))
    assert resolved["nodes"]["node1"]["advertised"]["p2p"]["outside"] == "10.1.1.5:6180"


def test_a_host_that_is_called_like_its_node_is_the_container(tmp_path: Path) -> None:
    spec, _warnings = spec_of(HEAD + NODE + 'host = "node1"\n', tmp_path)
    assert "hosts" not in spec
    assert spec["nodes"]["node1"]["config"]["peer_hosts"] == "name"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            HEAD + NODE + "public_port = 1\n",
            "nodes[0].public_port: node1 has the role genesis, and validators have no public network; leave it out",
        ),
        (
            HEAD + NODE.replace('"genesis"', '"vfn"'),
            "nodes[0].validator_port: node1 has the role vfn, and only validators are in the validators' network; leave it out",
        ),
        (
            HEAD + NODE.replace('"genesis"', '"vfn"').replace("validator_port", "p2p_port"),
            "nodes[0].validator_port: node1 has the role vfn, and only validators are in the validators' network; leave it out",
        ),
        (
            HEAD + '[[nodes]]\nid = "p"\nrole = "pfn"\npublic_port = 1\nvfn_port = 2\n',
            "nodes[0].vfn_port: p has the role pfn, and a public full node is in the public network only; leave it out",
        ),
        (HEAD + '[[nodes]]\nid = "p"\nrole = "pfn"\n', "nodes[0].public_port: missing, and p has the role pfn; add it"),
        (HEAD + NODE.replace("vfn_port", "rpc_port"), "nodes[0].vfn_port: missing, and node1 has the role genesis; add it"),
        (HEAD + NODE.replace("genesis", "leader"), "nodes[0].role: 'leader' is no role of node1; use genesis, validator, vfn or pfn"),
        (HEAD + "[[nodes]]\nrole = 'vfn'\n", "nodes[0].id: missing; give the node a name"),
        (HEAD + NODE + NODE, "nodes[1].id: node1 is there already; keep one of the two"),
        ("[cluster]\n" + NODE, "cluster.name: missing; add it, as every object on a Docker host carries it"),
        (HEAD + NODE + 'shadow_of = "x"\n', "nodes[0].shadow_of: the tooling has removed it; use seeds = [{ from = ... }]"),
        ("rpc = 3\n" + HEAD + NODE, "rpc: expected a table, got the number 3; write it as [rpc]"),
        (HEAD + NODE + "[rpc]\nhttp_api = 3\n", "rpc.http_api: expected a text, got the number 3; fix it"),
        (HEAD + NODE + "[docker]\nimgae = 'x'\n", "docker.imgae: unknown key; did you mean 'image'?"),
        (HEAD + NODE + "[docker]\nnetwork = 'x'\n", "docker.network: expected a table, got 'x'; fix it"),
        (HEAD + NODE + "[genesis_source]\ngenesis_path = 1\n", "genesis_source.genesis_path: expected a text, got the number 1; fix it"),
        (HEAD + NODE + "identity = 3\n", "nodes[0].identity: expected a table, got the number 3; write { source = ... }, or leave it out"),
        (
            HEAD + NODE + 'identity = { source = "gcp_secret", secret = "s" }\n',
            "nodes[0].identity.source: node1: only identities in files are supported; use file, or leave it out",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, line: str) -> None:
    assert lines(text, tmp_path) == [line]


def test_broken_toml() -> None:
    with pytest.raises(SpecInvalid, match=r"cluster.toml: not TOML: .* \(at line 1, column 9\); mend the syntax there"):
        read("[cluster\nx", "cluster.toml")


def test_a_key_that_nobody_knows_is_warned_of(tmp_path: Path) -> None:
    assert spec_of(HEAD + NODE + "rpc_prt = 1\n", tmp_path)[1] == ["node1: rpc_prt is not used; did you mean 'rpc_port'?"]


def test_a_misspelt_setting_of_a_table_is_warned_of(tmp_path: Path) -> None:
    assert spec_of(HEAD + NODE + "[rpc]\nhttp_apy = 'eth'\n", tmp_path)[1] == ["rpc.http_apy is not used; did you mean 'http_api'?"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("genesis_validators = 3\n", "genesis_validators: expected tables, got the number 3; write each as [[genesis_validators]]"),
        ("genesis = 'x'\n", "genesis: expected a table, got 'x'; write it as [genesis]"),
        ("[genesis]\njwk_config = 1\n", "genesis.jwk_config: expected a table, got the number 1; write it as [jwk_config]"),
    ],
)
def test_mistakes_beside_the_file(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "genesis.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecInvalid) as refused:
        spec_of(HEAD + NODE, tmp_path)
    assert [one.partition("genesis.toml: ")[2] for one in refused.value.lines] == [line]


def test_what_the_maker_of_the_genesis_is_not_told(tmp_path: Path) -> None:
    """The tooling puts these into the genesis itself; its hosts are those of the genesis that it made."""
    (tmp_path / "genesis.toml").write_text(
        "[genesis]\ngravity_min_base_fee = 1\n[genesis.faucet]\nbalance = '1'\n[genesis.hardforks]\nalphaBlock = 1\n"
        '[[genesis_validators]]\nid = "node1"\nhost = "127.0.0.1"\nconsensus_pop = "0x00"\nshadow_fullnode = "v"\n'
        '[[shadow_nodes]]\nid = "v"\n',
        encoding="utf-8",
    )
    spec, warnings = spec_of(HEAD + NODE + '[docker]\ngenesis_image = "maker:1"\n', tmp_path)
    assert warnings == [
        (
            "genesis.faucet, genesis.hardforks, genesis.gravity_min_base_fee, shadow_fullnode of node1 of genesis.toml is not given to "
            "docker.genesis_image: let the image add it, or make the genesis with the tooling"
        )
    ]
    assert "genesis_config" not in spec["config"]
    assert "genesis_hosts" not in spec["config"]
    assert spec["nodes"]["node1"]["config"]["consensus_pop"] == "0x00"
    spec, warnings = spec_of(HEAD + NODE, tmp_path)
    assert (spec["config"]["genesis_hosts"], warnings) == (["127.0.0.1"], [])


def test_the_relayer_config_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "relayer_config.json").write_text('{"uri_mappings": {"gravity://1": "${RELAYER_RPC_URL}"}}', encoding="utf-8")
    (tmp_path / "reth_config_vfn.json.tpl").write_text("{}", encoding="utf-8")
    spec, warnings = spec_of(HEAD + NODE + '[relayer]\nrelayer_rpc_url = "http://x"\n', tmp_path)
    assert spec["config"]["relayer_config"] == {"uri_mappings": {"gravity://1": "http://x"}}
    assert warnings == ["reth_config_vfn.json.tpl beside the file is not used: reth_config.json is rendered as the tooling does without it"]
    (tmp_path / "relayer_config.json").write_text("[", encoding="utf-8")
    with pytest.raises(SpecInvalid, match=r"relayer_config.json: not a JSON object; fix it, or remove it so that it is rendered"):
        spec_of(HEAD + NODE, tmp_path)


def test_a_spec_of_our_own_in_toml() -> None:
    data = read('plugin = "gravity.cluster.spec"\ncluster_name = "x"\n[nodes.node_0]\n', "x.toml")
    assert not is_cluster_toml(data)
    assert list(load(data, "x.toml")["nodes"]) == ["node_0"]


def test_settings_of_the_genesis() -> None:
    genesis = {
        "chain_id": 1,
        "major_version": 2,
        "faucet": {"address": "0x"},
        "validator_config": {"minimum_bond": "1", "auto_evict_threshold_pct": 0},
        "randomness_config": {"variant": 1, "secrecy_threshold": 5, "fast_path_secrecy_threshold": 6},
        "oracle_config": {
            "source_types": [1],
            "bridge_config": {"trusted_source_id": 31337},
            "tasks": [{"source_type": 0, "task_name": "sepolia"}],
        },
        "jwk_config": {"issuers": ["0x1"], "jwks": [{"kid": "k", "some_field": "x"}]},
    }
    assert genesis_config(genesis) == {
        "majorVersion": 2,
        "validatorConfig": {"minimumBond": "1", "autoEvictThresholdPct": 0},
        "randomnessConfig": {"variant": 1, "configV2": {"secrecyThreshold": 5, "fastPathSecrecyThreshold": 6}},
        "oracleConfig": {
            "sourceTypes": [1],
            "bridgeConfig": {"trustedSourceId": "31337"},
            "tasks": [{"sourceType": 0, "taskName": "sepolia"}],
        },
        "jwkConfig": {"issuers": ["0x1"], "jwks": [[{"kid": "k", "some_field": "x"}]]},
    }
