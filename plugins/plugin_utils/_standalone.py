# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs for the Python of a Docker host that need no more than the standard library: a tenth of what a module costs."""

from __future__ import annotations

import shlex
import types
import typing as t
from pathlib import Path

# Makes modules of names and texts, in this order, and leaves the last argument to the last of them.
LOADER = """
import sys, types
parts = sys.argv[1:-1]
sys.argv[1:-1] = []
for name, text in zip(parts[::2], parts[1::2]):
    sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), sys.modules[name].__dict__)
"""


def command(python: str, program: str, argument: str, needs: t.Sequence[types.ModuleType]) -> str:
    """A line for a shell: ``python`` runs ``program`` with ``argument``, after the modules that it ``needs``."""
    texts = [word for module in needs for word in (module.__name__, source(module))]
    return shlex.join([python, "-c", LOADER, *texts, "__main__", program, argument])


def source(module: types.ModuleType) -> str:
    """The text of a module."""
    return Path(str(module.__file__)).read_text(encoding="utf-8")
