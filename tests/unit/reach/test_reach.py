# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the controller reaches what Docker hosts publish."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils._reach import reached_at
from ansible_collections.gravity.cluster.plugins.plugin_utils._table import status_records

NOWHERE = {"DOCKER_CONFIG": "/nowhere"}


@pytest.mark.parametrize(
    ("host", "environment", "address"),
    [
        ({"ansible_connection": "local"}, {}, "127.0.0.1"),
        ({"ansible_connection": "local", "engine_url": "tcp://192.0.2.5:2376"}, {}, "192.0.2.5"),
        ({"ansible_connection": "local", "engine_url": "ssh://me@far"}, {}, "far"),
        ({"ansible_connection": "local"}, {"DOCKER_HOST": "ssh://me@far"}, "far"),
        ({"ansible_connection": "local"}, {"DOCKER_HOST": "tcp://localhost:2375"}, "127.0.0.1"),
        ({"ansible_connection": "local"}, {"DOCKER_CONTEXT": "none"}, "127.0.0.1"),
        # What the controller's environment says is nothing to another machine.
        ({"ansible_host": "192.0.2.6"}, {"DOCKER_HOST": "tcp://far:2375"}, "192.0.2.6"),
        ({"ansible_host": "192.0.2.6", "engine_url": "tcp://[2001:db8::7]:2376"}, {}, "2001:db8::7"),
        ({}, {}, "alpha"),
    ],
)
def test_the_containers_are_where_the_engine_is(host: t.Dict[str, str], environment: t.Dict[str, str], address: str) -> None:
    assert reached_at([{"inventory_hostname": "alpha", **host}], {**NOWHERE, **environment}) == {"alpha": address}


@pytest.mark.parametrize(
    ("published", "there", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:8545"),
        ("0.0.0.0", "127.0.0.1", "http://127.0.0.1:8545"),
        ("0.0.0.0", "192.0.2.5", "http://192.0.2.5:8545"),
        ("0.0.0.0", "2001:db8::7", "http://[2001:db8::7]:8545"),
        ("192.0.2.9", "192.0.2.5", "http://192.0.2.9:8545"),
        # What answers there on this machine is another cluster's.
        ("127.0.0.1", "192.0.2.5", None),
    ],
)
def test_status_gives_the_url_that_works_from_here(published: str, there: str, url: t.Optional[str]) -> None:
    ports = {"rpc": {"container": 8545, "host": 8545, "address": published}}
    node = {"name": "node_0", "host": "alpha", "rpc_url": "http://127.0.0.1:8545", "ports": ports}
    assert status_records([node], {}, {"alpha": there})[0]["rpc_url"] == url


def test_a_node_without_rpc_has_no_url() -> None:
    node = {"name": "node_0", "host": "alpha", "rpc_url": None, "ports": {}}
    assert status_records([node], {}, {"alpha": "192.0.2.5"})[0]["rpc_url"] is None
