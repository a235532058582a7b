# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node acts for which Docker host."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.filter.leads import leads


def node(name: str, host: str, flavor: str = "injective") -> t.Dict[str, t.Any]:
    return {"name": name, "host": host, "flavor": flavor}


NODES = [node("n0", "beta"), node("n1", "alpha"), node("n2", "beta", "generic"), node("n3", "gamma")]


def test_the_first_node_of_a_docker_host_leads() -> None:
    found = leads(NODES)
    assert [(one["host"], one["lead"], [here["name"] for here in one["nodes"]]) for one in found] == [
        ("alpha", "n1", ["n1"]),
        ("beta", "n0", ["n0", "n2"]),
        ("gamma", "n3", ["n3"]),
    ]
    assert found[0]["leads"] == [
        {"host": "alpha", "lead": "n1", "flavors": ["injective"]},
        {"host": "beta", "lead": "n0", "flavors": ["injective", "generic"]},
        {"host": "gamma", "lead": "n3", "flavors": ["injective"]},
    ]


def test_no_nodes() -> None:
    assert leads([]) == []
