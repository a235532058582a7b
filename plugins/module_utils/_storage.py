# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clear the data of stopped nodes, and leave their keys and their configuration: the module ``node_storage``."""

from __future__ import annotations

import contextlib
import re
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar
from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._births import remove_container
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each, explain
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._named import create_for_a_moment, is_for_a_moment
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner, name_of
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

# The program that removes what is to go.
TOOL = "find"
# How it removes what it finds when it cannot do so itself.
BY_HAND = ("(", "-type", "d", "-exec", "rmdir", "{}", ";", "-o", "-exec", "rm", "-f", "{}", ";", ")")
# Seconds between two looks at it.
PATIENCE = 0.1

Inspection = t.Mapping[str, t.Any]

_GLOB = re.compile(r"([*?\[\]\\])")


@dataclass(frozen=True)
class Node:
    """A node to clear: folders in its container whose content goes, and paths in them that stay.

    ``by_hand``: its ``find`` cannot delete, as that of some builds of busybox, and calls ``rm`` and ``rmdir``.
    """

    name: str
    container: str
    clear: t.Tuple[str, ...]
    keep: t.Tuple[str, ...] = ()
    by_hand: bool = False


class CannotDelete(ClusterError):
    """The image's ``find`` does not know ``-delete``, and has done nothing."""


def work(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``node_storage``."""
    nodes = [node_of(one) for one in params["nodes"]]
    owner = Owner(engine, params["cluster"], [node.container for node in nodes])
    inspections = {node.name: engine.inspect(node.container) for node in nodes}
    found = {name: data if data and owner.owns_inspected(data) else None for name, data in inspections.items()}
    for node in nodes:
        check(node, found[node.name])
    progress.say(f"clearing the data of {', '.join(node.name for node in nodes)}")
    gone = each(nodes, lambda node: cleared(engine, node, found[node.name] or {}, params["cluster"], check_mode))
    removed = {node.name: paths for node, paths in zip(nodes, gone)}
    reasons = [f"{name}: {len(paths)} files and folders of its data" for name, paths in removed.items() if paths]
    return {"changed": any(gone), "removed": {name: len(paths) for name, paths in removed.items()}, "reasons": reasons}


def node_of(one: t.Mapping[str, t.Any]) -> Node:
    """A node of the module's parameters."""
    try:
        clear, keep = (tuple(grammar.path(path) for path in one[key]) for key in ("clear", "keep"))
    except grammar.Wrong as exc:
        raise Refused(f"{one['name']}: storage: {exc.what}: {exc.right}") from exc
    return Node(one["name"], one["container"], clear, keep)


def check(node: Node, found: t.Optional[Inspection]) -> None:
    """Raise :class:`Refused` when the node's data must not, or cannot, be cleared."""
    if found is None:
        raise Refused(f"{node.name}: has no container, whose data could be cleared: deploy it, then stop it")
    if found["State"].get("Running") or found["State"].get("Restarting"):
        raise Refused(f"{node.name}: runs, and would lose its data under its feet: stop it first")
    if not node.clear:
        raise Refused(f"{node.name}: nothing says where its data are: set storage in the spec, for example storage: {{clear: [/data]}}")
    mounts = {mount["Destination"]: mount for mount in found.get("Mounts") or [] if mount.get("Type") == "volume"}
    for path in node.clear:
        place = next((mounts[parent] for parent in grammar.parents(path) if parent in mounts), None)
        if place is None:
            raise Refused(f"{node.name}: {path} is not on one of its volumes ({', '.join(sorted(mounts)) or 'none'}): mend storage.clear")
        if not place.get("RW", True):
            raise Refused(f"{node.name}: {path} is on a volume that it only reads, where its configuration is: mend storage.clear")


def command(node: Node, check_mode: bool) -> t.List[str]:
    """The arguments of ``find`` that remove the data and print what they remove; in check mode they only print."""
    stays: t.List[str] = []
    for path in node.keep:
        parents = [parent for parent in grammar.parents(path)[1:] if any(_below(parent, root) for root in node.clear)]
        for pattern in (_pattern(path), f"{_pattern(path)}/*", *map(_pattern, parents)):
            stays += ["!", "-path", pattern]
    removal = BY_HAND if node.by_hand else ("-delete",)
    return [*node.clear, "-mindepth", "1", "-depth", *stays, "-print", *([] if check_mode else removal)]


def cleared(engine: Engine, node: Node, found: Inspection, cluster: str, check_mode: bool) -> t.List[str]:
    """Remove a node's data with what its image has, and return the paths that went."""
    try:
        return clear(engine, node, found, cluster, check_mode)
    except CannotDelete:
        return clear(engine, replace(node, by_hand=True), found, cluster, check_mode)


def clear(engine: Engine, node: Node, found: Inspection, cluster: str, check_mode: bool) -> t.List[str]:
    """Remove a node's data by a one-off container with its volumes, and return the paths that went."""
    name = f"{node.container}-clear"
    owner = Owner(engine, cluster)
    for entry in owner.list("oneoff"):
        if is_for_a_moment(name_of(entry), name):
            if entry["State"] == "running":
                raise Refused(f"{name_of(entry)}: another run clears the data of {node.name}: wait until it ends")
            remove_container(engine, entry["Id"])

    def create(name: str) -> str:
        made = engine.api.create_container(
            found["Image"],
            entrypoint=[TOOL],
            command=command(node, check_mode),
            name=name,
            user=found["Config"].get("User") or None,
            labels=labels.own(cluster, "oneoff", node=node.name),
            healthcheck={"test": ["NONE"]},
            host_config=engine.api.create_host_config(
                network_mode="none", volumes_from=[found["Id"]], cap_drop=["ALL"], security_opt=["no-new-privileges"]
            ),
        )
        return str(made["Id"])

    with engine.translating(f"creating {name}"):
        container = create_for_a_moment(engine, owner, name, create)
    try:
        return _run(engine, node, container)
    finally:
        with contextlib.suppress(EngineError):
            remove_container(engine, container)


def _run(engine: Engine, node: Node, container: str) -> t.List[str]:
    try:
        engine.api.start(container)
    except docker.errors.APIError as exc:
        raise ClusterError(f"{node.name}: its image cannot run {TOOL}, which clears data ({explain(exc)}): add it to the image") from exc
    while (state := (engine.inspect(container) or {}).get("State") or {}).get("Running"):
        time.sleep(PATIENCE)
    with engine.translating(f"reading what {TOOL} said of {node.name}"):
        paths: t.List[str] = engine.api.logs(container, stdout=True, stderr=False).decode("utf-8", "replace").splitlines()
        errors = engine.api.logs(container, stdout=False, stderr=True).decode("utf-8", "replace").strip().splitlines()
    if not (paths or node.by_hand) and any("-delete" in line for line in errors):
        raise CannotDelete(f"{node.name}: the {TOOL} of its image cannot delete")
    # What it calls may fail without a word of its own.
    if state.get("ExitCode") != 0 or (node.by_hand and errors):
        reason = errors[-1][:200] if errors else "no reason given"
        raise ClusterError(f"{node.name}: its data were cleared only in part ({reason}): run again")
    return paths


def _below(path: str, root: str) -> bool:
    return path.startswith(root + "/")


def _pattern(path: str) -> str:
    """A path as a pattern that matches only itself."""
    return _GLOB.sub(r"\\\1", path)
