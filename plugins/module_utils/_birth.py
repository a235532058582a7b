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
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._births import (
    HOLDER,
    VOLUMES,
    Leftover,
    discard,
    find_births,
    is_held,
    maker_name,
    me,
    remove_container,
    writer_name,
)
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File, each, explain
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed, EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import (
    DOCUMENT,
    UNBORN,
    WORK,
    Node,
    Plan,
    Product,
    Spec,
    Volume,
    assemble_document,
    check_distinct,
    digest_of,
    part_of,
    plan,
    spec_from,
    volume_from,
    volume_labels,
)
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors
    from docker.types import LogConfig, Mount

# Where the writer mounts the volumes, one folder each, and the volume that a genesis is copied from.
MOUNTS = "/volumes"
SOURCE = "/source"

MEMORY = 2 * 1024**3
PIDS = 1024

# Seconds until we look again at what another run does.
PATIENCE = 0.2
# Seconds within which the Engine notices that a container has ended whose processes were killed.
SETTLING = 2.0
# How often a node is asked for its identity before the answer counts as empty.
IDENTITY_ATTEMPTS = 3

# The files that all nodes share, by their path in the volumes.
Shared = t.Mapping[str, bytes]


@dataclass(frozen=True)
class Made:
    """What a birth gave, all of it in memory. ``identities`` are those of all known nodes; ``files`` go into the new volumes, by node."""

    digest: str
    identities: t.Mapping[str, str]
    files: t.Mapping[str, t.Sequence[File]]


@dataclass(frozen=True)
class Work:
    """The files of a birth container, by absolute path."""

    tree: t.Mapping[str, File]

    def read(self, path: str) -> bytes:
        """A file that the tool must have made."""
        if path not in self.tree:
            raise BirthFailed(f"{path}: the tool did not make this file: the image holds another version of it than the flavor expects")
        return self.tree[path].content

    def files(self, spec: Spec, newborn: t.Sequence[Node], shared: Shared) -> t.Dict[str, t.Sequence[File]]:
        """What goes into the volume of each newborn node."""
        common = [File(path, shared[path], mode) for path, mode in spec.document.shared.items()]
        return {node.name: [*self._taken(node), *common] for node in newborn}

    def _taken(self, node: Node) -> t.Iterator[File]:
        for take in node.files:
            if take.content is not None:
                yield File(take.path, take.content, take.mode)
                continue
            if not take.source.endswith("/"):
                yield File(take.path, self.read(take.source), take.mode)
                continue
            found = [path for path in self.tree if path.startswith(take.source)]
            if not found:
                self.read(take.source)
            for path in found:
                yield File(f"{take.path.rstrip('/')}/{path[len(take.source) :]}", self.tree[path].content, take.mode)


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
        if check_mode or not (decided.newborn or births):
            return result_of(spec, decided, None, bool(births))
        if wait_for_holders(births, spec, progress):
            continue
        for birth in births:
            discard(engine, birth)
        made = give_birth(engine, spec, decided, progress) if decided.newborn else None
        if decided.newborn and made is None:
            continue  # another run was faster
        return result_of(spec, decided, made, bool(births))


def result_of(spec: Spec, decided: Plan, made: t.Optional[Made], cleaned: bool) -> t.Dict[str, t.Any]:
    """The module's result; without ``made`` the nodes to be born get placeholders."""
    unborn = {node.name: f"{UNBORN}-{node.name}" for node in decided.newborn}
    identities = made.identities if made else {**unborn, **decided.identities}
    digest = decided.digest or (made.digest if made else UNBORN)
    reasons = [f"{node.name}: {'joins the genesis' if decided.digest else 'born'}" for node in decided.newborn]
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
        make = Maker(engine, spec, birth, progress)
        made = make.all(decided)
        progress.say(f"writing {len(decided.newborn)} volumes")
        write_volumes(engine, spec, decided, made, writer_name(name))
        remove_container(engine, birth)
    except BaseException:
        give_up(engine, birth, writer_name(name), decided.newborn)
        raise
    return made


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
                f"volume {node.volume}: exists and carries no genesis of this cluster: remove it when its data can go "
                f"(docker volume rm {node.volume}), or give {node.name} another container_name"
            )


