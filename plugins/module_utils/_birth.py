# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a genesis on a Docker host so that a kill at any moment leaves nothing that a re-run trips over.

The record is the birth container: it is created first and names, in a label, the volumes that will be made. While it
exists they are not valid; its removal, the last step, makes them so. A run that finds one whose maker is gone removes
what it lists, then starts over.
"""

from __future__ import annotations

import contextlib
import json
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._birth_check import check_volumes
from ansible_collections.gravity.cluster.plugins.module_utils._birth_tool import PATIENCE, Maker
from ansible_collections.gravity.cluster.plugins.module_utils._births import (
    HOLDER,
    VOLUMES,
    Leftover,
    discard,
    find_births,
    is_held,
    remove_container,
    writer_name,
)
from ansible_collections.gravity.cluster.plugins.module_utils._carrier import MOUNTS, carrier, owned
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File, each
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed, EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import (
    UNBORN,
    WORK,
    Node,
    Plan,
    Shared,
    Spec,
    Volume,
    check_distinct,
    check_twins,
    digest_of,
    part_of,
    plan,
    spec_from,
    volume_from,
    volume_labels,
)
from ansible_collections.gravity.cluster.plugins.module_utils._held import held_by
from ansible_collections.gravity.cluster.plugins.module_utils._process import identity
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors
    from docker.types import LogConfig, Mount

# Where the volume is mounted that a genesis is copied from.
SOURCE = "/source"

MEMORY = 2 * 1024**3
PIDS = 1024


@dataclass(frozen=True)
class Made:
    """What a birth gave, all of it in memory. ``identities`` are those of all known nodes; ``files`` go into the new volumes, by node."""

    digest: str
    identities: t.Mapping[str, str]
    files: t.Mapping[str, t.Sequence[File]]


def ensure(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``genesis``; see its documentation for the result."""
    spec = spec_from(params)
    while True:
        births = find_births(engine, spec.cluster)
        for birth in births:
            if birth.digest:
                raise Refused(
                    f"{birth.name}: holds a part of a genesis of several Docker hosts: deploy with the spec that names them all, "
                    f"or purge the cluster (teardown with -e teardown_purge=true -e confirm={spec.cluster})"
                )
        pending = {name for birth in births for name in birth.volumes}
        volumes = [volume for volume in list_volumes(engine, spec) if volume.name not in pending]
        decided = plan(spec, volumes)
        if not check_mode and wait_for_holders(births, spec, progress):
            continue
        repaired = check_volumes(engine, spec, volumes, check_mode)
        if check_mode or not (decided.newborn or births):
            return result_of(spec, decided, None, bool(births), repaired)
        for birth in births:
            discard(engine, birth)
        made = give_birth(engine, spec, decided, progress) if decided.newborn else None
        if decided.newborn and made is None:
            continue  # another run was faster
        return result_of(spec, decided, made, bool(births), repaired)


def result_of(spec: Spec, decided: Plan, made: t.Optional[Made], cleaned: bool, repaired: t.Sequence[str] = ()) -> t.Dict[str, t.Any]:
    """The module's result; without ``made`` the nodes to be born get placeholders. ``repaired`` are reasons."""
    unborn = {node.name: f"{UNBORN}-{node.name}" for node in decided.newborn}
    identities = made.identities if made else {**unborn, **decided.identities}
    digest = decided.digest or (made.digest if made else UNBORN)
    reasons = [f"{node.name}: {'joins the genesis' if decided.digest else 'born'}" for node in decided.newborn]
    reasons[:0] = repaired
    if cleaned:
        reasons.insert(0, "removed what an unfinished birth had left")
    born = {node.volume: decided.digest for node in spec.nodes if node not in decided.newborn}
    lock = {"genesis": digest, "chain_id": spec.chain_id, "validators": dict(decided.powers)}
    return {
        "changed": bool(reasons),
        "digest": digest,
        "chain_id": spec.chain_id,
        "validators": dict(decided.powers),
        "identities": {node.name: identities[node.name] for node in spec.nodes if node.name in identities},
        "volumes": {node.name: node.volume for node in spec.nodes},
        "reasons": reasons,
        "warnings": list(decided.warnings),
        "diff": {
            "before": {**lock, "volumes": born} if decided.digest else {},
            "after": {**lock, "volumes": {node.volume: digest for node in spec.nodes}},
        },
    }


