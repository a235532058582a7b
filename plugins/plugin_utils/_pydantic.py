# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the spec model takes from pydantic, which may be missing on a controller.

Ansible's own tools import every file of a collection without what the collection needs. So a missing pydantic is told
when a spec is read (from PYDANTIC_IMPORT_ERROR), never by the import of the files that use it.
"""

from __future__ import annotations

import typing as t

NAMES = (
    "BaseModel",
    "BeforeValidator",
    "ConfigDict",
    "Field",
    "PydanticCustomError",
    "ValidationError",
    "WithJsonSchema",
    "field_validator",
)
PYDANTIC_IMPORT_ERROR: t.Optional[ImportError] = None

try:
    from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator
    from pydantic_core import PydanticCustomError
except ImportError as exc:
    PYDANTIC_IMPORT_ERROR = exc

    class _Absent:
        """Stands where a class or function of pydantic is named while files are imported; does nothing."""

        def __init__(self, *args: t.Any, **options: t.Any) -> None:
            pass

        def __init_subclass__(cls, **options: t.Any) -> None:
            super().__init_subclass__()

        def __call__(self, function: t.Any) -> t.Any:
            """As a decorator, give what was given."""
            return function

    globals().update(dict.fromkeys(NAMES, _Absent))

__all__ = [
    "PYDANTIC_IMPORT_ERROR",
    "BaseModel",
    "BeforeValidator",
    "ConfigDict",
    "Field",
    "PydanticCustomError",
    "ValidationError",
    "WithJsonSchema",
    "field_validator",
]
