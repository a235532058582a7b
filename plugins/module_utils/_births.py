# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Births that are not finished: the containers that record them, whether somebody still works on one, and how one is undone.

A birth container lists, in a label, the volumes that it makes. While it exists they are not valid.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner, name_of
from ansible_collections.gravity.cluster.plugins.module_utils._process import lives

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

# JSON list of the volumes that a birth container makes.
VOLUMES = labels.PREFIX + "birth-volumes"
# JSON: the process that works in a birth container, see _process.identity().
HOLDER = labels.HOLDER
# What a birth container's name has at its end, before a part of the digest, when its volumes are filled.
FILLED = "-filled-"


@dataclass(frozen=True)
class Leftover:
    """A birth container that is there. ``volumes`` are what it makes; ``holder`` is the process that works in it."""

    id: str
    name: str
    running: bool
    volumes: t.Tuple[str, ...]
    holder: t.Mapping[str, t.Any]

    @property
    def digest(self) -> str:
        """How the digest starts of the genesis that its volumes hold; empty before they are filled."""
        return self.name.rpartition(FILLED)[2] if FILLED in self.name else ""


def filled_name(birth_name: str, digest: str) -> str:
    """Name of a birth container whose volumes are filled, and only wait for those of other Docker hosts."""
    return f"{birth_name}{FILLED}{digest[:16]}"


def find_births(engine: Engine, cluster: str, label: str = VOLUMES) -> t.List[Leftover]:
    """The birth containers of a cluster, finished by nobody yet; with another ``label``, other one-off containers that have a holder."""
    births = []
    # A copy of one has the label too, and says nothing of the volumes.
    for item in Owner(engine, cluster).list("oneoff"):
        marks = item["Labels"]
        if label not in marks:
            continue
        births.append(
            Leftover(
                id=item["Id"],
                name=name_of(item),
                running=item["State"] == "running",
                volumes=tuple(_parsed(marks.get(VOLUMES), [])),
                holder=_parsed(marks.get(HOLDER), {}),
            )
        )
    return births


def _parsed(text: t.Optional[str], default: t.Any) -> t.Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return default


def is_held(birth: Leftover) -> bool:
    """Whether somebody may still work in a birth container. One that ended its lease, or never began, is nobody's."""
    known = lives(birth.holder)
    # A maker on another machine cannot be seen: its container's lease counts.
    return birth.running if known is None else known


def discard(engine: Engine, birth: Leftover) -> None:
    """Remove a birth that was not finished: the volumes, then the container that lists them."""
    for name in (writer_name(birth.name), maker_name(birth.name)):
        with engine.translating(f"looking at {name}"):
            helper = engine.inspect(name)
        if helper is not None and (helper["Config"].get("Labels") or {}).get(labels.KIND) == "oneoff":
            remove_container(engine, helper["Id"])
    for name in birth.volumes:
        with engine.translating(f"removing volume {name} of an unfinished birth"), contextlib.suppress(docker.errors.NotFound):
            engine.api.remove_volume(name)
    remove_container(engine, birth.id)


def discard_unfinished(engine: Engine, cluster: str, purge: bool) -> t.List[str]:
    """Remove every unfinished birth of a cluster that nobody works on; returns the volumes that they listed.

    One whose volumes are filled stays unless ``purge``: only a look at the other Docker hosts shows whether its genesis is valid.
    """
    gone: t.List[str] = []
    for birth in find_births(engine, cluster):
        if is_held(birth) and not birth.digest:
            raise Refused(f"{birth.name}: another run is making the genesis of {cluster}: wait until it ends")
        if birth.digest and not purge:
            continue
        discard(engine, birth)
        gone += birth.volumes
    return gone


def remove_container(engine: Engine, container: str) -> None:
    """Remove a one-off container, running or not; one that is gone is fine."""
    with engine.translating(f"removing container {container}"), contextlib.suppress(docker.errors.NotFound):
        engine.api.remove_container(container, force=True, v=True)


def writer_name(birth_name: str) -> str:
    """Name of the container that mounts the new volumes."""
    return f"{birth_name}-writer"


def maker_name(birth_name: str) -> str:
    """Name of the container of another image that makes a file of the genesis."""
    return f"{birth_name}-maker"
