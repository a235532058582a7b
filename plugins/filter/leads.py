# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter plugin leads."""

from __future__ import annotations

import itertools
import operator
import typing as t

Data = t.Mapping[str, t.Any]


def leads(nodes: t.Sequence[Data]) -> t.List[t.Dict[str, t.Any]]:
    """One record per Docker host that carries some of ``nodes`` (``gravity_node`` variables), by its name.

    A record has ``host``, ``lead`` (its first node), ``nodes``, and ``leads``: ``lead``, ``host`` and ``flavors`` of every record.
    """
    host_of = operator.itemgetter("host")
    groups = {host: list(group) for host, group in itertools.groupby(sorted(nodes, key=host_of), key=host_of)}
    flavors = {host: list(dict.fromkeys(node["flavor"] for node in here)) for host, here in groups.items()}
    known = [{"host": host, "lead": here[0]["name"], "flavors": flavors[host]} for host, here in groups.items()]
    return [{"host": one["host"], "lead": one["lead"], "nodes": groups[one["host"]], "leads": known} for one in known]


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"leads": leads}
