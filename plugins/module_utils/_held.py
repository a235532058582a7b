# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a volume holds that nobody changes, as marks that fit into a label: keys, and the files that all nodes share. Pure.

A mark is a digest that is salted with the digest of the genesis: equal keys of one chain have equal marks, on whatever Docker host they
are, and a mark says nothing of the same key in another chain.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import File

# Hexadecimal digits of a mark.
LENGTH = 32

# A secret in a key file has a name that says so, and is long. Other fields may be alike in the keys of two nodes, such as the kind of key,
# or the account of their common owner.
_SECRET_NAME = re.compile(r"^(?!.*account).*(?:priv|secret)", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"(?:0x)?([A-Za-z0-9+/=_-]{32,})")
_LINE = re.compile(r"""^\s*["']?([\w-]+)["']?\s*:\s*["']?([^"'\s]+)["']?\s*$""", re.MULTILINE)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")

# Path -> its marks.
Marks = t.Mapping[str, t.Tuple[str, ...]]


@dataclass(frozen=True)
class Held:
    """Marks by path in the volume: of ``keys``, one for each secret in the file; of files that are ``shared``, one for the whole."""

    keys: Marks = field(default_factory=dict)
    shared: Marks = field(default_factory=dict)

    @property
    def all(self) -> t.Dict[str, t.Tuple[str, ...]]:
        """Both."""
        return {**self.keys, **self.shared}

    @property
    def secrets(self) -> t.FrozenSet[str]:
        """The marks of all keys."""
        return frozenset(mark for marks in self.keys.values() for mark in marks)

    def text(self) -> str:
        """The value of the label."""
        plain = {"keys": self.keys, "shared": {path: marks[0] for path, marks in self.shared.items()}}
        return json.dumps(plain, separators=(",", ":"), sort_keys=True)


def is_key(mode: int) -> bool:
    """Whether a file of this mode is a key that a node never changes: only its owner reads it, and nobody writes."""
    return mode & 0o377 == 0


def is_constant(mode: int) -> bool:
    """Whether nobody writes a file of this mode."""
    return mode & 0o222 == 0


def held_by(files: t.Iterable[File], salt: str) -> Held:
    """The marks of new files of a volume."""
    constant = [file for file in files if is_constant(file.mode)]
    return Held(
        {file.path: key_marks(file.content, salt) for file in constant if is_key(file.mode)},
        {file.path: (mark(file.content, salt),) for file in constant if not is_key(file.mode)},
    )


def held_from(marks: t.Optional[t.Mapping[str, str]]) -> Held:
    """What the labels of a volume say that it holds; nothing when it is of an earlier version, or was restored without the label."""
    try:
        plain = json.loads((marks or {}).get(labels.HELD) or "{}")
        keys = {str(path): tuple(map(str, found)) for path, found in plain.get("keys", {}).items()}
        return Held(keys, {str(path): (str(found),) for path, found in plain.get("shared", {}).items()})
    except (ValueError, AttributeError, TypeError):
        return Held()


def mark(content: bytes, salt: str) -> str:
    """The mark of a text."""
    return hashlib.sha256(salt.encode() + b"\n" + content).hexdigest()[:LENGTH]


def key_marks(content: bytes, salt: str) -> t.Tuple[str, ...]:
    """A mark for each secret in a key file."""
    return tuple(sorted(mark(secret, salt) for secret in secrets_in(content)))


def secrets_in(content: bytes) -> t.FrozenSet[bytes]:
    """The secrets of a key file in JSON or YAML, however it is written; of any other file its whole content."""
    text = content.decode("utf-8", "replace")
    found = set()
    for name, value in _named(text):
        secret = _SECRET.fullmatch(value) if _SECRET_NAME.search(name) else None
        if secret:
            word = secret.group(1)
            found.add((word.lower() if _HEXADECIMAL.fullmatch(word) else word).encode())
    return frozenset(found or {content.strip()})


def _named(text: str) -> t.Iterator[t.Tuple[str, str]]:
    """The texts of a document with the names that lead to them."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        yield from _LINE.findall(text)
        return
    waiting: t.List[t.Tuple[str, t.Any]] = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            waiting += [(f"{name}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]


def twins(keys: t.Mapping[str, t.AbstractSet[str]]) -> t.List[t.Tuple[str, str]]:
    """Pairs of nodes that share a secret; ``keys`` are the marks of each node's."""
    owners: t.Dict[str, str] = {}
    found = []
    for node in sorted(keys):
        others = {owners.setdefault(one, node) for one in keys[node]} - {node}
        found += [(other, node) for other in sorted(others)]
    return found
