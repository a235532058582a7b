# SPDX-License-Identifier: GPL-3.0-or-later
"""The docs name only what exists: links, commands, playbooks, targets, tasks, options."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from unit.docs.pages import README, ROOT, Page, pages
from unit.docs.verbs import options, playbooks

from ansible_collections.gravity.cluster.plugins.plugin_utils._flavors import facts

each_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)

COLLECTION = "gravity.cluster"
MAKE = re.compile(r"^make ([a-z][a-z-]*)")
PLAY = re.compile(r"ansible-playbook (?:gravity\.cluster\.(?P<verb>\w+)|(?P<path>playbooks/\S+))")
DOC = re.compile(r"ansible-doc (?:-t (?P<kind>\w+) )?gravity\.cluster\.(?P<name>\w+)")
TASK = re.compile(r"^TASK \[gravity\.cluster\.(?P<role>\w+) : (?P<name>[^\]]+)\]", re.MULTILINE)
EXTRA = re.compile(r"-e '?\{?\"?(?P<name>\w+)[=\"]")
# What a page has no business to know: where it was written, and which registry somebody uses.
PLACES = re.compile(r"/(?:work|home|root|Users|opt|mnt)/|/tmp/\w|\b(?:ghcr|quay|gcr|mcr|registry-1)\.[a-z]|\bpypi\.org\b")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def stages() -> set[str]:
    listed = subprocess.run(
        [sys.executable, "-B", str(ROOT / "tests/lib/driver.py"), "--list"], capture_output=True, text=True, check=True
    ).stdout
    return {line.split()[0] for line in listed.splitlines()}


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"https?:", link):
            continue
        path, _hash, anchor = link.partition("#")
        goal = (page.path.parent / path).resolve() if path else page.path
        assert goal.exists(), link
        assert goal.is_relative_to(ROOT), link
        assert not anchor or anchor in Page(goal).anchors, link


@each_page
def test_make_targets_exist(page: Page) -> None:
    named = {match[1] for match in map(MAKE.match, page.commands) if match}
    assert named <= targets()


@each_page
def test_stages_exist(page: Page) -> None:
    words = [word for command in page.commands if command.startswith("tests/run ") for word in command.split("#")[0].split()[1:]]
    assert {word for word in words if not word.startswith("-") and word.islower()} <= stages()


@each_page
def test_playbooks_exist(page: Page) -> None:
    for match in PLAY.finditer(page.text):
        assert not match["verb"] or match["verb"] in playbooks(), match[0]
        assert not match["path"] or (ROOT / match["path"].strip("`,;).")).is_file(), match[0]


@each_page
def test_ansible_doc_knows_it(page: Page) -> None:
    places = {None: "plugins/modules/{}.py", "role": "roles/{}", "inventory": "plugins/inventory/{}.py", "filter": "plugins/filter/{}.py"}
    for match in DOC.finditer(page.text):
        assert (ROOT / places[match["kind"]].format(match["name"])).exists(), match[0]


@each_page
def test_extra_variables_of_commands_exist(page: Page) -> None:
    for command in page.commands:
        found = PLAY.search(command)
        if found:
            verb = found["verb"] or Path(found["path"]).stem
            assert {match["name"] for match in EXTRA.finditer(command)} <= {*options(verb), "engine_url"}, command


@each_page
def test_tasks_in_outputs_exist(page: Page) -> None:
    for role, name in TASK.findall(page.text):
        files = (ROOT / "roles" / role / "tasks").glob("*.yml")
        assert any(f"- name: {name}\n" in path.read_text(encoding="utf-8") for path in files), f"{role}: {name}"


@each_page
def test_no_page_knows_a_place(page: Page) -> None:
    assert not PLACES.findall(page.text)


@each_page
def test_yaml_is_yaml(page: Page) -> None:
    for block in page.blocks("yaml"):
        assert yaml.safe_load(block) is not None


def test_the_readme_is_short() -> None:
    assert len(README.text.splitlines()) <= 360


# What the README tells once for all verbs.
FOR_EVERY_VERB = {"engine_url", "lock_force", "lock_lease", "lock_timeout"}


def test_what_changes_a_cluster_holds_its_lock_and_what_reads_does_not() -> None:
    holding = {verb for verb in playbooks() if "lock_force" in options(verb)}
    assert holding == {"clear_storage", "deploy", "restart", "start", "stop", "teardown", "upgrade"}


def test_the_readme_lists_every_playbook_and_its_options() -> None:
    rows = {verb.strip("`"): cells for verb, *cells in README.table("verb")}
    assert set(rows) == set(playbooks())
    for verb, (_does, taken) in rows.items():
        real = {name: value for name, value in options(verb).items() if name not in FOR_EVERY_VERB}
        assert {name for name in re.findall(r"`(\w+)`", taken) if not name[0].isdigit()} == set(real), verb
        for name, value in re.findall(r"`(\w+)` \((\w+)\)", taken):
            assert real[name] == value, f"{verb}: {name}"


# What these write follows from the spec alone.
WITHOUT_ENGINE = {"export_env", "export_nodes", "export_targets"}


@pytest.mark.parametrize("verb", sorted(playbooks()))
def test_every_playbook_takes_the_engines_address(verb: str) -> None:
    assert ("engine_url | default(omit)" in playbooks()[verb].read_text(encoding="utf-8")) == (verb not in WITHOUT_ENGINE)


def test_the_readme_lists_every_page_and_folder() -> None:
    assert {link for link in README.links if link.startswith("docs/")} >= {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    layout = next(block for block in README.blocks("") if "plugins/module_utils/" in block)
    for line in layout.splitlines():
        assert (ROOT / line.split()[0]).is_dir(), line


def test_the_readmes_settings_are_those_of_the_repository() -> None:
    shown, real = configparser.ConfigParser(), configparser.ConfigParser()
    shown.read_string(README.blocks("ini")[0])
    real.read(ROOT / "ansible.cfg", encoding="utf-8")
    assert dict(shown["inventory"]).items() <= dict(real["inventory"]).items()


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_every_role_has_a_page(role: str) -> None:
    page = Page(ROOT / "roles" / role / "README.md")
    assert f"# {role}\n" in page.text
    described = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    known = {option for entry in described.values() for option in entry.get("options", {})}
    # What a role gives to others stands in its tasks and variables.
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "roles" / role).glob("[tv]a*s/*.yml"))
    assert {name for name in re.findall(rf"\b{role}_[a-z_]+\b", page.text) if name not in sources} <= known
    flavor = role.removeprefix("flavor_")
    if role.startswith("flavor_") and facts(flavor).get("config"):
        assert {cells[0].strip("`") for cells in page.table("key")} == set(facts(flavor)["config"])


def test_requirements_are_the_real_ones() -> None:
    oldest = re.search(r"requires_ansible: '>=(\d+\.\d+)", (ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    pinned = re.search(r"^ansible-core==(\d+\.\d+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert oldest and pinned
    controller = next(cells for cells in README.table("") if cells[0] == "controller")
    assert f"ansible-core {oldest[1]}+" in controller[1]
    assert f"ansible-core {pinned[1]}" in controller[2]


def test_the_readme_says_what_the_default_image_is_for() -> None:
    recipe = (ROOT / "roles/flavor_injective/vars/main.yml").read_text(encoding="utf-8")
    licence = re.search(r"image\.licenses: (\S+)", recipe)
    assert licence and licence[1] in README.text
    assert "tests and development only" in README.text
