# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down next to a spec about placed nodes, so that they stay where they are when the spec grows.

The record only repeats what the Docker hosts know: where a node's volumes are. When it is lost, deploy finds them again.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._drafts import draft
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid


def path_of(spec: str) -> str:
    """Path of the record that belongs to the file ``spec``. It is hidden: Ansible passes over it in a folder of inventories."""
    folder, name = os.path.split(os.path.abspath(spec))
    return os.path.join(folder, f".{os.path.splitext(name)[0]}.placement.json")


def read(spec: str, cluster: str) -> t.Dict[str, str]:
    """Node -> Docker host, as far as it is written down for ``cluster``; raises :class:`SpecInvalid` when it cannot be read."""
    path = path_of(spec)
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise SpecInvalid(
            path, [((), f"the record of the placed nodes cannot be read ({exc}); remove it, deploy finds the nodes again")]
        ) from exc
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, dict) or not all(isinstance(host, str) for host in nodes.values()):
        raise SpecInvalid(path, [((), "this is not a record of placed nodes; remove it, deploy finds the nodes again")])
    # The record of another cluster in the same place says nothing of this one.
    return nodes if data.get("cluster") == cluster else {}


def settled(nodes: t.Mapping[str, str], carried: t.Mapping[str, t.Sequence[str]]) -> t.Tuple[t.Dict[str, str], t.List[str]]:
    """Where placed ``nodes`` (node -> Docker host by the spec) are, and which of them are elsewhere than that.

    ``carried`` says, by Docker host, of which nodes there is something. A node that is nowhere yet goes where the spec says.
    """
    places: t.Dict[str, str] = {}
    for host, names in sorted(carried.items()):
        for name in names:
            if name in nodes and places.get(name) != nodes[name]:
                places[name] = host
    return {name: places.get(name, host) for name, host in nodes.items()}, sorted(name for name in places if places[name] != nodes[name])


def text_of(cluster: str, nodes: t.Mapping[str, str]) -> str:
    """What a record holds: one line per node, in order, good to keep under version control."""
    return json.dumps({"cluster": cluster, "nodes": dict(sorted(nodes.items()))}, indent=1) + "\n"


def write(spec: str, cluster: str, nodes: t.Mapping[str, str]) -> bool:
    """Write the record in one step; False when it said so already."""
    path, text = path_of(spec), text_of(cluster, nodes)
    try:
        with open(path, encoding="utf-8") as stream:
            if stream.read() == text:
                return False
    except (OSError, ValueError):
        pass
    with draft(os.path.dirname(path), ".placement-") as (stream, name):
        stream.write(text.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    return True
