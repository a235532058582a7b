# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema in docs/ and the examples in the documentation are true."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml

from ansible_collections.gravity.cluster.plugins.inventory import spec as plugin
from ansible_collections.gravity.cluster.plugins.plugin_utils import _spec_model as model
from ansible_collections.gravity.cluster.plugins.plugin_utils._schema import spec_schema

from .conftest import Spec

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "spec.schema.json").read_text(encoding="utf-8"))
REFERENCE = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
DOCUMENTATION = yaml.safe_load(plugin.DOCUMENTATION)
EXAMPLES = list(yaml.safe_load_all(plugin.EXAMPLES))
MISTAKES = yaml.safe_load((Path(__file__).parent / "mistakes.yml").read_text(encoding="utf-8"))
# Mistakes that show in one key alone, so that an editor can mark them.
MARKED = (
    "unknown key",
    "unknown field",
    "list for mapping",
    "mapping for list",
    "port zero",
    "port unknown key",
    "chain id text",
    "driver",
    "relative path",
)
CHAIN = "plugin: gravity.cluster.spec\ncluster_name: x\n"


def valid(data: t.Any) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(data))


def test_the_file_is_what_the_model_says() -> None:
    assert spec_schema() == SCHEMA, "run .venv/bin/python tests/tools/spec_schema.py"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", ["inventories/local/cluster.yml", "tests/fixtures/cluster.json"])
def test_it_takes_the_specs_of_the_repository(path: str) -> None:
    assert valid(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize("mistake", MARKED)
def test_an_editor_marks(mistake: str) -> None:
    case = next(case for case in MISTAKES if case["mistake"] == mistake)
    assert not valid(yaml.safe_load(CHAIN + case["text"]))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_of_the_plugin(spec: Spec, number: int) -> None:
    assert valid(EXAMPLES[number])
    assert spec.text(yaml.safe_dump(EXAMPLES[number], sort_keys=False))["nodes"]


def test_the_first_example_of_the_reference_is_complete(spec: Spec) -> None:
    text = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)[0]
    assert [node["network_ip"] for node in spec.text(text)["nodes"].values()] == [f"172.20.0.{number}" for number in range(10, 14)]


def test_every_other_example_of_the_reference_fits_in(spec: Spec) -> None:
    for text in re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)[1:]:
        data = yaml.safe_load(text)
        fields = {key: data.pop(key) for key in ("ports", "ready") if key in data}
        if "ready" in fields:
            fields["ports"] = {"http": 80}
        if "ports" in fields:
            fields["rpc_port"] = 9545
        data.update(nodes={"a_0": {**fields, "host": next(iter(data["hosts"]))} if "hosts" in data else fields})
        assert spec.resolved(**data)["nodes"]


def keys(of: t.Type[model.Model]) -> t.Set[str]:
    return {field.alias or name for name, field in of.model_fields.items()}


def test_ansible_doc_knows_every_key() -> None:
    constructed = {"strict", "compose", "groups", "keyed_groups", "use_extra_vars", "leading_separator"}
    cached = {"cache", "cache_plugin", "cache_timeout", "cache_connection", "cache_prefix"}
    options = DOCUMENTATION["options"]
    assert set(options) == keys(model.Spec) - constructed - cached
    assert set(plugin.CONSTRUCTED) == constructed
    assert set(plugin.CACHED) == cached
    assert set(options["network"]["suboptions"]) == keys(model.Network)
    assert set(options["docker"]["suboptions"]) == keys(model.OlderDocker)
    assert set(options["defaults"]["suboptions"]) == keys(model.DefaultsFields)


@pytest.mark.parametrize("of", [model.Spec, model.NodeEntry, model.RoleFields, model.Network, model.Health, model.Ready, model.PortEntry])
def test_the_reference_knows_every_key(of: t.Type[model.Model]) -> None:
    for key in keys(of):
        assert re.search(rf"\b{key}\b", REFERENCE), key


def test_defaults_are_documented_as_they_are(spec: Spec) -> None:
    options = DOCUMENTATION["options"]
    network = spec.resolved(nodes={"a_0": {}})["cluster"]["network"]
    for key in ("subnet", "chain_id", "driver"):
        assert options["network"]["suboptions"][key]["default"] == network[key]
    assert options["container_prefix"]["default"] == "gravity_"
