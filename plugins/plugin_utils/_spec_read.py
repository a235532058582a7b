# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of a spec to plain data: YAML, JSON or TOML, without a key given twice and without surprises."""

from __future__ import annotations

import json
import re
import typing as t

import tomllib
import yaml

from ansible_collections.gravity.cluster.plugins.plugin_utils import _written as written
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems, SpecInvalid

# A spec that grows beyond this by aliases of aliases is an accident or an attack.
MOST_VALUES = 2_000_000

# Nothing in a spec needs more levels; the parser below would crash at some hundred thousand.
DEEPEST = 100
TOO_DEEP = f"nested deeper than {DEEPEST} levels; a spec needs a few only"

_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKET = re.compile(r"[\[\]{}]")
_TOML_INT = re.compile(r"(?<![\w.+\-])[-+]?[0-9][0-9a-zA-Z_]*(?![\w.:\-])")
_STAIRS = re.compile(r"(?:[-?:][ \t]+){50}")

_Parser: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# What makes the text of a value that ansible-vault encrypted.
Decrypt = t.Callable[[str], str]


class _Loader(_Parser):  # type: ignore[misc]
    """YAML as most people read it: no dates, no numbers to the base of 60, keys are text; all else as Ansible has it."""

    yaml_implicit_resolvers: t.ClassVar[t.Dict[str, t.Any]] = {}
    decrypt: t.Optional[Decrypt] = None

    def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Dict[str, t.Any]:
        """A mapping whose keys are what was written, also when that looks like a number or like true."""
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def written_int(self, node: t.Any) -> t.Any:
        """A whole number that remembers its text."""
        return written.whole(self.construct_yaml_int(node), node.value)

    def written_float(self, node: t.Any) -> t.Any:
        """A number with a fraction that remembers its text."""
        return written.fraction(node.value)

    def written_bool(self, node: t.Any) -> t.Any:
        """True or false, or a word that may be text."""
        return written.choice(self.construct_yaml_bool(node), node.value)


for _tag, _constructor in (("int", _Loader.written_int), ("float", _Loader.written_float), ("bool", _Loader.written_bool)):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _constructor)

