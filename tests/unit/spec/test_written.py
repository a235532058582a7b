# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written in a spec is what the Engine gets, or one line asks what is meant."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers
from ansible_collections.gravity.cluster.plugins.plugin_utils._definitions import container_definitions
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read

Data = t.Dict[str, t.Any]

TOP: Data = {"plugin": "gravity.cluster.spec", "cluster_name": "x1", "flavor": "generic", "image": "tiny:1"}
YAML = "".join(f"{key}: {value}\n" for key, value in TOP.items())
JSON = json.dumps(TOP)[:-1]
TOML = "".join(f"{key} = {json.dumps(value)}\n" for key, value in TOP.items())


def spec_of(node: str, file: str = "x.yml") -> Data:
    """The resolved cluster of one node, whose fields are text of the file's format."""
    text = {
        "x.yml": f"{YAML}nodes:\n  a_0: {{{node}}}\n",
        "x.json": f'{JSON}, "nodes": {{"a_0": {{{node}}}}}}}',
        "x.toml": f"{TOML}[nodes.a_0]\n{node}\n",
    }[file]
    return load(read(text, file), file)


def payload(node: str, file: str = "x.yml") -> Data:
    """What the Engine is asked for."""
    (definition,) = container_definitions([], [spec_of(node, file)["nodes"]["a_0"]])
    problems = Problems()
    (container,) = parse_containers([definition], problems)
    assert problems.lines == []
    return container.payload("x1", None)


def lines(node: str, file: str = "x.yml") -> t.List[str]:
    """The mistakes, without the name of the file."""
    with pytest.raises(SpecInvalid) as refused:
        spec_of(node, file)
    return [line.partition(": ")[2] for line in refused.value.lines]


AS_WRITTEN = (
    "0022",
    "1.10",
    "NO",
    "No",
    "off",
    "y",
    "1_000",
    "010545",
    "0x1F",
    "0b11",
    "1e3",
    "+5",
    "1_0.50",
    ".5",
    "5.",
    "true",
    "True",
    "22:22",
)


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_text_in_yaml_is_what_is_written(text: str) -> None:
    asked = payload(
        f"env: {{A: {text}}}, labels: {{version: {text}}}, command: [sleep, {text}], entrypoint: [{text}], "
        f"health: {{test: [CMD, check, {text}]}}"
    )
    assert asked["Env"] == [f"A={text}"]
    assert asked["Labels"]["version"] == text
    assert asked["Cmd"] == ["sleep", text]
    assert asked["Entrypoint"] == [text]
    assert asked["Healthcheck"]["Test"] == ["CMD", "check", text]


@pytest.mark.parametrize("text", ["1.10", "1.0", "10", "-0", "1E2", "1e400", "0.10", "true", "false"])
def test_text_in_json_is_what_is_written(text: str) -> None:
    asked = payload(f'"env": {{"A": {text}}}, "command": ["sleep", {text}]', "x.json")
    assert (asked["Env"], asked["Cmd"]) == ([f"A={text}"], ["sleep", text])


@pytest.mark.parametrize("text", ["1.10", "1_000", "0x1F", "0o22", "+5", "7", "1_0.50", "true", "1e3"])
def test_text_in_toml_is_what_is_written(text: str) -> None:
    asked = payload(f"env = {{A = {text}}}\ncommand = ['sleep', {text}]", "x.toml")
    assert (asked["Env"], asked["Cmd"]) == ([f"A={text}"], ["sleep", text])


def test_a_number_in_toml_with_two_texts_is_not_guessed() -> None:
    text = "the file writes the number 1000 in several ways; put the text in quotes"
    assert lines("env = {A = 1_000, B = 1000}", "x.toml") == [f"nodes.a_0.env.A: {text}", f"nodes.a_0.env.B: {text}"]


def test_numbers_in_toml_may_have_underscores() -> None:
    assert spec_of("rpc_port = 10_545\nports = {rpc = {container = 80}}", "x.toml")["nodes"]["a_0"]["ports"]["rpc"]["host"] == 10545