# ---------------------------------------------------------------------------------------------------------------------------------
# What is there


def list_volumes(engine: Engine, spec: Spec) -> t.List[Volume]:
    """The volumes of this cluster that carry a genesis, by name."""
    with engine.translating("listing volumes"):
        found = engine.api.volumes(filters=labels.select(spec.cluster, "volume")).get("Volumes") or []
    volumes = [volume_from(item, spec.flavor) for item in found]
    return sorted((volume for volume in volumes if volume), key=lambda volume: volume.name)


def wait_for_holders(births: t.Sequence[Leftover], spec: Spec, progress: Progress) -> bool:
    """Wait a moment when another run is making the genesis; True when there was one, so that the caller looks again."""
    held = [birth for birth in births if is_held(birth)]
    if not held:
        return False
    progress.say(f"another run is making the genesis of {spec.cluster} in {held[0].name}: waiting until it ends")
    time.sleep(PATIENCE)
    return True


# ---------------------------------------------------------------------------------------------------------------------------------
# Birth


def give_birth(engine: Engine, spec: Spec, decided: Plan, progress: Progress) -> t.Optional[Made]:
    """Make the nodes of ``decided`` and their volumes, or nothing at all; None when another run has begun meanwhile."""
    check_names(engine, decided.newborn)
    name = f"{spec.cluster}-birth"
    birth = open_birth(engine, spec, name, decided.newborn)
    if birth is None:
        return None
    try:
        made = make_all(Maker(engine, spec, birth, progress), decided)
        progress.say(f"writing {len(decided.newborn)} volumes")
        write_volumes(engine, spec, decided, made, writer_name(name))
        remove_container(engine, birth)
    except BaseException:
        give_up(engine, birth, writer_name(name), decided.newborn)
        raise
    return made


def make_all(maker: Maker, decided: Plan) -> Made:
    """Everything for the newborn nodes of a plan, on one Docker host."""
    maker.start()
    identities = {**decided.identities, **maker.nodes(decided.newborn)}
    check_distinct(identities)
    work, spec = maker.look(), maker.spec
    if decided.source:
        shared = read_shared(maker.engine, spec, decided.source)
    else:
        shared = maker.share({node.name: part_of(spec, node, work.read) for node in decided.newborn if maker.contributes(node)})
    return Made(digest_of(shared[spec.document.locked]), identities, work.files(spec, decided.newborn, shared))


def give_up(engine: Engine, birth: str, writer: str, newborn: t.Sequence[Node]) -> None:
    # Ours only while the record is: otherwise somebody else has taken over, and the volumes are theirs.
    with contextlib.suppress(EngineError, docker.errors.DockerException):
        engine.api.inspect_container(birth)
        discard(engine, Leftover(birth, writer[: -len("-writer")], False, tuple(node.volume for node in newborn), {}))


def check_names(engine: Engine, newborn: t.Sequence[Node]) -> None:
    """Refuse when a volume that would be made exists: its data are somebody's."""
    with engine.translating("listing volumes"):
        there = {item["Name"] for item in engine.api.volumes().get("Volumes") or []}
    for node in newborn:
        if node.volume in there:
            raise Refused(
                f"volume {node.volume}: exists and carries no genesis of this cluster: look whose it is (docker volume inspect "
                f"{node.volume}), and give {node.name} another container_name"
            )