for _tag, _pattern, _first in (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", [*"yYnNtTfFoO"]),
    ("int", r"[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+", [*"-+0123456789"]),
    ("float", r"[-+]?(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?", [*"-+0123456789."]),
    ("merge", r"<<", ["<"]),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _vaulted(loader: t.Any, node: t.Any) -> str:
    """A value with the tag ``!vault``; empty when nobody wants to know it."""
    text = str(loader.construct_scalar(node))
    return loader.decrypt(text) if loader.decrypt else ""


for _tag in ("!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, _vaulted)


def read(text: str, file: str, decrypt: t.Optional[Decrypt] = None) -> t.Any:
    """The data in ``text``; JSON or TOML when the name of ``file`` says so, else YAML. Raises :class:`SpecInvalid`.

    Values with the tag ``!vault`` go through ``decrypt``.
    """
    text = text.lstrip("\ufeff")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecInvalid(file, [((), "the file is not text in UTF-8; save it as UTF-8")]) from None
    if not text.strip():
        raise SpecInvalid(file, [((), "the file is empty; describe a cluster with at least cluster_name and nodes")])
    if file.endswith(".toml"):
        return read_toml(text, file)
    data = _read_json(text, file) if file.endswith(".json") else _read_yaml(text, file, decrypt)
    if not isinstance(data, dict):
        kind = "nothing but comments" if data is None else "a list" if isinstance(data, list) else "a single value"
        raise SpecInvalid(file, [((), f"the file holds {kind}; a spec is a mapping with keys such as cluster_name and nodes")])
    return data


def read_toml(text: str, file: str) -> t.Dict[str, t.Any]:
    """The data in a text in TOML. Raises :class:`SpecInvalid`."""
    try:
        data = tomllib.loads(text, parse_float=written.fraction)
        return t.cast("t.Dict[str, t.Any]", _with_texts(data, _toml_numbers(text)))
    except ValueError as exc:
        raise SpecInvalid(file, [((), f"not TOML: {exc}; mend the syntax there")]) from exc
    except RecursionError as exc:
        raise SpecInvalid(file, [((), TOO_DEEP)]) from exc


def _toml_numbers(text: str) -> t.Dict[int, t.Set[str]]:
    """Whole numbers that stand in ``text`` as no one prints them: value -> what is written. The parser does not tell."""
    found: t.Dict[int, t.Set[str]] = {}
    for match in _TOML_INT.finditer(text):
        try:
            found.setdefault(int(match[0], 0), set()).add(match[0])
        except ValueError:  # part of a text, or a date
            continue
    return {value: texts for value, texts in found.items() if texts != {str(value)}}


def _with_texts(data: t.Any, texts: t.Mapping[int, t.Set[str]]) -> t.Any:
    """``data`` with whole numbers that remember their text; one that is written in several ways is odd where text is meant."""
    if isinstance(data, dict):
        return {key: _with_texts(value, texts) for key, value in data.items()}
    if isinstance(data, list):
        return [_with_texts(value, texts) for value in data]
    if isinstance(data, int) and not isinstance(data, bool) and data in texts:
        return written.whole(data, min(texts[data]), odd=False) if len(texts[data]) == 1 else written.ambiguous(data)
    return data


def _read_yaml(text: str, file: str, decrypt: t.Optional[Decrypt]) -> t.Any:
    problems = Problems(file)
    loader = None
    try:
        if _may_be_deep(text) and _is_deep(text):
            raise SpecInvalid(file, [((), TOO_DEEP)])
        loader = _Loader(text)
        loader.decrypt = decrypt
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, (), problems, {}, [])
        problems.raise_any()
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecInvalid(file, [((), f"not YAML: {exc.problem or exc.context}{where}; mend the syntax there")]) from exc
    except yaml.YAMLError as exc:
        raise SpecInvalid(file, [((), f"not YAML: {' '.join(str(exc).split())}; mend the file")]) from exc
    except ValueError as exc:
        raise SpecInvalid(file, [((), f"not YAML that can be used: {exc}; mend the file")]) from exc
    finally:
        if loader is not None:
            loader.dispose()


def _may_be_deep(text: str) -> bool:
    """Whether it is worth a closer look; brackets inside of texts count too."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > DEEPEST:
            return True
    return _STAIRS.search(text) is not None


def _is_deep(text: str) -> bool:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Parser):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    return True
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.MarkedYAMLError as exc:
        # PyYAML 6.0.4 and newer have a limit of their own, and reach it while they look ahead.
        if "nesting depth" not in str(exc.problem):
            raise
        return True
    return False


def _check(node: t.Any, path: Path, problems: Problems, sizes: t.Dict[int, int], above: t.List[int]) -> int:
    """Note keys given twice and a node inside itself; return how many values ``node`` has with its aliases written out."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in above:
        problems.add(path, "the alias holds itself; write the value out")
        return 1
    above.append(id(node))
    size = 1
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(path, node, problems)
    elif isinstance(node, yaml.MappingNode):
        size += _check_mapping(node, path, problems, sizes, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            size += _check(value, (*path, index), problems, sizes, above)
    above.pop()
    sizes[id(node)] = size
    if size > MOST_VALUES:
        problems.add(path, f"aliases make it larger than {MOST_VALUES:,} values; write it out")
        problems.raise_any()
    return size


def _check_mapping(node: t.Any, path: Path, problems: Problems, sizes: t.Dict[int, int], above: t.List[int]) -> int:
    seen = set()
    size = 0
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.add(path, f"the key in line {key.start_mark.line + 1} is not text; put it in quotes")
            continue
        name = key.value
        if name in seen and key.tag != "tag:yaml.org,2002:merge":
            problems.add((*path, name), f"given twice (again in line {key.start_mark.line + 1}); keep one of them")
        seen.add(name)
        size += _check(value, (*path, name), problems, sizes, above)
    return size


def _check_scalar(path: Path, node: t.Any, problems: Problems) -> None:
    if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and len(node.value) > written.MOST_DIGITS:
        problems.add(path, f"a number of {len(node.value)} characters; put it in quotes if it is text")


class _Twice(t.Dict[str, t.Any]):
    """A JSON object, with the keys that it gives twice."""

    def __init__(self, pairs: t.List[t.Tuple[str, t.Any]]) -> None:
        super().__init__(pairs)
        self.twice = [] if len(self) == len(pairs) else sorted({key for key, _value in pairs if sum(k == key for k, _v in pairs) > 1})


def _read_json(text: str, file: str) -> t.Any:
    try:
        data = json.loads(text, object_pairs_hook=_Twice, parse_int=_json_int, parse_float=written.fraction, parse_constant=_json_constant)
    except ValueError as exc:
        where = f" at line {exc.lineno}, column {exc.colno}" if isinstance(exc, json.JSONDecodeError) else ""
        reason = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)
        raise SpecInvalid(file, [((), f"not JSON: {reason}{where}; mend the syntax there")]) from exc
    except RecursionError as exc:
        raise SpecInvalid(file, [((), TOO_DEEP)]) from exc
    problems = Problems(file)
    plain = _plain(data, (), problems)
    problems.raise_any()
    return plain


class _NoNumber(str):
    """A number that JSON does not have, or that is too long to be one."""

    __slots__ = ()


def _json_int(text: str) -> t.Any:
    return written.whole(int(text), text) if len(text) <= written.MOST_DIGITS else _NoNumber(f"a number of {len(text)} characters")


def _json_constant(text: str) -> t.Any:
    return _NoNumber(f"{text} is not a number of JSON")


def _plain(data: t.Any, path: Path, problems: Problems) -> t.Any:
    if len(path) > DEEPEST:
        problems.add((), TOO_DEEP)
        return None
    if isinstance(data, _Twice):
        for key in data.twice:
            problems.add((*path, key), "given twice; keep one of them")
        return {key: _plain(value, (*path, key), problems) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value, (*path, index), problems) for index, value in enumerate(data)]
    if isinstance(data, _NoNumber):
        problems.add(path, f"{data}; put it in quotes if it is text")
    elif isinstance(data, str) and _SURROGATE.search(data):
        problems.add(path, "the text holds half of a character (a lone surrogate); write the whole character")
    return data