def open_birth(engine: Engine, spec: Spec, name: str, newborn: t.Sequence[Node]) -> t.Optional[str]:
    """Create the birth container, not started; returns its id, None when another run has just done so."""
    marks = labels.own(spec.cluster, "oneoff")
    marks[VOLUMES] = json.dumps([node.volume for node in newborn], separators=(",", ":"))
    marks[HOLDER] = json.dumps(me(), separators=(",", ":"))
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
                f"container {name}: exists and is not ours, and its name is needed: rename or remove it (docker rm {name})"
            ) from exc
        raise
    return str(created["Id"])


class Maker:
    """Runs the chain's tool in a birth container and keeps what it made in memory."""

    def __init__(self, engine: Engine, spec: Spec, container: str, progress: Progress) -> None:
        self.engine, self.spec, self.container, self.progress = engine, spec, container, progress
        self.done = 0

    def all(self, decided: Plan) -> Made:
        """Everything for the newborn nodes of a plan."""
        self.start()
        identities = {**decided.identities, **self.nodes(decided.newborn)}
        check_distinct(identities)
        work = self.look()
        if decided.source:
            shared = read_shared(self.engine, self.spec, decided.source)
        else:
            shared = self.share({node.name: part_of(self.spec, node, work.read) for node in decided.newborn if self.contributes(node)})
        return Made(digest_of(shared[self.spec.document.locked]), identities, work.files(self.spec, decided.newborn, shared))

    def contributes(self, node: Node) -> bool:
        """Whether the node gives a part to the genesis document."""
        return self.spec.document.assembled and node.votes

    def look(self) -> Work:
        """Everything that the tool has made so far."""
        return Work({"/" + file.path: file for file in self.engine.get(self.container, WORK)})

    def concurrency(self) -> int:
        """How many nodes are made side by side: as many as the Engine has processors, unless the user says otherwise."""
        if self.spec.concurrency:
            return self.spec.concurrency
        with self.engine.translating("asking the Engine for its processors"):
            return max(2, int(self.engine.api.info().get("NCPU") or 2))

    def start(self) -> None:
        """Start the container, with a folder that the tool may write to. Where nothing is to run in it, any image will do."""
        spec = self.spec
        self.engine.put(self.container, "/", [File(WORK + "/", b"", 0o700, spec.uid, spec.gid)])
        own = [product for product in spec.document.products if not product.image]
        if not (own or spec.document.validate or any(node.commands or node.identity for node in spec.nodes)):
            return
        try:
            self.engine.api.start(self.container)
        except docker.errors.APIError as exc:
            raise BirthFailed(
                f"image {spec.image}: cannot run {spec.hold[0]} ({explain(exc)}): "
                "it must hold this program, or another that waits (option hold)"
            ) from exc

    def nodes(self, newborn: t.Sequence[Node]) -> t.Dict[str, str]:
        """Make the nodes, several side by side; returns their identities. The first failure (or interrupt) ends the others' commands."""
        pool = ThreadPoolExecutor(max_workers=self.concurrency())
        try:
            futures = [pool.submit(self.node, node) for node in newborn]
            for future in as_completed(futures):
                future.result()
            return {node.name: future.result() for node, future in zip(newborn, futures)}
        except BaseException:
            for future in futures:
                future.cancel()
            with contextlib.suppress(docker.errors.APIError):
                self.engine.api.kill(self.container)
            raise
        finally:
            pool.shutdown()

    def node(self, node: Node) -> str:
        """Run a node's commands in order; returns its identity."""
        for command in node.commands:
            self.run(node.name, command.argv, command.quiet)
        identity = node.known_as
        for _attempt in range(IDENTITY_ATTEMPTS if node.identity else 0):
            # A very busy Engine now and then loses what a short command printed. To ask who one is changes nothing.
            identity = self.run(node.name, node.identity).decode("utf-8", "replace").strip()
            if identity:
                break
        if node.identity and (not identity or len(identity.split()) != 1):
            raise BirthFailed(f"{node.name}: {' '.join(node.identity[:3])} gave no identity: the image holds another version of the tool")
        self.done += 1
        self.progress.say(f"genesis of {self.spec.cluster}: {self.done} nodes made")
        return identity

    def share(self, parts: t.Mapping[str, t.Any]) -> Shared:
        """The files that all nodes of a new genesis share; ``parts`` are those of its voting nodes."""
        recipe = self.spec.document
        shared = {one.path: one.content for one in recipe.given}
        if recipe.assembled:
            document = assemble_document(self.spec, parts)
            path = PurePosixPath(DOCUMENT)
            self.engine.put(self.container, str(path.parent), [File(path.name, document, 0o444, self.spec.uid, self.spec.gid)])
            if recipe.validate:
                self.run("genesis", filled_in(recipe.validate))
            if recipe.path:
                shared[recipe.path] = document
        for product in recipe.products:
            self.progress.say(f"genesis of {self.spec.cluster}: making {product.path}")
            if product.image:
                shared[product.path] = make_elsewhere(self.engine, self.spec, product, document if recipe.assembled else b"")
            else:
                self.run("genesis", filled_in(product.argv, product.source))
                shared[product.path] = made_file(self.engine, self.container, product)
        return shared

    def run(self, who: str, argv: t.Sequence[str], quiet: bool = False) -> bytes:
        """Standard output of a command in the birth container."""
        shown = " ".join(argv[:3])
        try:
            with self.engine.translating(f"{who}: {shown}"):
                code, out, err = self.engine.run_in(
                    self.container, argv, user=f"{self.spec.uid}:{self.spec.gid}", workdir=WORK, environment={"HOME": WORK}
                )
        except EngineError:
            self.check_lease(who, shown)
            raise
        if code == 0:
            return out
        self.check_lease(who, shown, killed=code == 137)
        lines = [line.strip() for line in (err + b"\n" + out).decode("utf-8", "replace").splitlines() if line.strip()]
        reason = "its output may hold secrets and is not shown" if quiet else lines[0][:300] if lines else "it said nothing"
        raise BirthFailed(
            f"{who}: {shown} failed with code {code} ({reason}): no genesis was made; check image {self.spec.image} and the options"
        )

    def check_lease(self, who: str, shown: str, killed: bool = True) -> None:
        """Raise when a command failed because the container that it ran in has ended."""
        deadline = time.monotonic() + SETTLING
        while (found := self.engine.inspect(self.container)) and found["State"]["Running"]:
            if not killed or time.monotonic() > deadline:
                return
            time.sleep(0.05)
        raise BirthFailed(
            f"{who}: {shown} did not end before the lease of {self.spec.lease} s is over: no genesis was made; raise the option lease"
        )


