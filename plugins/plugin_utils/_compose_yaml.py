# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that people like to read: mappings that are written once and merged into others, and lists on one line."""

from __future__ import annotations

import math
import re
import typing as t

import yaml

# Text that needs no quotes, whoever reads it.
SIMPLE = re.compile(r"[A-Za-z/][\w./@-]*(:[\w./@-]+)*", re.ASCII)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Shared(t.Dict[str, t.Any]):
    """A mapping that is written once, with an anchor, and merged into others."""

    def __init__(self, anchor: str, content: t.Mapping[str, t.Any]) -> None:
        super().__init__(content)
        self.anchor = anchor


class Merge:
    """The key under which a shared mapping stands in another one."""


MERGE: t.Any = Merge()


class Dumper(yaml.SafeDumper):
    """Writes anchors by name, text that cannot be mistaken for anything else in quotes, and plain lists on one line."""

    def __init__(self, *args: t.Any, **options: t.Any) -> None:
        super().__init__(*args, **options)
        self.names: t.Dict[yaml.Node, str] = {}

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 -- the base class passes it
        """Lists are indented as mappings are."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        """Only what is meant to be shared is."""
        return not isinstance(data, Shared)

    def generate_anchor(self, node: yaml.Node) -> str:
        """The name of a shared mapping."""
        return self.names[node]

    def shared(self, data: Shared) -> yaml.Node:
        """A shared mapping."""
        node = self.represent_dict(data)
        self.names[node] = data.anchor
        return node

    def merge(self, _data: Merge) -> yaml.Node:
        """The merge key."""
        return self.represent_scalar("tag:yaml.org,2002:merge", "<<")

    def text(self, data: str) -> yaml.Node:
        """Text; a word such as ``no`` gets its quotes from the base class."""
        style = '"' if UNPRINTABLE.search(data) else None if SIMPLE.fullmatch(data) else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", str(data), style)

    def items(self, data: t.Sequence[t.Any]) -> yaml.Node:
        """A list."""
        flow = not any(isinstance(item, (dict, list)) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


Dumper.add_representer(Shared, Dumper.shared)
Dumper.add_representer(Merge, Dumper.merge)
# Ansible's own kinds of text, mappings and lists are derived from the built-in ones, for which the base class has a method each.
KINDS: t.Mapping[type, t.Any] = {str: Dumper.text, dict: Dumper.represent_dict, list: Dumper.items, tuple: Dumper.items}
for kind, method in KINDS.items():
    Dumper.add_representer(kind, method)
    Dumper.add_multi_representer(kind, method)


def written(content: t.Mapping[str, t.Any]) -> str:
    """``content`` as YAML, with an empty line before every part but the first."""
    text: str = yaml.dump(content, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=math.inf, allow_unicode=True)
    return re.sub(r"\n(?=\S)", "\n\n", text)
