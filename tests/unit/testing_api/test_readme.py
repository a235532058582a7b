# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the package names what there is, and only that. Its example runs in tests/e2e."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import gravity_cluster
from gravity_cluster import Cluster, RpcClient

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "testing" / "README.md").read_text(encoding="utf-8")


def public(kind: type) -> set[str]:
    return {name for name, _member in inspect.getmembers(kind) if not name.startswith("_")}


def test_the_tables_have_all_methods_with_their_parameters() -> None:
    shown = dict(re.findall(r"\bc\.(\w+)(\([^)]*\))?", PAGE))
    assert shown.keys() == public(Cluster)
    for row in re.findall(r"^\| `await c\.(\w+)\(([^)]*)\)`", PAGE, re.MULTILINE):
        name, parameters = row
        signature = inspect.signature(getattr(Cluster, name)).parameters.values()
        plain = [one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in signature if one.name != "self"]
        assert parameters == ", ".join(plain)


def test_the_options_are_those_of_the_class() -> None:
    options = [one for one in inspect.signature(Cluster).parameters.values() if one.kind is one.KEYWORD_ONLY]
    assert f"`Cluster(spec, *, {', '.join(f'{one.name}={one.default!r}' for one in options)})`" in PAGE
    assert all(f"\n| `{one.name}` |" in PAGE for one in options)


def test_every_call_names_a_playbook_that_is_there() -> None:
    verbs = re.findall(r"^\| `await c\..* \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert len(verbs) == 11
    assert all((ROOT / "playbooks" / f"{verb}.yml").is_file() for verb in verbs)


def test_the_calls_of_the_client_and_all_errors_are_named() -> None:
    methods = public(RpcClient)
    assert all(f"`await {name}(" in PAGE for name in methods)
    errors = [name for name in gravity_cluster.__all__ if name.endswith(("Error", "Unknown", "Unreachable"))]
    assert re.findall(r"^\| `(\w+)` \| .*$", PAGE.split("| error |")[1], re.MULTILINE) == [
        "ClusterError",
        "SpecError",
        *sorted(set(errors) - {"ClusterError", "SpecError"}),
    ]


def test_the_examples_are_python() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec")
