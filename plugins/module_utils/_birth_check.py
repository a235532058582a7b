# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read back the genesis and the keys of volumes that are there, before their nodes start.

What nodes share is put back from another volume. A key is an identity: one that is not the node's own is refused.
"""

from __future__ import annotations

import contextlib
import posixpath
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._carrier import MOUNTS, carriers, owned
from ansible_collections.gravity.cluster.plugins.module_utils._drift import is_failing, is_touched, read_files
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import Node, Spec, Volume, digest_of
from ansible_collections.gravity.cluster.plugins.module_utils._held import is_key, key_marks, mark, twins

with contextlib.suppress(ImportError):  # Engine() reports it
    from docker.types import Mount

# Volumes that one container mounts to have them read: the Engine mounts all of them for every file.
TOGETHER = 16


@dataclass(frozen=True)
class Place:
    """Where a volume can be read: below ``root`` of a container. ``large``: its root may hold the node's data too."""

    container: str
    root: str
    running: bool = False
    large: bool = True


@dataclass(frozen=True)
class Found:
    """What is in a volume: marks of the secrets in its keys by path, and its shared files by path; None for one that is not there."""

    keys: t.Mapping[str, t.Optional[t.Tuple[str, ...]]] = field(default_factory=dict)
    shared: t.Mapping[str, t.Optional[bytes]] = field(default_factory=dict)

    @property
    def secrets(self) -> t.FrozenSet[str]:
        """The marks of all keys."""
        return frozenset(one for marks in self.keys.values() for one in marks or ())


def check_volumes(
    engine: Engine,
    spec: Spec,
    volumes: t.Sequence[Volume],
    check_mode: bool,
    elsewhere: t.Optional[t.Mapping[str, t.AbstractSet[str]]] = None,
) -> t.List[str]:
    """Put shared files back that were changed, and refuse keys that were; returns what was (or would be) put back.

    Of a node that runs, only what was changed since it was written is read. ``elsewhere`` are the marks of keys on other Docker hosts.
    """
    nodes = {node.name: node for node in spec.nodes}
    own = [volume for volume in volumes if volume.node in nodes]
    with reading(engine, spec, own, check_mode) as places:
        found = look_into(engine, spec, [volume for volume in own if volume.name in places], places)
        check_keys(own, found, elsewhere or {})
        wrong = {volume.name: wrong_files(spec, volume, found[volume.name]) for volume in own if volume.name in found}
        damaged = [volume for volume in own if wrong.get(volume.name)]
        # A check makes no container to look into those volumes that have none.
        blind = check_mode and len(places) < len(own)
        good = good_files(engine, spec, own, damaged, places, found) if damaged and not blind else {}
    if damaged and not check_mode:
        write_back(engine, spec, damaged, wrong, good, places)
    reasons = []
    for volume in damaged:
        listed = ", ".join(wrong[volume.name])
        reasons.append(f"{volume.node}: {listed} was not that of the genesis, and is put back")
    return reasons


def marks_without_labels(engine: Engine, spec: Spec, volumes: t.Sequence[Volume], check_mode: bool) -> t.Dict[str, t.FrozenSet[str]]:
    """The marks of the keys in volumes whose labels do not name them, by node. Without key material."""
    nodes = {node.name for node in spec.nodes}
    plain = [volume for volume in volumes if volume.node in nodes and not volume.held.keys]
    with reading(engine, spec, plain, check_mode) as places:
        there = [volume for volume in plain if volume.name in places]
        contents = each(there, lambda volume: read_volume(engine, spec, volume, places[volume.name]))
    return {volume.node: content.secrets for volume, content in zip(there, contents)}


@contextlib.contextmanager
def reading(engine: Engine, spec: Spec, volumes: t.Sequence[Volume], check_mode: bool) -> t.Iterator[t.Dict[str, Place]]:
    """Where each volume can be read: in its node's container, or in one that is made for it, though not in check mode."""
    places = places_of(engine, spec, volumes)
    alone = [] if check_mode else [volume for volume in volumes if volume.name not in places]
    groups = [alone[begin : begin + TOGETHER] for begin in range(0, len(alone), TOGETHER)]
    with carriers(engine, spec, [[_mount(volume, read_only=True) for volume in group] for group in groups]) as made:
        for group, container in zip(groups, made):
            places.update({volume.name: Place(container, f"{MOUNTS}/{volume.node}") for volume in group})
        yield places


def _mount(volume: Volume, read_only: bool = False) -> t.Any:
    return Mount(f"{MOUNTS}/{volume.node}", volume.name, type="volume", read_only=read_only, no_copy=True)


def places_of(engine: Engine, spec: Spec, volumes: t.Collection[Volume]) -> t.Dict[str, Place]:
    """The volumes that are mounted by containers of nodes."""
    if not volumes:
        return {}
    with engine.translating(f"listing the containers of {spec.cluster}"):
        containers = engine.api.containers(all=True, filters=labels.select(spec.cluster, "node"))
    names = {volume.name for volume in volumes}
    places: t.Dict[str, Place] = {}
    for one in containers:
        for mount in one.get("Mounts") or []:
            if mount.get("Type") == "volume" and mount.get("Name") in names:
                runs = one.get("State") == "running"
                if runs or mount["Name"] not in places:
                    places[mount["Name"]] = Place(one["Id"], mount["Destination"], runs, bool(mount.get("RW")))
    return places


