# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of a cluster spec, for editors. ``tests/tools/spec_schema.py`` writes it to docs/spec.schema.json."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_model import Spec

Data = t.Dict[str, t.Any]


def spec_schema() -> Data:
    """The schema, made from the model; it knows what each key may hold, not what must fit together."""
    schema: Data = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_bare(Spec.model_json_schema())}
    schema["title"] = "gravity.cluster spec"
    # The older cluster.json has none, so the model does not ask for it; a spec that is an inventory source by its key needs it.
    schema["properties"]["plugin"]["default"] = "gravity.cluster.spec"
    return schema


def _bare(value: t.Any, names: bool = False) -> t.Any:
    """``value`` without what only repeats a key's name, without defaults that say nothing, and without null as a choice."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    if names:
        return {key: _bare(_without_null(item)) for key, item in value.items()}
    return {
        key: _bare(item, names=key in ("properties", "$defs"))
        for key, item in value.items()
        if not (key == "title" or (key == "default" and item is None))
    }


def _without_null(field: Data) -> Data:
    """A field that may be left out may be null too; an editor need not offer that unless null means something."""
    choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    if not choices or "null:" in field.get("description", ""):
        return field
    rest = {key: value for key, value in field.items() if key != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}
