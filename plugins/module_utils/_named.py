# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that need a name for a moment only: when that is not to be had, another one does."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

# How many names are tried.
TRIES = 5


def is_for_a_moment(name: str, wanted: str) -> bool:
    """Whether a container called ``name`` was made to be called ``wanted`` for a moment."""
    return bool(re.fullmatch(rf"{re.escape(wanted)}(-[0-9]+)?", name))


def create_for_a_moment(engine: Engine, owner: Owner, name: str, create: t.Callable[[str], str]) -> str:
    """Create a container called ``name``, or ``name-2`` and so on, by ``create(name)``; returns its id.

    An own one that never started is left of a run that was killed, and goes. What others called so stays. An Engine may also keep a
    name that no container has: after two requests for it at once, until the Engine is started again.
    """
    for number in range(1, TRIES + 1):
        tried = name if number == 1 else f"{name}-{number}"
        try:
            return create(tried)
        except docker.errors.APIError as exc:
            if exc.status_code != 409:
                raise
            failure = exc
        if remove_left(engine, owner, tried):
            with contextlib.suppress(docker.errors.APIError):
                return create(tried)
    raise failure


def remove_left(engine: Engine, owner: Owner, name: str) -> bool:
    """Remove the own container ``name`` if no process of it ever ran; whether it is gone."""
    found = engine.inspect(name)
    if found is None or not owner.owns_inspected(found) or found["State"]["Status"] != "created":
        return False
    with contextlib.suppress(docker.errors.NotFound):
        engine.api.remove_container(found["Id"], v=True, force=True)
    return True
