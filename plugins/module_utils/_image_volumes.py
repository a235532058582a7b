# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that an image asks for (``VOLUME /state``). The Engine gives each container a new, nameless one; here they get names that last.

Pure. A node that has a nameless one, made before this was so, keeps it: its replacements mount that same volume.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import typing as t
from dataclasses import replace

from ansible_collections.gravity.cluster.plugins.module_utils._definition import ContainerDefinition, Volume
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed, ObservedContainer
from ansible_collections.gravity.cluster.plugins.module_utils._plan import DEFINING, RECREATE, REMOVE, Plan, Request

# Paths that keep apart when each slash becomes a dash.
_SIMPLE = re.compile(r"(/[A-Za-z0-9_]+)+\Z")
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


def volume_name(container: str, path: str) -> str:
    """Name of the volume that ``container`` has at ``path`` because its image asks for one."""
    slug = _UNFIT.sub("-", path.strip("/")).strip("-")
    digest = "" if _SIMPLE.match(path) else f"-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    return f"{container}-image-{slug}{digest}"


def absolute(path: str) -> str:
    """A path of an image's ``VOLUME`` as the Engine mounts it."""
    return posixpath.normpath(f"/{path.lstrip('/')}")


def with_image_volumes(request: Request, observed: Observed) -> Request:
    """The request with a volume in each definition for every path that its image asks for and the definition says nothing of."""
    if request.state not in DEFINING:
        return request
    there = {one.name: one for one in observed.containers}
    return replace(request, containers=tuple(_completed(one, there.get(one.name), observed) for one in request.containers))


def _completed(wanted: ContainerDefinition, found: t.Optional[ObservedContainer], observed: Observed) -> ContainerDefinition:
    paths = observed.image_volumes.get(wanted.image)
    if paths is None:
        # The image is not there (any more). Its container remembers.
        paths = tuple((found.config.get("Volumes") or {}) if found is not None else ())
    said = {volume.target for volume in wanted.volumes} | {bind.target for bind in wanted.binds} | set(wanted.tmpfs)
    kept = found.nameless if found is not None else {}
    more = []
    for path in sorted({absolute(path) for path in paths} - said):
        name = kept.get(path)
        more.append(Volume(name or volume_name(wanted.name, path), path, nameless=name is not None))
    return replace(wanted, volumes=(*wanted.volumes, *more)) if more else wanted


def left_behind(plan: Plan, request: Request) -> t.List[str]:
    """What to say of nameless volumes that lose their container in this plan. They are never removed, unless all data are."""
    lines = []
    for step in plan.steps:
        if step.observed is None or not step.observed.is_node or step.action not in (RECREATE, REMOVE) or request.purge:
            continue
        carried = {volume.name for volume in step.definition.volumes} if step.definition and step.action == RECREATE else set()
        for path, name in sorted(step.observed.nameless.items()):
            if name not in carried:
                lines.append(
                    f"{step.node}: its data at {path} stay in volume {name}, which has no name of ours, so that no later container "
                    f"finds them: copy them into {volume_name(step.container, path)} before the next deploy "
                    "(docs/operations.md, Volumes of images)"
                )
    return lines