def look_into(engine: Engine, spec: Spec, volumes: t.Sequence[Volume], places: t.Mapping[str, Place]) -> t.Dict[str, Found]:
    """What is in those volumes that have to be read, by name."""

    def chosen(volume: Volume) -> bool:
        place = places[volume.name]
        return not place.running or is_touched(engine, place.container, posixpath.join(place.root, spec.document.locked))

    read = [volume for volume, yes in zip(volumes, each(volumes, chosen)) if yes]
    if any(not volume.held.keys for volume in read):
        # Only a look into all tells whether a key of it is another's as well.
        read = [volume for volume in volumes if volume in read or not volume.held.keys]
    contents = each(read, lambda volume: read_volume(engine, spec, volume, places[volume.name]))
    return {volume.name: content for volume, content in zip(read, contents)}


def read_volume(engine: Engine, spec: Spec, volume: Volume, place: Place) -> Found:
    """The keys and the shared files of a volume."""
    node = next(one for one in spec.nodes if one.name == volume.node)
    keys = volume.held.keys or keys_of(node)
    shared = {spec.document.locked, *volume.held.shared}
    paths = {path: posixpath.join(place.root, path) for path in (*keys, *shared)}
    real = read_files(engine, place.container, sorted(paths.values()), {place.root} if place.large else ())
    files = {path: real[absolute] for path, absolute in paths.items()}
    return Found(
        {path: None if (file := files[path]) is None else key_marks(file.content, volume.digest) for path in keys},
        {path: None if (file := files[path]) is None else file.content for path in sorted(shared)},
    )


def keys_of(node: Node) -> t.List[str]:
    """The paths of a node's keys, of those of which the spec knows the names."""
    return [file.path for file in node.files if is_key(file.mode) and not file.source.endswith("/")]


def check_keys(volumes: t.Sequence[Volume], found: t.Mapping[str, Found], elsewhere: t.Mapping[str, t.AbstractSet[str]]) -> None:
    """Raise :class:`Refused` when a key is not the one that its node was made with, or when two nodes have one."""
    known = {volume.node: volume.held.secrets for volume in volumes if volume.held.keys}
    real = {volume.node: found[volume.name].secrets for volume in volumes if volume.name in found}
    pairs = twins({**elsewhere, **known, **real})
    for one, other in pairs:
        raise Refused(
            f"{one} and {other}: have one key in their volumes, and two nodes that sign with one key halt or fork a chain: "
            "keep one of them stopped, restore the keys of the one that lost its own from a backup, and run again"
            f"{_hint(volumes, one, other)}"
        )
    for volume in volumes:
        content = found.get(volume.name, Found())
        for path, marks in content.keys.items():
            if not volume.held.keys:
                continue
            if marks is None:
                raise Refused(
                    f"{volume.node}: its key {path} is gone from volume {volume.name}: restore the file from a backup, and run again"
                )
            if marks != volume.held.keys[path]:
                raise Refused(
                    f"{volume.node}: the key {path} in volume {volume.name} is not the one that the node was made with: "
                    "restore the file from a backup, and run again"
                )


def _hint(volumes: t.Sequence[Volume], *nodes: str) -> str:
    names = [f"{volume.node}: volume {volume.name}" for volume in volumes if volume.node in nodes]
    return f" ({', '.join(names)})" if names else ""


def wrong_files(spec: Spec, volume: Volume, content: Found) -> t.List[str]:
    """The paths of the shared files that are not what the labels of their volume name."""
    return [path for path, text in content.shared.items() if text is None or not _is_right(spec, volume, path, text)]


def _is_right(spec: Spec, volume: Volume, path: str, text: bytes) -> bool:
    if path == spec.document.locked:
        return digest_of(text) == volume.digest
    return (mark(text, volume.digest),) == volume.held.shared[path]


def good_files(
    engine: Engine,
    spec: Spec,
    volumes: t.Sequence[Volume],
    damaged: t.Collection[Volume],
    places: t.Mapping[str, Place],
    found: t.Mapping[str, Found],
) -> t.Dict[str, bytes]:
    """The shared files as they are in a volume where they are right."""
    for volume in volumes:
        if volume in damaged or volume.name not in places:
            continue
        content = found.get(volume.name) or read_volume(engine, spec, volume, places[volume.name])
        if not wrong_files(spec, volume, content):
            return {path: text for path, text in content.shared.items() if text is not None}
    names = ", ".join(volume.name for volume in damaged)
    raise Refused(
        f"volume {names}: its {spec.document.locked} is not the genesis that its label names, "
        "and no other volume on this Docker host has that: restore the file from a backup, or purge the cluster to start a new chain "
        f"(teardown with -e teardown_purge=true -e confirm={spec.cluster})"
    )


def write_back(
    engine: Engine,
    spec: Spec,
    damaged: t.Sequence[Volume],
    wrong: t.Mapping[str, t.Sequence[str]],
    good: t.Mapping[str, bytes],
    places: t.Mapping[str, Place],
) -> None:
    """Write shared files into the volumes where they are wrong. A node in a restart loop is stopped, so that it is started anew."""
    for volume in damaged:
        place = places.get(volume.name)
        inspect = engine.inspect(place.container) if place else None
        if place and inspect and is_failing(inspect):
            with engine.translating(f"stopping the container of {volume.node}"):
                engine.api.stop(place.container)
    files: t.List[File] = []
    for volume in damaged:
        known = [File(path, good[path], spec.document.shared.get(path, 0o444)) for path in wrong[volume.name] if path in good]
        files += owned(f"{MOUNTS}/{volume.node}", known, spec)
    with carriers(engine, spec, [[_mount(volume) for volume in damaged]]) as (container,):
        engine.put(container, "/", files)
