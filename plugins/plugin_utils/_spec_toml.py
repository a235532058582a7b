# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the cluster.toml of Gravity's own tooling to a spec: the same nodes, ports, seeds and genesis, each node in a container.

What only matters for processes without containers (where the binary comes from, data folders) is left out. A genesis.toml beside
the file tells the voting powers, and what a genesis is made from.
"""

from __future__ import annotations

import json
import math
import os
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems, kind, nearest
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read_toml

Data = t.Dict[str, t.Any]

# What the tooling takes when the file does not say where the genesis is.
GENESIS_PATH = "./output/genesis.json"
WAYPOINT_PATH = "./output/waypoint.txt"
RELAYER_URL = "https://sepolia.drpc.org"

# Its roles and ours: those of the genesis vote, the other validators may join them later.
ROLES = {"genesis": "validator", "validator": "candidate", "vfn": "vfn", "pfn": "pfn"}
REQUIRED = {
    "genesis": ("validator_port", "vfn_port"),
    "validator": ("validator_port", "vfn_port"),
    "vfn": ("vfn_port",),
    "pfn": ("public_port",),
}
FORBIDDEN = {"genesis": ("public_port",), "validator": ("public_port",), "vfn": ("validator_port",), "pfn": ("validator_port", "vfn_port")}
WHY = {
    "public_port": "validators have no public network",
    "validator_port": "only validators are in the validators' network",
    "vfn_port": "a public full node is in the public network only",
}

# Our names of the ports. Those that others than nodes use are published at the same number.
PORTS = {
    "validator_port": "p2p",
    "vfn_port": "vfn",
    "public_port": "public",
    "rpc_port": "rpc",
    "ws_port": "ws",
    "metrics_port": "metrics",
    "inspection_port": "inspection",
    "https_port": "https",
    "authrpc_port": "authrpc",
    "reth_p2p_port": "reth_p2p",
}
PUBLISHED = ("rpc", "ws", "metrics", "inspection", "https")
BETWEEN = ("p2p", "vfn", "public")
# Ports of a node that nothing listens on in its role.
SILENT = {"genesis": ("ws_port",), "validator": ("ws_port",), "vfn": ("https_port",), "pfn": ("https_port",)}

SETTINGS = ("seeds", "discovery_method", "vfn_discovery_method", "txpool_max_account_slots", "prune_transactionlookup_distance")
RPC_SETTINGS = ("http_corsdomain", "http_api", "ws_origins", "ws_api")
ADDRESSES = ("address", "operator_address", "owner_address", "staker_address", "stake_amount", "consensus_pop")
REMOVED = {"shadow_of": "seeds = [{ from = ... }]", "public_seed_of": "seeds = [{ from = ... }]"}
# Of nodes that are processes, and older names.
KNOWN = {
    *PORTS,
    *SETTINGS,
    "p2p_port",
    "id",
    "role",
    "host",
    "internal_host",
    "source",
    "identity",
    "data_dir",
    "voting_power",
    "stake_amount",
}

# Tables of a cluster.toml, and what we use of them; the table docker is ours alone, so nothing else may stand there.
TABLES: t.Mapping[str, t.Mapping[str, type]] = {
    "genesis_source": {"genesis_path": str, "waypoint_path": str},
    "rpc": dict.fromkeys(RPC_SETTINGS, str),
    "relayer": {"relayer_rpc_url": str},
    "docker": {"image": str, "genesis_image": str, "network": dict},
}
STRICT = "docker"
WORDS: t.Mapping[type, str] = {str: "a text", dict: "a table", list: "a list"}
# Of a genesis.toml: what stands beside the input of the genesis, and what a made genesis lacks without it.
AFTERWARDS = ("faucet", "hardforks", "gravity_min_base_fee")
RELAYER = "relayer_config.json"
TEMPLATES = ("reth_config.json.tpl", "reth_config_vfn.json.tpl", "reth_config_pfn.json.tpl")

HERE = ("127.0.0.1", "localhost", "0.0.0.0")
# A voting power beyond this is one in wei that has no common divisor with the others.
MOST_POWER = 2**50

_UNDERSCORE = re.compile(r"_([a-z0-9])")


def is_cluster_toml(data: Data) -> bool:
    """Whether ``data``, read from a TOML file, is a cluster.toml and not a spec of our own."""
    return "plugin" not in data and isinstance(data.get("cluster"), dict) and isinstance(data.get("nodes"), list)


def translate(data: Data, file: str) -> t.Tuple[Data, t.List[str]]:
    """The spec that a cluster.toml stands for, and lines to warn of. Raises :class:`SpecInvalid` with one line per mistake."""
    return _Translation(data, file).run()


class _Translation:
    """One run over one file."""

    def __init__(self, data: Data, file: str) -> None:
        self.data = data
        self.folder = os.path.dirname(os.path.abspath(file))
        self.problems = Problems(file, data)
        self.warnings: t.List[str] = []
        self.hosts: t.Dict[str, Data] = {}
        self.genesis_toml = self._genesis_toml()
        self.validators = {one.get("id"): one for one in self.genesis_toml.get("genesis_validators") or []}
        self._check_tables()
        source = data.get("genesis_source") or {}
        self.genesis_path: str = source.get("genesis_path") or GENESIS_PATH
        self.waypoint_path: str = source.get("waypoint_path") or WAYPOINT_PATH

    def run(self) -> t.Tuple[Data, t.List[str]]:
        """See :func:`translate`."""
        name = self.data["cluster"].get("name")
        if not name:
            self.problems.add(("cluster", "name"), "missing; add it, as every object on a Docker host carries it")
        docker = self.data.get("docker") or {}
        nodes: t.Dict[str, Data] = {}
        for index, given in enumerate(self.data["nodes"]):
            self._node(index, given, nodes)
        self._vote(nodes)
        self.problems.raise_any()
        chain_id = self._chain_id()
        network: Data = {"driver": "host_ports"} if self.hosts else {}
        spec: Data = {
            "plugin": "gravity.cluster.spec",
            "cluster_name": name,
            "flavor": "gravity",
            "network": {**network, **({"chain_id": chain_id} if chain_id else {}), **docker.get("network", {})},
            "config": self._config(docker),
            "nodes": nodes,
        }
        if docker.get("image"):
            spec["image"] = {"source": "present", "name": docker["image"]}
        if self.hosts:
            spec["hosts"] = self.hosts
        return spec, self.warnings

    def _genesis_toml(self) -> Data:
        path = os.path.join(self.folder, "genesis.toml")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            found = read_toml(stream.read(), path)
        problems = Problems(path, found)
        for key in ("genesis_validators", "shadow_nodes"):
            entries = found.get(key) or []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                problems.add((key,), f"expected tables, got {kind(entries)}; write each as [[{key}]]")
        _check_table(problems, ("genesis",), found.get("genesis"))
        genesis = found.get("genesis")
        if isinstance(genesis, dict):
            for key in ("randomness_config", "jwk_config", "oracle_config"):
                _check_table(problems, ("genesis", key), genesis.get(key))
        problems.raise_any()
        return found

    def _check_tables(self) -> None:
        """Refuse tables and values of another type, and whatever the table that only we read does not have."""
        for name, keys in TABLES.items():
            table = self.data.get(name) or {}
            _check_table(self.problems, (name,), table)
            for key, value in table.items() if isinstance(table, dict) else ():
                if key in keys and not isinstance(value, keys[key]):
                    self.problems.add((name, key), f"expected {WORDS[keys[key]]}, got {kind(value)}; fix it")
                elif key not in keys and name == STRICT:
                    self.problems.add((name, key), f"unknown key; {nearest(key, keys)}")
                elif key not in keys:
                    self.warnings.append(f"{name}.{key} is not used; {nearest(key, keys)}")
        self.problems.raise_any()

    def _beside(self, path: str) -> str:
        return os.path.join(self.folder, os.path.expanduser(path))

    def _node(self, index: int, given: t.Any, nodes: t.Dict[str, Data]) -> None:
        path: Path = ("nodes", index)
        if not isinstance(given, dict) or not isinstance(given.get("id"), str):
            self.problems.add((*path, "id"), "missing; give the node a name")
            return
        name, role = given["id"], given.get("role")
        if name in nodes:
            self.problems.add((*path, "id"), f"{name} is there already; keep one of the two")
            return
        if role not in ROLES:
            self.problems.add((*path, "role"), f"{kind(role)} is no role of {name}; use genesis, validator, vfn or pfn")
            return
        given = {("validator_port" if key == "p2p_port" else key): value for key, value in given.items()}
        self._check(path, name, given)
        nodes[name] = {"role": ROLES[role], "ports": self._ports(given, role), **self._place(given), "config": self._settings(name, given)}

    def _check(self, path: Path, name: str, given: Data) -> None:
        """Note ports that the role lacks or must not have, and what the tooling, or we, do not take."""
        role = given["role"]
        for key in REQUIRED[role]:
            if given.get(key) is None:
                self.problems.add((*path, key), f"missing, and {name} has the role {role}; add it")
        for key in FORBIDDEN[role]:
            if given.get(key) is not None:
                self.problems.add((*path, key), f"{name} has the role {role}, and {WHY[key]}; leave it out")
        for key in given:
            if key in REMOVED:
                self.problems.add((*path, key), f"the tooling has removed it; use {REMOVED[key]}")
            elif key not in KNOWN:
                self.warnings.append(f"{name}: {key} is not used; {nearest(key, KNOWN)}")
        identity = given.get("identity") or {}
        if not isinstance(identity, dict):
            self.problems.add((*path, "identity"), f"expected a table, got {kind(identity)}; write {{ source = ... }}, or leave it out")
        elif identity.get("source", "file") != "file":
            self.problems.add((*path, "identity", "source"), f"{name}: only identities in files are supported; use file, or leave it out")

    def _settings(self, name: str, given: Data) -> Data:
        config = {key: given[key] for key in SETTINGS if key in given}
        born = self.validators.get(name, {})
        config.update({key: str(value) for key, value in born.items() if key in ADDRESSES})
        if "voting_power" in born:
            config["voting_power_amount"] = str(born["voting_power"])
        identity = os.path.join(os.path.dirname(self.genesis_path), name, "config", "identity.yaml")
        if os.path.exists(self._beside(identity)):
            config["identity"] = identity
        if given.get("host") == name:
            config["peer_hosts"] = "name"
        return config

    def _ports(self, given: Data, role: str) -> Data:
        ports: Data = {}
        for key, port in PORTS.items():
            number = given.get(key)
            if number is None or key in SILENT[role]:
                continue
            ports[port] = {"container": number}
            if port in PUBLISHED:
                ports[port]["host"] = number
            elif port in BETWEEN and self._is_away(given):
                ports[port].update(host=number, address="0.0.0.0")
        return ports

    @staticmethod
    def _is_away(given: Data) -> bool:
        return given.get("host", HERE[0]) not in (*HERE, given["id"])

    def _place(self, given: Data) -> Data:
        """The Docker host of a node that is not on this machine; one that is called like the node is the container itself."""
        if not self._is_away(given):
            return {}
        host = str(given["host"])
        self.hosts.setdefault(host, {"ansible_host": host, "address": given.get("internal_host") or host})
        return {"host": host}

    def _vote(self, nodes: t.Dict[str, Data]) -> None:
        """Voting powers as small whole numbers; the files have them in wei."""
        powers = {}
        for given in self.data["nodes"]:
            name = given.get("id") if isinstance(given, dict) else None
            if name in nodes and nodes[name]["role"] == "validator":
                raw = given.get("voting_power") or self.validators.get(name, {}).get("voting_power") or 0
                powers[name] = int(raw) if str(raw).isdigit() else 0
        divisor = math.gcd(*powers.values()) if powers else 0
        if not divisor or 0 in powers.values():
            return
        if max(powers.values()) // divisor > MOST_POWER:
            self.warnings.append("the voting powers have no common measure; all validators count the same for the quorum")
            return
        for name, power in powers.items():
            nodes[name]["voting_power"] = power // divisor

    def _chain_id(self) -> t.Optional[int]:
        try:
            with open(self._beside(self.genesis_path), encoding="utf-8") as stream:
                return int(json.load(stream)["config"]["chainId"])
        except (OSError, ValueError, KeyError, TypeError):
            # The flavor says what is wrong with the genesis when it is needed.
            found = (self.genesis_toml.get("genesis") or {}).get("chain_id")
            return found if isinstance(found, int) else None

    def _config(self, docker: Data) -> Data:
        config: Data = {key: value for key, value in (self.data.get("rpc") or {}).items() if key in RPC_SETTINGS}
        relayer = (self.data.get("relayer") or {}).get("relayer_rpc_url")
        if relayer:
            config["relayer_rpc_url"] = relayer
        config.update(self._relayer(relayer))
        self.warnings += [
            f"{name} beside the file is not used: reth_config.json is rendered as the tooling does without it"
            for name in TEMPLATES
            if os.path.exists(self._beside(name))
        ]
        if docker.get("genesis_image") and not os.path.exists(self._beside(self.genesis_path)):
            config["genesis"] = {"image": docker["genesis_image"]}
            self._warn_of_the_maker()
        else:
            hosts = sorted({str(one["host"]) for one in self.validators.values() if one.get("host")})
            if hosts:
                config["genesis_hosts"] = hosts
            config["genesis"] = {"path": self.genesis_path}
            config["waypoint"] = {"path": self.waypoint_path}
        settings = genesis_config(self.genesis_toml.get("genesis") or {})
        return {**config, **({"genesis_config": settings} if settings else {})}

    def _relayer(self, url: t.Optional[str]) -> Data:
        """The relayer_config.json beside the file, which the tooling's runner takes instead of its own."""
        path = self._beside(RELAYER)
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read().replace("${RELAYER_RPC_URL}", url or RELAYER_URL)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            problems = Problems(path)
            problems.add((), "not a JSON object; fix it, or remove it so that it is rendered")
            problems.raise_any()
        return {"relayer_config": found}

    def _warn_of_the_maker(self) -> None:
        """What the tooling puts into a genesis beside its input, and the image that makes it is not told."""
        genesis = self.genesis_toml.get("genesis") or {}
        lacking = [f"genesis.{key}" for key in AFTERWARDS if key in genesis]
        lacking += [f"shadow_fullnode of {name}" for name, one in self.validators.items() if one.get("shadow_fullnode")]
        if lacking:
            what = f"{', '.join(lacking)} of genesis.toml is not given to docker.genesis_image"
            self.warnings.append(f"{what}: let the image add it, or make the genesis with the tooling")


