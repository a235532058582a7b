# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-off containers that are never started: they mount volumes, so that the Engine can read and write files in them."""

from __future__ import annotations

import contextlib
import json
import secrets
import typing as t
from pathlib import PurePosixPath

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._births import HOLDER, find_births, is_held, remove_container
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import Spec
from ansible_collections.gravity.cluster.plugins.module_utils._process import identity

# Where it mounts volumes, one folder each.
MOUNTS = "/volumes"


def carrier(engine: Engine, spec: Spec, name: str, mounts: t.Sequence[t.Any], **more: str) -> str:
    """Create one; returns its id. ``more`` are labels."""
    with engine.translating(f"creating {name}"):
        created = engine.api.create_container(
            spec.image,
            entrypoint=list(spec.hold[:1]),
            name=name,
            labels={**labels.own(spec.cluster, "oneoff"), **more},
            host_config=engine.api.create_host_config(network_mode="none", cap_drop=["ALL"], mounts=list(mounts)),
        )
    return str(created["Id"])


@contextlib.contextmanager
def carriers(engine: Engine, spec: Spec, groups: t.Sequence[t.Sequence[t.Any]]) -> t.Iterator[t.List[str]]:
    """One for each group of mounts, for as long as the context lasts. What a run that was killed has left goes first."""
    prefix = f"{spec.cluster}-carrier-"
    if groups:
        discard_carriers(engine, spec.cluster, prefix)
    mine = {HOLDER: json.dumps(identity(), separators=(",", ":"))}
    with contextlib.ExitStack() as stack:
        made = []
        for mounts in groups:
            # Several runs may look at the same time.
            container = carrier(engine, spec, prefix + secrets.token_hex(4), mounts, **mine)
            stack.callback(remove_container, engine, container)
            made.append(container)
        yield made


def discard_carriers(engine: Engine, cluster: str, prefix: str) -> None:
    """Remove those that nobody works with any more."""
    for one in find_births(engine, cluster, HOLDER):
        if one.name.startswith(prefix) and not is_held(one):
            remove_container(engine, one.id)


def owned(root: str, files: t.Sequence[File], spec: Spec) -> t.List[File]:
    """``files`` below ``root`` as the node's own, with their folders (which only the node may enter) before them."""
    folders = {f"{root}/"}
    for file in files:
        folders.update(f"{root}/{parent}/" for parent in PurePosixPath(file.path).parents if str(parent) != ".")
    entries = [File(folder, b"", 0o700, spec.uid, spec.gid) for folder in sorted(folders)]
    return entries + [File(f"{root}/{file.path}", file.content, file.mode, spec.uid, spec.gid) for file in files]
