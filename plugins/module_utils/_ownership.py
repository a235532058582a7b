# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are a cluster's own. Labels alone do not tell: ``docker commit`` copies them into an image, and so to its containers."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors

Marks = t.Mapping[str, str]
Entry = t.Mapping[str, t.Any]

# Ends the name of a container that is to take another's place; a number follows when the Engine keeps the plain name reserved.
NEXT = "-next"
_NEXT = re.compile(rf"{NEXT}(-[0-9]+)?\Z")
# Copied labels differ from those of a container that we made in nothing but these.
_WHOSE = (labels.CLUSTER, labels.KIND, labels.NODE)


def is_named(name: str, wanted: str) -> bool:
    """Whether a container called ``name`` is ``wanted``, or on its way to take its place."""
    return name == wanted or (name.startswith(wanted) and bool(_NEXT.fullmatch(name[len(wanted) :])))


def is_ours(name: str, marks: t.Optional[Marks], inherited: t.Callable[[], Marks], cluster: str, expected: t.Container[str] = ()) -> bool:
    """Whether the container ``name`` with the labels ``marks`` was made by us for ``cluster``, and is no copy of one that was.

    ``inherited`` gives the labels of its image, and is only called where they matter; ``expected`` are the names that containers of
    the cluster are known to have.
    """
    if not labels.is_own(marks, cluster):
        return False
    own = (marks or {}).get(labels.CONTAINER)
    if own == name or name in expected:
        return True
    if own is not None and not is_named(name, own):
        return False
    of_image = inherited()
    # Containers of older versions do not say their own name; a copy has its labels from its image.
    return any(key in (marks or {}) and of_image.get(key) != (marks or {})[key] for key in _WHOSE)


def name_of(entry: Entry) -> str:
    """The name of a container in the Engine's list; names given by links of others have a second slash."""
    names = [str(name).lstrip("/") for name in entry.get("Names") or []]
    return next((name for name in names if "/" not in name), "?")


def strangers(carried: t.Iterable[Marks], known: t.Collection[str], origin: str) -> t.List[str]:
    """The nodes among ``carried``, labels of a cluster's objects on one Docker host, that were made from another spec.

    ``known`` are the nodes of this spec, and ``origin`` is its label. What does not say its origin is another spec's when this one knows
    nothing of what is there.
    """
    nodes = [(marks[labels.NODE], marks.get(labels.ORIGIN)) for marks in carried if marks.get(labels.NODE)]
    related = any(node in known for node, _origin in nodes)
    return sorted({node for node, made in nodes if node not in known and (made != origin if made else not related)})


class Owner:
    """Tells the own containers of one cluster among entries of the Engine's list; asks for the labels of each image once."""

    def __init__(self, engine: Engine, cluster: str, expected: t.Iterable[str] = ()) -> None:
        self.engine = engine
        self.cluster = cluster
        self.expected = frozenset(expected)
        self._images: t.Dict[str, Marks] = {}

    def owns(self, entry: Entry) -> bool:
        """Whether the container of this entry is one of the cluster's."""
        return self.is_ours(name_of(entry), entry.get("Labels"), str(entry.get("ImageID") or ""))

    def owns_inspected(self, inspect: Entry) -> bool:
        """The same for what the inspection of a container says."""
        marks = (inspect.get("Config") or {}).get("Labels")
        return self.is_ours(str(inspect.get("Name")).lstrip("/"), marks, str(inspect.get("Image") or ""))

    def is_ours(self, name: str, marks: t.Optional[Marks], image: str) -> bool:
        """Whether a container of this name, with these labels, made from the image of this id is one of the cluster's."""
        return is_ours(name, marks, lambda: self._labels_of(image), self.cluster, self.expected)

    def list(self, kind: t.Optional[str] = None) -> t.List[Entry]:
        """The entries of the cluster's containers, stopped ones too; ``kind`` is that of their label."""
        with self.engine.translating(f"listing the containers of {self.cluster}"):
            entries = self.engine.api.containers(all=True, filters=labels.select(self.cluster, kind))
        return [entry for entry in entries if self.owns(entry)]

    def _labels_of(self, image: str) -> Marks:
        if image not in self._images:
            with self.engine.translating(f"inspecting image {image}"):
                try:
                    found = self.engine.api.inspect_image(image) if image else {}
                except docker.errors.NotFound:
                    # It was removed by force: nothing can be said of it.
                    found = {}
            self._images[image] = (found.get("Config") or {}).get("Labels") or {}
        return self._images[image]


def inspect_own(engine: Engine, cluster: str, kind: t.Optional[str] = None, concurrency: int = 8) -> t.Dict[str, t.Dict[str, t.Any]]:
    """The inspections of a cluster's own containers, by name."""
    entries = Owner(engine, cluster).list(kind)
    # One may be removed between the list and now.
    found = [data for data in each(entries, lambda entry: engine.inspect(entry["Id"]), concurrency) if data is not None]
    return {str(data["Name"]).lstrip("/"): data for data in found}
