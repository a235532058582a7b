# SPDX-License-Identifier: GPL-3.0-or-later
"""What a spec may keep secret, and what it may not leave behind in clear."""

from __future__ import annotations

import json
import re
import stat
import typing as t

import pytest
from unit.inventory.conftest import GENERIC, Sources

CANARY = "canary {{ 1 + 1 }}"


def vaulted(sources: Sources, text: str, indent: str) -> str:
    """``text`` as a value with the tag ``!vault``."""
    sources.write("a word\n", "password")
    done = sources.run("ansible-vault", "encrypt_string", "--vault-password-file", "password", text)
    return ("\n" + indent).join(line.strip() for line in done.stdout.strip().splitlines())


def unlocked(sources: Sources, name: str = "cluster.yml", **environment: str) -> t.Any:
    """The variables of the hosts, with the password at hand."""
    done = sources.run("ansible-inventory", "-i", name, "--list", "--vault-password-file", "password", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=lambda data: data.get("__ansible_unsafe", data))["_meta"]["hostvars"]


def test_single_values_in_the_vault_are_text_and_never_templates(sources: Sources) -> None:
    value = vaulted(sources, CANARY, "        ")
    sources.write(f"{GENERIC}hosts:\n  h:\n    ansible_password: {value}\nnodes:\n  a_0:\n    env:\n      TOKEN: {value}\n")
    assert unlocked(sources)["a_0"]["gravity_node"]["env"] == {"TOKEN": CANARY}
    said = sources.run(
        "ansible",
        "a_0",
        "-i",
        "cluster.yml",
        "--vault-password-file",
        "password",
        "-m",
        "debug",
        "-a",
        "msg={{ ansible_password }}",
    )
    assert CANARY in said.stdout
    assert "canary 2" not in said.stdout
    locked = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert locked.returncode == 4
    (line,) = locked.stderr.splitlines()
    assert line.startswith("[ERROR]: cluster.yml: ")
    assert "vault" in line


def test_a_whole_spec_in_the_vault_may_have_any_name(sources: Sources) -> None:
    sources.write("a word\n", "password")
    sources.write(GENERIC + "nodes: {a_0: }\n", "prod.yml")
    assert sources.run("ansible-vault", "encrypt", "--vault-password-file", "password", "prod.yml").returncode == 0
    assert "a_0" in unlocked(sources, "prod.yml")


def test_variables_of_the_connection_are_templates_and_nothing_else_is(sources: Sources) -> None:
    sources.write(
        GENERIC
        + "hosts:\n  h: {ansible_host: 'h-{{ 1 + 1 }}', vars: {ansible_user: 'u{{ 1 + 1 }}', other: 'o{{ 1 + 1 }}'}}\nnodes: {a_0: }\n"
    )
    said = sources.run("ansible", "a_0", "-i", "cluster.yml", "-m", "debug", "-a", "msg={{ ansible_host }},{{ ansible_user }},{{ other }}")
    assert "h-2,u2,o{{ 1 + 1 }}" in said.stdout, said.stdout + said.stderr


def test_a_template_is_no_address_for_other_docker_hosts(sources: Sources) -> None:
    sources.write(
        "plugin: gravity.cluster.spec\ncluster_name: x\nnetwork: {driver: host_ports}\n"
        "hosts: {a: {ansible_host: '{{ where }}'}, b: {ansible_host: 192.0.2.1}}\nnodes: {'node_[0:3]': {role: validator}}\n"
    )
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.returncode == 4
    assert (
        "[ERROR]: cluster.yml: hosts.a.address: the other Docker hosts must reach a, and ansible_host is a template; set address"
        in done.stderr
    )


def test_a_cache_is_for_its_owner_only_and_holds_nothing_secret(sources: Sources) -> None:
    folder = sources.folder / "cache"
    settings = {
        "ANSIBLE_INVENTORY_CACHE": "true",
        "ANSIBLE_INVENTORY_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(folder),
    }
    file = "{path: /data/x, content: canary%s}"
    node = GENERIC + "nodes:\n  a_0:\n    volumes: ['data:/data']\n    files: [" + file + "]\n"
    sources.write(node % ", secret: true")
    sources.listing(**settings)
    assert not [path for path in folder.glob("*") if "canary" in path.read_text()]
    sources.write(node % "")
    sources.listing(**settings)
    (kept,) = [path for path in folder.glob("*") if "canary" in path.read_text()]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    value = vaulted(sources, "canary", "        ")
    # What was in clear until now does not stay in the cache.
    sources.write(GENERIC + f"nodes:\n  a_0:\n    env:\n      TOKEN: {value}\n")
    unlocked(sources, **settings)
    assert not [path for path in folder.glob("*") if "canary" in path.read_text()]


@pytest.mark.parametrize(
    "mistake",
    [
        "env: canary",
        "env: {TOKEN: [canary]}",
        "env: [canary]",
        "files: canary",
        "files: [{path: /data/x, content: 12345678}]",
        "files: [{path: /data/x, content: [canary]}]",
        "image: {name: 'i:2', source: build, context: c, args: canary}",
    ],
)
def test_a_message_has_no_value_that_may_be_secret(sources: Sources, mistake: str) -> None:
    sources.write(f"{GENERIC}nodes:\n  a_0:\n    volumes: ['data:/data']\n    {mistake}\n")
    done = sources.run("ansible-inventory", "-i", "cluster.yml", "--list")
    assert done.returncode == 4
    assert "[ERROR]: cluster.yml: nodes.a_0." in done.stderr
    assert not re.search("canary|12345678", done.stdout + done.stderr)
