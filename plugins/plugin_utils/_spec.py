# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the data of a spec to the cluster that it describes; everything that the inventory plugin needs."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._compose_words import in_our_words
from ansible_collections.gravity.cluster.plugins.plugin_utils._pydantic import PYDANTIC_IMPORT_ERROR, BaseModel, ValidationError
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_model import NodeFields, Spec
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems, kind, nearest
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_resolve import resolve

Data = t.Dict[str, t.Any]

# Keys whose values are not in messages.
PRIVATE = frozenset({"env", "args", "vars", "content"})

NO_NODES = "there are no nodes; add at least one, for example node_[0:3]: {role: validator}"

# What pydantic calls a mistake, and how we say it: what is wrong ({got}: what was found); what would be right.
_SAID: t.Mapping[str, str] = {
    "missing": "missing; add it",
    "string_type": "expected text, got {got}; put it in quotes",
    "int_type": "expected a whole number, got {got}; write digits, without quotes",
    "int_from_float": "expected a whole number, got {got}; write digits, without a fraction",
    "float_type": "expected a number, got {got}; write digits, without quotes",
    "bool_type": "expected true or false, got {got}; write it without quotes",
    "dict_type": "expected a mapping, got {got}; write it as key: value",
    "model_type": "expected a mapping, got {got}; write it as key: value",
    "list_type": "expected a list, got {got}; write each item behind a dash",
    "literal_error": "{got} is not one of the choices; use {expected}",
    "greater_than": "{got} is too small; use more than {gt}",
    "greater_than_equal": "{got} is too small; use {ge} or more",
    "less_than_equal": "{got} is too large; use {le} or less",
}


def load(data: Data, file: str, older: bool = False, recorded: t.Optional[t.Mapping[str, str]] = None) -> Data:
    """The resolved cluster (see :func:`resolve`) that ``data``, read from ``file``, describes.

    ``older`` is for the cluster.json of the older tooling, which has no key ``plugin``; for ``recorded`` see
    :func:`resolve`. Raises ``SpecInvalid`` with one line
    per mistake, and ``ImportError`` without pydantic.
    """
    if PYDANTIC_IMPORT_ERROR is not None:
        raise PYDANTIC_IMPORT_ERROR
    data = {key: value for key, value in data.items() if not key.startswith("x-")}
    problems = Problems(file, data)
    if "plugin" not in data and not older:
        problems.add(("plugin",), "missing; add plugin: gravity.cluster.spec")
    try:
        spec = Spec.model_validate(data)
    except ValidationError as exc:
        for error in exc.errors(include_url=False):
            _tell(error, problems)
        problems.raise_any()
        raise
    problems.raise_any()
    return resolve(spec.model_dump(exclude_unset=True, by_alias=True), problems, older, recorded)


def _tell(error: t.Any, problems: Problems) -> None:
    """Note one error of pydantic in our words."""
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    what, context, got = error["type"], error.get("ctx") or {}, _found(path, error.get("input"))
    if what == "extra_forbidden":
        problems.add(path, f"unknown key; {_remedy(path)}")
    elif what == "spec":
        problems.add(path, context["text"])
    elif path == ("nodes",) and (what in ("missing", "too_short") or error["input"] is None):
        problems.add(path, NO_NODES)
    elif path == ("nodes",):
        problems.add(path, f"expected a mapping, got {got}; write each node as node_0: {{role: validator}}")
    elif path == ("plugin",):
        problems.add(path, f"{got} is not this plugin; use gravity.cluster.spec")
    else:
        said = _SAID.get(what)
        problems.add(path, said.format(got=got, **context) if said else f"{error['msg']}, got {got}; see docs/spec.md")


def _found(path: Path, value: t.Any) -> str:
    """What stands at ``path``, in words; without the value where it may be a secret."""
    private = path[-1:] == ("files",) or any(part in PRIVATE or str(part).startswith("ansible_") for part in path)
    if private and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return "text" if isinstance(value, str) else "a number"
    return kind(value)


def _remedy(path: Path) -> str:
    """What to write instead of the unknown key at the end of ``path``."""
    model, key = _model(path[:-1]), str(path[-1])
    names = ["Node"] if issubclass(model, NodeFields) else [model.__name__]
    return in_our_words(names, key) or nearest(key, [field.alias or name for name, field in model.model_fields.items()])


def _model(path: Path) -> t.Any:
    """The model of the mapping at ``path``."""
    here: t.Any = Spec
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = next((field.annotation for key, field in here.model_fields.items() if (field.alias or key) == part), None)
        else:
            here = t.get_args(here)[-1]
        here = _bare(here)
    return here


def _bare(annotation: t.Any) -> t.Any:
    """``annotation`` without Optional and Annotated."""
    while t.get_origin(annotation) in (t.Annotated, t.Union):
        annotation = next(argument for argument in t.get_args(annotation) if argument is not type(None))
    return annotation
