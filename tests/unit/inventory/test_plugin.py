# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory has after the plugin read a spec."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.gravity.cluster.plugins.inventory.spec import InventoryModule
from ansible_collections.gravity.cluster.plugins.plugin_utils import _record as record

from .conftest import GENERIC, ROOT, Sources


def test_the_local_inventory(sources: Sources) -> None:
    inventory = sources.listing(ROOT / "inventories" / "local")
    nodes = ["node_0", "node_1", "node_2", "node_3"]
    for group in ("nodes", "validators", "flavor_injective"):
        assert inventory.groups[group] == nodes
    assert inventory.groups["docker_hosts"] == ["local"]
    assert inventory.groups["on_local"] == ["local", *nodes]
    for host in ("local", "node_2"):
        found = inventory.variables[host]
        assert found["ansible_connection"] == "local"
        assert found["ansible_python_interpreter"].startswith(str(ROOT / ".venv"))
        assert found["gravity_cluster"]["name"] == "gravity-local-cluster"
        assert found["gravity_cluster"]["validators"] == dict.fromkeys(nodes, 1)
    assert inventory.variables["node_2"]["gravity_node"]["network_ip"] == "172.20.0.12"
    assert "gravity_node" not in inventory.variables["local"]


def test_the_older_json(sources: Sources) -> None:
    inventory = sources.listing(ROOT / "tests" / "fixtures" / "cluster.json")
    assert inventory.groups["flavor_gravity"] == inventory.groups["validators"] == ["node_0", "node_1", "node_2", "node_3"]
    assert inventory.variables["node_3"]["gravity_node"]["ports"]["p2p"]["host"] == 2027


def test_the_nodes_are_a_list_wherever_they_are_used(sources: Sources) -> None:
    sources.write(GENERIC + "nodes: {'b_[0:2]': }\n")
    done = sources.run("ansible", "b_1", "-i", "cluster.yml", "-m", "ansible.builtin.debug", "-a", "var=gravity_cluster.nodes")
    assert json.loads(done.stdout.partition("=> ")[2])["gravity_cluster.nodes"] == ["b_0", "b_1", "b_2"], done.stdout + done.stderr


def test_groups_of_hosts_and_labels(sources: Sources) -> None:
    sources.write(
        GENERIC
        + """
hosts:
  rack-1: {ansible_host: 192.0.2.1, ansible_user: ops, vars: {disk: "{{ lookup('pipe', 'id') }}"}}
  rack-2:
nodes:
  a_[0:1]: {host: rack-1, role: worker, labels: {tier: "web/front"}}
  a_2: {host: rack-2, labels: {"{{ 7 * 6 }}": "{{ lookup('pipe', 'id') }}"}}
"""
    )
    inventory = sources.listing()
    assert inventory.groups["workers"] == ["a_0", "a_1"]
    assert inventory.groups["services"] == ["a_2"]
    assert inventory.groups["on_rack_1"] == ["rack-1", "a_0", "a_1"]
    assert inventory.groups["label_tier_web_front"] == ["a_0", "a_1"]
    assert inventory.groups["label____7___6_______lookup__pipe____id_____"] == ["a_2"]
    assert inventory.variables["a_0"]["ansible_host"] == "192.0.2.1"
    assert inventory.variables["a_2"]["ansible_host"] == "rack-2"
    assert inventory.variables["a_0"]["disk"] == "{{ lookup('pipe', 'id') }}"
    assert "ansible_python_interpreter" not in inventory.variables["a_0"]


HOSTILE = "{{ lookup('pipe', 'touch %s; echo hacked') }}"