def filled_in(argv: t.Sequence[str], output: str = "") -> t.List[str]:
    """A command with the path of the genesis document in the place of ``{document}``, and ``output`` in that of ``{output}``."""
    return [part.replace("{document}", DOCUMENT).replace("{output}", output) for part in argv]


def made_file(engine: Engine, container: str, product: Product) -> bytes:
    """The file that a command was to make."""
    found = engine.get(container, product.source)
    if not found:
        raise BirthFailed(f"{product.source}: {' '.join(product.argv[:3])} did not make this file: no genesis was made; check the command")
    return found[0].content


def make_elsewhere(engine: Engine, spec: Spec, product: Product, document: bytes) -> bytes:
    """What a container of another image makes of the genesis document. It has no network, and ends with the lease."""
    name = maker_name(f"{spec.cluster}-birth")
    shown = f"image {product.image}"
    if engine.image_id(product.image) is None:
        raise Refused(f"{shown}: is not on this Docker host, and it is to make {product.path}: bring it with the module image")
    if (left := engine.inspect(name)) is not None:
        remove_container(engine, left["Id"])
    with engine.translating(f"creating {name}"):
        created = engine.api.create_container(
            product.image,
            command=filled_in(product.argv, product.source) or None,
            name=name,
            labels=labels.own(spec.cluster, "oneoff"),
            healthcheck={"test": ["NONE"]},
            host_config=engine.api.create_host_config(network_mode="none", security_opt=["no-new-privileges"]),
        )
    container = str(created["Id"])
    try:
        path = PurePosixPath(DOCUMENT)
        # Whoever the image runs as may read the document and write beside it.
        engine.put(container, "/", [File(WORK + "/", b"", 0o777), File(str(path)[1:], document, 0o444)])
        with engine.translating(f"{shown}: starting"):
            engine.api.start(container)
        deadline = time.monotonic() + spec.lease
        while (state := (engine.inspect(container) or {}).get("State") or {}).get("Running"):
            if time.monotonic() > deadline:
                raise BirthFailed(f"{shown}: did not end before the lease of {spec.lease} s is over: no genesis was made; raise lease")
            time.sleep(PATIENCE)
        if state.get("ExitCode") != 0:
            said = engine.api.logs(container, tail=20).decode("utf-8", "replace").strip().splitlines()
            raise BirthFailed(
                f"{shown}: ended with code {state.get('ExitCode')} ({said[-1][:300] if said else 'it said nothing'}): no genesis was made; "
                "check the image and its command"
            )
        return made_file(engine, container, product)
    finally:
        remove_container(engine, container)


