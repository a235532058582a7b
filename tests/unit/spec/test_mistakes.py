# SPDX-License-Identifier: GPL-3.0-or-later
"""Every mistake in a spec gets its line: file, path inside it, what is wrong; what would be right."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils import _spec_read
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SHOWN, SpecInvalid, shown_path
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read
from ansible_collections.gravity.cluster.plugins.plugin_utils._written import plain

from .conftest import Spec

MISTAKES = yaml.safe_load((Path(__file__).parent / "mistakes.yml").read_text(encoding="utf-8"))
CHAIN = "plugin: gravity.cluster.spec\ncluster_name: x\n"
ABOVE = {None: "", "chain": CHAIN, "generic": CHAIN + "flavor: generic\nimage: tiny:1\n"}


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case["mistake"])
def test_mistake(spec: Spec, case: t.Dict[str, t.Any]) -> None:
    assert spec.lines(ABOVE[case.get("below")] + case["text"]) == case["lines"]


def test_every_line_says_what_would_be_right() -> None:
    for case in MISTAKES:
        for line in case["lines"]:
            assert "; " in line, line
            assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{,}", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2; mend the syntax there"),
        ("[]", "the file holds a list; a spec is a mapping with keys such as cluster_name and nodes"),
        ("null", "the file holds nothing but comments; a spec is a mapping with keys such as cluster_name and nodes"),
        ('{"cluster_name": "x", "nodes": {"a": {}, "a": {}}}', "nodes.a: given twice; keep one of them"),
        ("[" * 100_000, "nested deeper than 100 levels; a spec needs a few only"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "nested deeper than 100 levels; a spec needs a few only"),
        ('{"cluster_name": "x", "nodes": {}}', "nodes: there are no nodes; add at least one, for example node_[0:3]: {role: validator}"),
    ],
)
def test_mistakes_in_json(text: str, line: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        load(read(text, "cluster.json"), "cluster.json", older=True)
    assert refused.value.lines == [f"cluster.json: {line}"]


def test_an_unknown_flavor_of_the_older_json() -> None:
    with pytest.raises(SpecInvalid) as refused:
        load({"cluster_name": "x", "flavor": "graviti", "nodes": {"a": {}}}, "cluster.json", older=True)
    assert refused.value.lines == ["cluster.json: flavor: unknown flavor 'graviti'; did you mean 'gravity'?"]


def test_text_that_is_not_utf8(spec: Spec) -> None:
    assert spec.lines(b"nodes: \xff".decode(errors="surrogateescape")) == ["the file is not text in UTF-8; save it as UTF-8"]


def test_a_byte_order_mark_is_no_mistake(spec: Spec) -> None:
    assert "a_0" in spec.text("\ufeff" + ABOVE["generic"] + "nodes: {a_0: }\n")["nodes"]


def test_aliases_that_explode(spec: Spec) -> None:
    text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for number in range(1, 9):
        text += f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]\n"
    assert spec.lines(text) == ["a6: aliases make it larger than 2,000,000 values; write it out"]


def test_many_mistakes_are_cut(spec: Spec) -> None:
    lines = spec.lines(ABOVE["generic"] + "nodes: {'a_[0:49]': {ports: {web: 80}}}\n")
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "29 more mistakes; mend these first"


def test_yaml_as_people_mean_it() -> None:
    text = "a: 2024-01-02\nb: 22:22\nc: 0644\nd: 1_000\non: yes\n5: x\nnull: ~\ne: 1e3\nf: 1.5\ng: .5\nh: 08\n<<: {i: 1}\n"
    assert plain(read(text, "x.yml")) == {
        "a": "2024-01-02",
        "b": "22:22",
        "c": 0o644,
        "d": 1000,
        "on": True,
        "5": "x",
        "null": None,
        "e": "1e3",
        "f": 1.5,
        "g": 0.5,
        "h": "08",
        "i": 1,
    }


def test_the_fast_parser_is_used() -> None:
    assert issubclass(_spec_read._Loader, yaml.CSafeLoader)


def test_paths_are_shown_as_the_user_would_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert shown_path(str(tmp_path / "below" / "cluster.yml")) == "cluster.yml"
    assert shown_path(str(tmp_path / "cluster.yml")) == str(tmp_path / "cluster.yml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = (
    "network",
    "image",
    "config",
    "hosts",
    "defaults",
    "roles",
    "compose",
    "groups",
    "keyed_groups",
    "docker",
    "flavor",
    "container_prefix",
)
FIELDS = (
    "role",
    "ports",
    "env",
    "volumes",
    "files",
    "labels",
    "resources",
    "ulimits",
    "health",
    "ready",
    "image",
    "command",
    "stop_grace",
    "network_ip",
    "user",
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_whatever_is_written_gives_a_cluster_or_lines(top: t.Dict[str, t.Any], node: t.Dict[str, t.Any]) -> None:
    data = {"plugin": "gravity.cluster.spec", "cluster_name": "x", **top, "nodes": {"a_0": node}}
    try:
        resolved = load(read(json.dumps(data), "x.json"), "x.json")
    except SpecInvalid as refused:
        for line in refused.lines:
            assert line.startswith("x.json: ")
            assert "\n" not in line
    else:
        json.dumps(resolved)


@pytest.mark.parametrize(
    "text", ["nodes: " + "[" * 300_000, "- " * 300_000, "nodes: " + "{a: " * 101 + "}" * 101, "? " * 300_000, "a: {b: [\n" * 100_000]
)
def test_nesting_without_end(spec: Spec, text: str) -> None:
    assert spec.lines(text) == ["nested deeper than 100 levels; a spec needs a few only"]


def test_brackets_in_texts_are_not_nesting(spec: Spec) -> None:
    content = "[" * 500 + "- " * 500
    text = json.dumps([{"path": "/data/x", "content": content}])
    assert spec.text(ABOVE["generic"] + f"nodes: {{a_0: {{files: {text}}}}}\n")["nodes"]["a_0"]["files"][0]["content"] == content