def test_nothing_in_a_spec_is_a_template(sources: Sources) -> None:
    proof = sources.folder / "proof"
    hostile = HOSTILE % proof
    node = {
        "labels": {"evil": hostile},
        "env": {"E": hostile},
        "command": [hostile],
        "files": [{"path": "/data/x", "content": hostile}],
        "config": {"c": hostile},
    }
    spec = {
        "plugin": "gravity.cluster.spec",
        "cluster_name": "x",
        "flavor": "generic",
        "image": "tiny:1",
        "hosts": {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "vars": {"evil": hostile}}},
        "nodes": {"a_0": node},
        "compose": {"composed": "labels.evil", "joined": "'<' ~ env.E ~ '>'", "sum": "40 + 2"},
        "keyed_groups": [{"key": "labels.evil", "prefix": "evil"}],
        "groups": {"evil": "labels.evil is search('pipe')"},
    }
    sources.write(json.dumps(spec))
    play = [
        {
            "hosts": "a_0",
            "gather_facts": False,
            "tasks": [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ [gravity_node, evil, composed, joined, sum, group_names] | to_json }}",
                        "dest": str(sources.folder / "seen.json"),
                        "mode": "0600",
                    }
                }
            ],
        }
    ]
    sources.write(json.dumps(play), "play.yml")
    done = sources.run("ansible-playbook", "-i", "cluster.yml", "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    seen, evil, composed, joined, total, groups = json.loads((sources.folder / "seen.json").read_text(encoding="utf-8"))
    assert not proof.exists()
    assert seen["labels"]["evil"] == seen["env"]["E"] == seen["command"][0] == seen["files"][0]["content"] == seen["config"]["c"] == hostile
    assert evil == composed == hostile
    assert joined == f"<{hostile}>"
    assert total == 42
    assert "evil" in groups
    assert all(character not in group for group in groups for character in "{}()' ")


def test_constructed(sources: Sources) -> None:
    sources.write(
        GENERIC
        + """
nodes:
  a_0: {ports: {http: "8080:80"}, labels: {tier: web}}
  b_1: {role: worker}
compose:
  url: "'http://127.0.0.1:' ~ gravity_node.ports.http.host"
  where: gravity_cluster.name ~ '/' ~ inventory_hostname
groups:
  web: labels.tier | default('') == 'web'
keyed_groups:
  - {key: role, prefix: r}
  - {key: image.name, separator: ""}
"""
    )
    inventory = sources.listing()
    assert inventory.variables["a_0"]["url"] == "http://127.0.0.1:8080"
    assert inventory.variables["b_1"]["where"] == "x/b_1"
    assert "url" not in inventory.variables["b_1"]
    assert inventory.groups["web"] == ["a_0"]
    assert inventory.groups["r_worker"] == ["b_1"]
    assert inventory.groups["tiny_1"] == ["a_0", "b_1"]


def test_strict_makes_a_failing_expression_fatal(sources: Sources) -> None:
    sources.write(GENERIC + "nodes: {a_0: }\nstrict: true\ncompose: {url: nothing.there}\n")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "[ERROR]: cluster.yml: Could not set url for host a_0: 'nothing' is undefined; mend this, or leave it out"
    ]


def test_other_sources_and_group_vars_beside_it(sources: Sources) -> None:
    sources.write("colour: blue\n", "group_vars/services.yml")
    sources.write("all: {hosts: {other: }, vars: {shape: round}}\n", "static.yml")
    sources.write(GENERIC + "nodes: {a_0: }\n")
    inventory = sources.listing("cluster.yml", "static.yml")
    assert set(inventory.variables) == {"local", "a_0", "other"}
    assert inventory.variables["a_0"]["colour"] == "blue"
    assert inventory.variables["a_0"]["shape"] == "round"


class Cache:
    """The inventory cache of a folder, in JSON files."""

    def __init__(self, sources: Sources) -> None:
        self.folder = sources.folder / "cache"
        self.settings = {
            "ANSIBLE_INVENTORY_CACHE": "1",
            "ANSIBLE_INVENTORY_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(self.folder),
        }

    def read(self) -> t.Dict[str, t.Any]:
        (entry,) = self.folder.iterdir()
        kept: t.Dict[str, t.Any] = json.loads(json.loads(entry.read_text(encoding="utf-8"))["__payload__"])
        return kept

    def write(self, kept: t.Dict[str, t.Any]) -> None:
        (entry,) = self.folder.iterdir()
        entry.write_text(json.dumps({"__payload__": json.dumps(kept)}), encoding="utf-8")