def read_shared(engine: Engine, spec: Spec, source: Volume) -> Shared:
    """The files that all nodes share, out of a volume that has them, through a container that is never started."""
    name = f"{spec.cluster}-birth-writer"
    container = _carrier(engine, spec, name, [Mount(SOURCE, source.name, type="volume", read_only=True, no_copy=True)])
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


def _carrier(engine: Engine, spec: Spec, name: str, mounts: t.Sequence[t.Any]) -> str:
    with engine.translating(f"creating {name}"):
        created = engine.api.create_container(
            spec.image,
            entrypoint=list(spec.hold[:1]),
            name=name,
            labels=labels.own(spec.cluster, "oneoff"),
            host_config=engine.api.create_host_config(network_mode="none", cap_drop=["ALL"], mounts=list(mounts)),
        )
    return str(created["Id"])


# ---------------------------------------------------------------------------------------------------------------------------------
# Volumes


def write_volumes(engine: Engine, spec: Spec, decided: Plan, made: Made, writer: str) -> None:
    """Make the volumes of the newborn nodes and fill them with one call."""

    def create(node: Node) -> None:
        marks = volume_labels(spec, node, made.digest, made.identities, decided.powers)
        with engine.translating(f"creating volume {node.volume}"):
            created = engine.api.create_volume(node.volume, labels=marks)
        if (created.get("Labels") or {}) != marks:
            raise BirthFailed(f"volume {node.volume}: appeared while the genesis was made: run again")

    each(decided.newborn, create)
    mounts = [Mount(f"{MOUNTS}/{node.name}", node.volume, type="volume", no_copy=True) for node in decided.newborn]
    carrier = _carrier(engine, spec, writer, mounts)
    files: t.List[File] = []
    for node in decided.newborn:
        files += owned(f"{MOUNTS}/{node.name}", made.files[node.name], spec)
    engine.put(carrier, "/", files)
    remove_container(engine, carrier)


def owned(root: str, files: t.Sequence[File], spec: Spec) -> t.List[File]:
    """``files`` below ``root`` as the node's own, with their folders (which only the node may enter) before them."""
    folders = {f"{root}/"}
    for file in files:
        folders.update(f"{root}/{parent}/" for parent in PurePosixPath(file.path).parents if str(parent) != ".")
    entries = [File(folder, b"", 0o700, spec.uid, spec.gid) for folder in sorted(folders)]
    return entries + [File(f"{root}/{file.path}", file.content, file.mode, spec.uid, spec.gid) for file in files]
