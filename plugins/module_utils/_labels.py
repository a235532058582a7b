# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker labels that mark an object as ours. They are the only state on a Docker host."""

from __future__ import annotations

import typing as t

PREFIX = "gravity.cluster."

CLUSTER = PREFIX + "name"  # the cluster's name; on every object that we make
KIND = PREFIX + "kind"  # node | network | volume | oneoff | image | lock
NODE = PREFIX + "node"  # the node's name in the spec
CONTAINER = PREFIX + "container"  # the name of the container that we made; a copy has the label and another name
ORIGIN = PREFIX + "origin"  # digest of the spec file, and of the controller, that the object was made from
ROLE = PREFIX + "role"  # the node's role in the spec
FLAVOR = PREFIX + "flavor"  # the node's flavor
FILES = PREFIX + "files"  # JSON: path -> salt:sha256 (earlier: sha256) of each config file in the container
DEFINED = PREFIX + "defined"  # JSON list: the aspects of a container that its definition set
GENESIS = PREFIX + "genesis"  # sha256 of the genesis that a volume or container belongs to
IDENTITY = PREFIX + "identity"  # the node's public identity, for its peers
HOLDER = PREFIX + "holder"  # JSON: the process that works on a birth, or holds a lock
BIRTH = PREFIX + "birth"  # JSON: what the genesis was made from
HELD = PREFIX + "held"  # JSON: digests of the files in a volume that nobody changes: keys, and what all nodes share
INPUTS = PREFIX + "inputs"  # sha256 of what an image was assembled or built from


def own(cluster: str, kind: str, **more: str) -> t.Dict[str, str]:
    """Labels for a new object of ``cluster``; ``more`` is keyed by the part after the prefix."""
    labels = {CLUSTER: cluster, KIND: kind}
    labels.update({PREFIX + key: value for key, value in more.items()})
    return labels


def select(cluster: str, kind: t.Optional[str] = None) -> t.Dict[str, t.List[str]]:
    """Engine list filter for the objects of ``cluster``."""
    wanted = [f"{CLUSTER}={cluster}"]
    if kind:
        wanted.append(f"{KIND}={kind}")
    return {"label": wanted}


def is_own(labels: t.Optional[t.Mapping[str, str]], cluster: str) -> bool:
    """Whether an object with these labels belongs to ``cluster``."""
    return (labels or {}).get(CLUSTER) == cluster
