# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of Ansible's commands sees."""

from __future__ import annotations

import json
import typing as t

import pytest

from .conftest import GENERIC, ROOT, Sources

BAD = GENERIC + "nodes:\n  node_0: {rolle: validator}\n  node_1: {network_ip: 172.21.0.5, role: service}\n"
LINES = ["[ERROR]: cluster.yml: nodes.node_0.rolle: unknown key; did you mean 'role'?"]
# A user who installed the collection and has no ansible.cfg.
BARE = {"ANSIBLE_CONFIG": "bare.cfg", "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections")}
COMMANDS = [
    ("ansible-inventory", "-i", "cluster.yml", "--list"),
    ("ansible-inventory", "-i", "cluster.yml", "--graph"),
    ("ansible-playbook", "-i", "cluster.yml", "play.yml"),
    ("ansible", "-i", "cluster.yml", "all", "-m", "ansible.builtin.ping"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:1] + command[3:]))
@pytest.mark.parametrize("settings", [{}, BARE], ids=["our-ansible-cfg", "no-ansible-cfg"])
def test_a_mistake_is_one_line_and_the_end(sources: Sources, command: t.Tuple[str, ...], settings: t.Dict[str, str]) -> None:
    sources.write(BAD)
    sources.write("", "bare.cfg")
    sources.write("- hosts: all\n  gather_facts: false\n  tasks: []\n", "play.yml")
    done = sources.run(*command, **settings)
    assert done.returncode == 4
    assert done.stderr.splitlines() == LINES
    assert done.stdout == ""


def test_several_mistakes_are_all_there(sources: Sources) -> None:
    sources.write(GENERIC + "network: {chain_id: x}\nnodes: {a_0: {rolle: x}, a_1: {rpc_port: 0}}\n")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.stderr.splitlines() == [
        "[ERROR]: cluster.yml: network.chain_id: expected a whole number, got 'x'; write digits, without quotes",
        "[ERROR]: cluster.yml: nodes.a_0.rolle: unknown key; did you mean 'role'?",
        "[ERROR]: cluster.yml: nodes.a_1.rpc_port: port 0 is out of range; use 1 to 65535",
    ]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("cluster.yml", "", "the file is empty; describe a cluster with at least cluster_name and nodes"),
        ("cluster.yml", "nodes: [\n", "not YAML: did not find expected node content at line 2, column 1; mend the syntax there"),
        ("cluster.json", "{", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2; mend the syntax there"),
        ("cluster.yml", "cluster_name: x\nnodes: {a: }\n", "plugin: missing; add plugin: gravity.cluster.spec"),
        (
            "some.yml",
            "plugin: gravity.cluster.spek\ncluster_name: x\nnodes: {a: }\n",
            "plugin: 'gravity.cluster.spek' is not this plugin; use gravity.cluster.spec",
        ),
        (
            "some.yml",
            "plugin: gravity.cluster.spec\nnodes: [\n",
            "not YAML: did not find expected node content at line 3, column 1; mend the syntax there",
        ),
    ],
)
def test_files_that_are_hardly_a_spec(sources: Sources, name: str, text: str, line: str) -> None:
    sources.write(text, name)
    done = sources.run("ansible-inventory", "-i", name, "--list")
    assert done.returncode == 4
    assert done.stderr.splitlines() == [f"[ERROR]: {name}: {line}"]


def test_files_that_cannot_be_read(sources: Sources) -> None:
    (sources.folder / "loop.cluster.yml").symlink_to("loop.cluster.yml")
    for name, reason in (("loop.cluster.yml", "Too many levels of symbolic links"), ("nowhere/cluster.yml", "No such file or directory")):
        done = sources.run("ansible-inventory", "-i", name, "--list")
        assert done.returncode == 4
        assert done.stderr.splitlines() == [f"[ERROR]: {name}: the file cannot be read: {reason}; check its name and permissions"]


def test_two_clusters_in_one_run(sources: Sources) -> None:
    sources.write(GENERIC + "nodes: {a_0: }\n")
    sources.write(GENERIC.replace("cluster_name: x", "cluster_name: y") + "nodes: {b_0: }\n", "other.yml")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "-i", "other.yml", "--list")
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "[ERROR]: other.yml: cluster_name: the inventory holds the cluster x already; give one cluster spec per run"
    ]


def test_a_spec_in_the_vault(sources: Sources) -> None:
    sources.write("secret\n", "password")
    sources.write(GENERIC + "nodes: {a_0: }\n")
    assert sources.run("ansible-vault", "encrypt", "--vault-password-file", "password", "cluster.yml").returncode == 0
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--vault-password-file", "password", "--graph", "nodes")
    assert done.stdout.split() == ["@nodes:", "|--a_0"], done.stderr
    locked = sources.run("ansible-inventory", "-i", "cluster.yml", "--graph", "nodes")
    assert locked.returncode == 4
    (line,) = locked.stderr.splitlines()
    assert line.startswith("[ERROR]: cluster.yml: ")
    assert "vault" in line


def test_without_pydantic_the_line_says_so(sources: Sources) -> None:
    sources.write("raise ImportError(\"No module named 'pydantic'\")\n", "broken/pydantic/__init__.py")
    sources.write(GENERIC + "nodes: {a_0: }\n")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list", PYTHONPATH=str(sources.folder / "broken"))
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "[ERROR]: cluster.yml: a Python package is missing on the controller (No module named 'pydantic'); run pip install pydantic"
    ]


def test_a_limit_and_a_pattern(sources: Sources) -> None:
    sources.write(GENERIC + "nodes: {'a_[0:3]': }\n")
    done = sources.run("ansible", "nodes:!a_0", "-i", "cluster.yml", "--limit", "a_0,a_2", "--list-hosts")
    assert done.stdout.split() == ["hosts", "(1):", "a_2"]


def test_ansible_doc_knows_the_plugin(sources: Sources) -> None:
    done = sources.run("ansible-doc", "-t", "inventory", "gravity.cluster.spec", "--json")
    entry = json.loads(done.stdout)["gravity.cluster.spec"]
    assert entry["doc"]["options"]["nodes"]["required"] is True
    assert entry["examples"]