def _check_table(problems: Problems, path: Path, value: t.Any) -> None:
    if value is not None and not isinstance(value, dict):
        problems.add(path, f"expected a table, got {kind(value)}; write it as [{path[-1]}]")


def genesis_config(genesis: Data) -> Data:
    """The settings of validator_genesis.json that the table ``genesis`` of a genesis.toml stands for."""
    left_out = ("chain_id", *AFTERWARDS, "randomness_config", "jwk_config")
    found: Data = {_camel(key): _camels(value) for key, value in genesis.items() if key not in left_out}
    bridge = (found.get("oracleConfig") or {}).get("bridgeConfig") or {}
    if "trustedSourceId" in bridge:
        # What makes the genesis takes it as text only.
        bridge["trustedSourceId"] = str(bridge["trustedSourceId"])
    randomness = genesis.get("randomness_config") or {}
    if randomness:
        thresholds = {_camel(key): value for key, value in randomness.items() if key != "variant"}
        found["randomnessConfig"] = {"variant": randomness.get("variant", 0), "configV2": thresholds}
    keys = genesis.get("jwk_config") or {}
    if keys:
        # The keys' own fields keep their names; each stands in a list of its own.
        found["jwkConfig"] = {
            **{key: value for key, value in keys.items() if key != "jwks"},
            "jwks": [[key] for key in keys.get("jwks") or []],
        }
    return found


def _camels(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {_camel(key): _camels(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_camels(item) for item in value]
    return value


def _camel(key: str) -> str:
    return _UNDERSCORE.sub(lambda match: match[1].upper(), key)