ZERO = "has a leading zero; write the digits alone, or put it in quotes where text is meant"


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ("ports: {http: 010545}", f"nodes.a_0.ports.http: the number 010545 {ZERO}"),
        ("ports: {http: {container: 010545}}", f"nodes.a_0.ports.http.container: the number 010545 {ZERO}"),
        ("user: 0100", f"nodes.a_0.user: the number 0100 {ZERO}"),
        ('user: "0100:0"', "nodes.a_0.user: the user '0100:0' has a leading zero; write the numbers without it, as '10001:10001'"),
        ("stop_grace: 010", f"nodes.a_0.stop_grace: the number 010 {ZERO}"),
        ("resources: {pids: 0777}", f"nodes.a_0.resources.pids: the number 0777 {ZERO}"),
        ("resources: {cpus: 01}", f"nodes.a_0.resources.cpus: the number 01 {ZERO}"),
        ("resources: {memory: 010000000}", f"nodes.a_0.resources.memory: the number 010000000 {ZERO}"),
        ("ulimits: {nofile: 01024}", f"nodes.a_0.ulimits.nofile: the number 01024 {ZERO}"),
        ("health: {test: x, retries: 03}", f"nodes.a_0.health.retries: the number 03 {ZERO}"),
        ("config: {depth: [010]}", f"nodes.a_0.config.depth[0]: the number 010 {ZERO}"),
        ("ready: {conditions: [{is: healthy, value: 010}]}", f"nodes.a_0.ready.conditions[0].value: the number 010 {ZERO}"),
        (
            "resources: {pids: 1_000}",
            "nodes.a_0.resources.pids: the number 1_000 has an underscore; write the digits alone, or put it in quotes where text is meant",
        ),
        (
            "files: [{path: /x/a, content: 010}]",
            "nodes.a_0.files[0].content: expected text, got a number; put it in quotes",
        ),
        ("env: {A: NULL}", "nodes.a_0.env.A: expected text, got nothing; write one value, in quotes"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_refused(node: str, line: str) -> None:
    assert lines(node) == [line]


def test_choices_may_be_any_word_of_yaml() -> None:
    node = spec_of("read_only: off, restart: NO, config: {fast: yes, name: [on]}")["nodes"]["a_0"]
    assert (node["read_only"], node["restart"], node["config"]) == (False, "no", {"fast": True, "name": [True]})


@pytest.mark.parametrize("text", ["0644", "'0644'", "0400", "'640'", "0777"])
def test_modes_keep_their_digits(text: str) -> None:
    node = spec_of(f"files: [{{path: /data/x, content: a, mode: {text}}}]")["nodes"]["a_0"]
    assert node["files"][0]["mode"] == text.strip("'").zfill(4)


def types(data: t.Any) -> t.Set[type]:
    """The types of all values in ``data``."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return {type(data)}.union(*map(types, inner))


def test_nothing_that_remembers_its_text_reaches_ansible() -> None:
    text = (
        f"{YAML}hosts: {{h1: {{ansible_connection: local, ansible_become: yes, ansible_port: 22, vars: {{a: [1.5, off]}}}}}}\n"
        "config: {a: {b: [1, 1.50, NO]}}\n"
        "nodes: {a_0: {voting_power: 2, role: validator, ready: {probes: {p: {type: exec, command: [sleep, 1.0]}}, "
        "conditions: [{is: exec_ok, probe: p, value: 1}]}, image: {source: assemble, name: 'a:1', assemble: {x: {y: 1.0}}}}}\n"
    )
    resolved = load(read(text, "x.yml"), "x.yml")
    assert types(resolved) == {str, int, float, bool, dict, list, type(None)}
    assert resolved["hosts"]["h1"] == {"ansible_connection": "local", "ansible_become": True, "ansible_port": 22, "a": [1.5, False]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"env": {"A": NaN}', "nodes.a_0.env.A: NaN is not a number of JSON; put it in quotes if it is text"),
        ('"env": {"A": %s}' % ("1" * 5000), "nodes.a_0.env.A: a number of 5000 characters; put it in quotes if it is text"),
        ('"env": {"A": "\\ud800"}', "nodes.a_0.env.A: the text holds half of a character (a lone surrogate); write the whole character"),
        ('"env": {"A": "a\\u0000"}', "nodes.a_0.env.A: the text holds a NUL character, which ends a text for the system; leave it out"),
        (
            '"resources": {"cpus": %s}' % ("1" * 400),
            "nodes.a_0.resources.cpus: a number of more than 40 digits is out of range; use 0.01 to 1024",
        ),
    ],
)
def test_values_that_nobody_can_use_in_json(text: str, line: str) -> None:
    assert lines(text, "x.json") == [line]


def test_a_number_of_5000_digits_in_yaml() -> None:
    assert lines(f"env: {{A: {'1' * 5000}}}") == ["nodes.a_0.env.A: a number of 5000 characters; put it in quotes if it is text"]
