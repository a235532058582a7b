# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter plugin titled_lines."""

from __future__ import annotations

import typing as t


def titled_lines(outputs: t.Mapping[str, t.Any], files: t.Optional[t.Mapping[str, t.Mapping[str, t.List[str]]]] = None) -> t.List[str]:
    """All lines of all nodes, those of each node under its name.

    A value is a list of lines, or a mapping with ``stdout`` and ``stderr`` (text), of which the latter is marked. ``files`` are lines by
    path by name; they follow under the name and the path.
    """
    lines: t.List[str] = []
    for name, output in outputs.items():
        lines.append(f"==> {name} <==")
        if isinstance(output, t.Mapping):
            lines += (output.get("stdout") or "").splitlines()
            lines += [f"stderr: {line}" for line in (output.get("stderr") or "").splitlines()]
        else:
            lines += output
        for path, content in ((files or {}).get(name) or {}).items():
            lines += [f"==> {name}: {path} <==", *content]
    return lines


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"titled_lines": titled_lines}