def test_the_cache_holds_the_resolved_spec_and_is_never_stale(sources: Sources) -> None:
    cache = Cache(sources)
    sources.write(GENERIC + "nodes: {a_0: {labels: {x: \"{{ lookup('pipe', 'id') }}\"}}}\ncompose: {five: 2 + 3}\n")
    first = sources.listing(**cache.settings)
    kept = cache.read()
    assert kept["cluster"]["nodes"]["a_0"]["labels"] == {"x": "{{ lookup('pipe', 'id') }}"}

    second = sources.listing(**cache.settings)
    assert second.variables == first.variables
    assert second.groups == first.groups
    assert second.variables["a_0"]["five"] == 5

    # What is in the cache is used, as this shows; and not once the spec has changed.
    kept["cluster"]["nodes"]["a_0"]["labels"] = {"from": "cache"}
    cache.write(kept)
    assert "label_from_cache" in sources.listing(**cache.settings).groups
    sources.write(GENERIC + "nodes: {b_0: }\n")
    assert sources.listing(**cache.settings).groups["nodes"] == ["b_0"]


def test_a_cache_that_was_tampered_with_runs_nothing(sources: Sources) -> None:
    cache = Cache(sources)
    sources.write(GENERIC + "nodes: {a_0: }\n")
    sources.listing(**cache.settings)
    kept = cache.read()
    kept["cluster"]["nodes"]["a_0"]["labels"] = {"x": HOSTILE % (sources.folder / "proof")}
    cache.write(kept)
    done = sources.run(
        "ansible", "a_0", "-i", "cluster.yml", "-m", "ansible.builtin.debug", "-a", "var=gravity_node.labels", **cache.settings
    )
    assert "lookup" in done.stdout
    assert not (sources.folder / "proof").exists()


READER = """
import sys
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.errors import AnsibleParserError
init_plugin_loader()
try:
    inventory_loader.get("gravity.cluster.spec").parse(InventoryData(), DataLoader(), "cluster.yml")
except AnsibleParserError as exc:
    print(exc.message)
"""


def test_a_program_gets_an_exception_and_all_lines(sources: Sources) -> None:
    sources.write(GENERIC + "nodes: {a_0: {rolle: x, rpc_port: 0}}\n")
    done = sources.run("python", "-c", READER)
    assert done.stdout.splitlines() == [
        "cluster.yml: nodes.a_0.rolle: unknown key; did you mean 'role'?",
        "cluster.yml: nodes.a_0.rpc_port: port 0 is out of range; use 1 to 65535",
    ], done.stderr


LOADED = """
import sys
from types import SimpleNamespace
from ansible import context
from ansible.plugins.loader import init_plugin_loader, inventory_loader
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
context._init_global_context(SimpleNamespace(**{sys.argv[1]: 5}))
init_plugin_loader()
plugin = inventory_loader.get("gravity.cluster.spec")
# A spec out of the cache needs no model.
assert "pydantic" not in sys.modules
plugin.parse(InventoryData(), DataLoader(), "cluster.yml")
assert "pydantic" in sys.modules
print("ansible_collections.gravity.cluster.plugins.filter.quorum_after" in sys.modules)
"""


