# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a chain's own tool in a birth container, and keep what it made in memory."""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._births import maker_name, remove_container
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File, explain
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed, EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import (
    DOCUMENT,
    WORK,
    Node,
    Product,
    Shared,
    Spec,
    assemble_document,
)
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

# Seconds until we look again at what another container does.
PATIENCE = 0.2
# Seconds within which the Engine notices that a container has ended whose processes were killed.
SETTLING = 2.0
# Longest output of a tool, which may be a whole genesis (bytes).
LONGEST_PRODUCT = 256 * 1024 * 1024
# How often a node is asked for its identity before the answer counts as empty.
IDENTITY_ATTEMPTS = 3


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


class Maker:
    """Runs the chain's tool in a birth container and keeps what it made in memory."""

    def __init__(self, engine: Engine, spec: Spec, container: str, progress: Progress) -> None:
        self.engine, self.spec, self.container, self.progress = engine, spec, container, progress
        self.done = 0

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
                    self.container,
                    argv,
                    LONGEST_PRODUCT,
                    user=f"{self.spec.uid}:{self.spec.gid}",
                    workdir=WORK,
                    environment={"HOME": WORK},
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
