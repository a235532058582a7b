# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a spec, in lines that a user can act on."""

from __future__ import annotations

import difflib
import os
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._grammar import shown
from ansible_collections.gravity.cluster.plugins.plugin_utils._written import written

# More lines than this help nobody; the rest is counted.
SHOWN = 20

Path = t.Tuple[t.Union[str, int], ...]

_PLAIN = re.compile(r"[A-Za-z0-9_\-\[\]:$]+\Z")


class SpecInvalid(Refused):
    """The spec cannot be used. ``lines`` has one per mistake: file, path inside it, what is wrong; what would be right."""

    def __init__(self, file: str, problems: t.Sequence[t.Tuple[Path, str]]) -> None:
        self.lines = [_line(file, path, text) for path, text in problems[:SHOWN]]
        if len(problems) > SHOWN:
            self.lines.append(f"{shown_path(file)}: {len(problems) - SHOWN} more mistakes; mend these first")
        super().__init__("\n".join(self.lines))


class Problems:
    """Collects the mistakes of one file, each once. ``data`` is what the file holds: it gives the order."""

    def __init__(self, file: str, data: t.Any = None) -> None:
        self.file = file
        self._data = data
        self._orders: t.Dict[int, t.Dict[str, int]] = {}  # id of a mapping -> key -> where it stands
        self._found: t.Dict[t.Tuple[Path, str], None] = {}

    def add(self, path: t.Sequence[t.Union[str, int]], text: str) -> None:
        """Note that ``text`` (what is wrong; what would be right) holds at ``path``."""
        self._found[tuple(path), text] = None

    def raise_any(self) -> None:
        """Raise :class:`SpecInvalid` when there are mistakes."""
        if self._found:
            raise SpecInvalid(self.file, sorted(self._found, key=lambda found: self._position(found[0])))

    def _position(self, path: Path) -> t.Tuple[int, ...]:
        """Where ``path`` stands in the file; what is missing comes behind what is there."""
        here, position = self._data, []
        for part in path:
            if isinstance(part, int):
                position.append(part)
                here = here[part] if isinstance(here, list) and part < len(here) else None
            else:
                keys = self._order(here) if isinstance(here, dict) else {}
                position.append(keys.get(part, len(keys)))
                here = here[part] if part in keys else None
        return tuple(position)

    def _order(self, mapping: t.Dict[str, t.Any]) -> t.Dict[str, int]:
        """Where each key of ``mapping``, a part of the data, stands in it."""
        if id(mapping) not in self._orders:
            self._orders[id(mapping)] = {key: position for position, key in enumerate(mapping)}
        return self._orders[id(mapping)]


def shown_path(file: str) -> str:
    """``file`` as the user would name it: relative when it lies below the current folder."""
    try:
        relative = os.path.relpath(file)
    except (ValueError, OSError):
        return file
    return file if relative.startswith("..") else relative


def dotted_path(path: Path) -> str:
    """A path inside the spec, such as ``nodes.node_0.files[0].mode``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]" if len(part) <= 60 else f"['{part[:57]}...']"
    return text


def kind(value: t.Any) -> str:
    """What a value of the spec is, in words, on one line and not too long."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = written(value)
        return f"the number {text}" if len(text) <= 40 else f"a number of {len(text)} characters"
    return shown(value)


def nearest(name: str, known: t.Iterable[str]) -> str:
    """The remedy for an unknown ``name``: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}" if names else "leave it out"


def _line(file: str, path: Path, text: str) -> str:
    where = dotted_path(path)
    parts = [shown_path(file), where, text] if where else [shown_path(file), text]
    return " ".join(": ".join(parts).split())