@pytest.mark.parametrize(("option", "loaded"), [("forks", True), ("list", False)])
def test_workers_find_the_filters_loaded(sources: Sources, option: str, loaded: bool) -> None:
    sources.write(GENERIC + "nodes: {a_0: }\n")
    done = sources.run("python", "-c", LOADED, option)
    assert done.stdout.split() == [str(loaded)], done.stderr


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("anything.yml", GENERIC, True),
        ("anything.yaml", "---\n# comment\n\n'plugin': 'gravity.cluster.spec'\n", True),
        ("anything.json", '{\n  "cluster_name": "x",\n  "plugin": "gravity.cluster.spec"}', True),
        ("anything.yml", "{cluster_name: x, plugin: gravity.cluster.spec}", True),
        ("anything.yml", "plugin: gravity.cluster.spec\nnodes: [", True),
        ("anything.yml", "plugin: gravity.cluster.specs\n", True),
        ("anything.yml", "vars:\n  plugin: gravity.cluster.spec\n", False),
        ("anything.yml", "# plugin: gravity.cluster.spec\nall: {}\n", False),
        ("anything.yml", "plugin: ansible.builtin.constructed\n", False),
        ("anything.yml", "", False),
        ("anything.ini", GENERIC, False),
        ("cluster.yml", "", True),
        ("cluster.yml", "nodes: [", True),
        ("cluster.yml", "cluster_name: x\n", True),
        ("my.cluster.yaml", "nodes: {}\n", True),
        ("cluster.json", '{"cluster_name": "x", "nodes": {}}', True),
        ("cluster.json", "{", True),
        ("cluster.yml", "all: {hosts: {a: }}\n", False),
        ("cluster.yml", "plugin: amazon.aws.aws_ec2\n", False),
        ("cluster.json", '{"plugin": "other.plugin", "nodes": {}}', False),
    ],
)
def test_which_files_are_ours(sources: Sources, name: str, text: str, ours: bool) -> None:
    assert InventoryModule().verify_file(str(sources.write(text, name))) is ours


def test_a_folder_is_never_ours(tmp_path: Path) -> None:
    (tmp_path / "cluster.yml").mkdir()
    assert InventoryModule().verify_file(str(tmp_path / "cluster.yml")) is False


SPREAD = GENERIC + "hosts: {alpha: {ansible_connection: local}, beta: {ansible_connection: local}}\nnodes: {'a_[0:3]': }\n"


def test_recorded_nodes_stay_when_a_docker_host_is_added(sources: Sources) -> None:
    path = sources.write(SPREAD)
    before = sources.listing().groups
    assert (before["on_alpha"], before["on_beta"]) == (["alpha", "a_0", "a_2"], ["beta", "a_1", "a_3"])
    nodes = {"a_0": "alpha", "a_1": "beta", "a_2": "alpha", "a_3": "beta"}
    assert record.write(str(path), "x", nodes)
    assert not record.write(str(path), "x", nodes)
    sources.write(SPREAD.replace("hosts: {", "hosts: {gamma: {ansible_connection: local}, ").replace("a_[0:3]", "a_[0:4]"))
    after = sources.listing().groups
    assert (after["on_alpha"], after["on_beta"], after["on_gamma"]) == (before["on_alpha"], before["on_beta"], ["gamma", "a_4"])


def test_the_record_of_another_cluster_says_nothing(sources: Sources) -> None:
    record.write(str(sources.write(SPREAD)), "y", {"a_0": "beta"})
    assert "a_0" in sources.listing().groups["on_alpha"]


@pytest.mark.parametrize("text", ["", "[]", '{"cluster": "x", "nodes": {"a_0": 1}}'])
def test_a_broken_record_is_one_line(sources: Sources, text: str) -> None:
    sources.write(SPREAD)
    sources.write(text, ".cluster.placement.json")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.returncode == 4
    assert "remove it, deploy finds the nodes again" in " ".join(done.stderr.split())


def test_a_folder_of_inventories_may_hold_a_record(sources: Sources) -> None:
    record.write(str(sources.write(SPREAD, "inventory/cluster.yml")), "x", {"a_0": "beta"})
    assert "a_0" in sources.listing("inventory").groups["on_beta"]


def test_a_cached_spec_minds_the_record(sources: Sources) -> None:
    cache = Cache(sources)
    path = sources.write(SPREAD)
    assert "a_0" in sources.listing(**cache.settings).groups["on_alpha"]
    record.write(str(path), "x", {"a_0": "beta"})
    assert "a_0" in sources.listing(**cache.settings).groups["on_beta"]


def test_too_few_docker_hosts_for_the_validators_are_warned_of(sources: Sources) -> None:
    sources.write(SPREAD.replace("'a_[0:3]': ", "'v_[0:3]': {role: validator}"))
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.returncode == 0
    assert "[WARNING]: cluster.yml: a third or more of the voting power" in " ".join(done.stderr.split())