def open_birth(engine: Engine, spec: Spec, name: str, newborn: t.Sequence[Node]) -> t.Optional[str]:
    """Create the birth container, not started; returns its id, None when another run has just done so."""
    marks = labels.own(spec.cluster, "oneoff")
    marks[VOLUMES] = json.dumps([node.volume for node in newborn], separators=(",", ":"))
    marks[HOLDER] = json.dumps(identity(), separators=(",", ":"))
    hold = [part.replace("{lease}", str(spec.lease)) for part in spec.hold]
    try:
        with engine.translating(f"creating {name}"):
            created = engine.api.create_container(
                spec.image,
                command=hold[1:],
                entrypoint=hold[:1],
                name=name,
                user=f"{spec.uid}:{spec.gid}",
                environment={"HOME": WORK},
                labels=marks,
                healthcheck={"test": ["NONE"]},
                host_config=engine.api.create_host_config(
                    network_mode="none",
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    mem_limit=MEMORY,
                    pids_limit=PIDS,
                    log_config=LogConfig(type="none"),
                ),
            )
    except EngineError as exc:
        cause = exc.__cause__
        if isinstance(cause, docker.errors.ImageNotFound):
            raise Refused(
                f"image {spec.image}: is not on this Docker host, and the genesis is made with it: bring it with the module image"
            ) from exc
        if isinstance(cause, docker.errors.APIError) and cause.status_code == 409:
            # The Engine keeps a name from the moment that somebody asks for it, before there is a container to see.
            found = engine.inspect(name)
            if found is None or VOLUMES in (found["Config"].get("Labels") or {}):
                time.sleep(PATIENCE)
                return None
            raise Refused(
                f"container {name}: exists and is not ours, and its name is needed: rename it (docker rename {name} NAME)"
            ) from exc
        raise
    return str(created["Id"])


def read_shared(engine: Engine, spec: Spec, source: Volume) -> Shared:
    """The files that all nodes share, out of a volume that has them, through a container that is never started."""
    name = f"{spec.cluster}-birth-writer"
    container = carrier(engine, spec, name, [Mount(SOURCE, source.name, type="volume", read_only=True, no_copy=True)])
    try:
        found = {path: engine.get(container, f"{SOURCE}/{path}") for path in spec.document.shared}
    finally:
        remove_container(engine, container)
    shared = {path: files[0].content if files else None for path, files in found.items()}
    locked = spec.document.locked
    if digest_of(shared[locked] or b"") != source.digest:
        raise Refused(
            f"volume {source.name}: its {locked} is not the genesis that its label names: restore the file, "
            "or purge the cluster to start a new chain"
        )
    for path, content in shared.items():
        if content is None:
            raise Refused(f"volume {source.name}: its {path} is gone, and new nodes need it: restore the file")
    return {path: content or b"" for path, content in shared.items()}


# ---------------------------------------------------------------------------------------------------------------------------------
# Volumes


def write_volumes(engine: Engine, spec: Spec, decided: Plan, made: Made, writer: str) -> None:
    """Make the volumes of the newborn nodes and fill them with one call."""
    held = {name: held_by(files, made.digest) for name, files in made.files.items()}
    check_twins({**decided.secrets, **{name: one.secrets for name, one in held.items()}})

    def create(node: Node) -> None:
        marks = volume_labels(spec, node, made.digest, made.identities, decided.powers, held[node.name])
        with engine.translating(f"creating volume {node.volume}"):
            created = engine.api.create_volume(node.volume, labels=marks)
        if (created.get("Labels") or {}) != marks:
            raise BirthFailed(f"volume {node.volume}: appeared while the genesis was made: run again")

    each(decided.newborn, create)
    mounts = [Mount(f"{MOUNTS}/{node.name}", node.volume, type="volume", no_copy=True) for node in decided.newborn]
    container = carrier(engine, spec, writer, mounts)
    files: t.List[File] = []
    for node in decided.newborn:
        files += owned(f"{MOUNTS}/{node.name}", made.files[node.name], spec)
    engine.put(container, "/", files)
    remove_container(engine, container)
