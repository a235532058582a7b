# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a node's data is cleared."""

from __future__ import annotations

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._storage import check, command, node_of

NODE = {"name": "web_0", "container": "x_web_0", "clear": ["//www"], "keep": ["/www//keys/"]}
STOPPED = {"State": {"Running": False}, "Mounts": [{"Type": "volume", "Destination": "/www", "RW": True}]}


def test_folders_in_another_form_are_the_same_folders() -> None:
    node = node_of(NODE)
    assert (node.clear, node.keep) == (("/www",), ("/www/keys",))
    check(node, STOPPED)
    assert command(node, True) == ["/www", "-mindepth", "1", "-depth", "!", "-path", "/www/keys", "!", "-path", "/www/keys/*", "-print"]


def test_a_folder_above_the_volumes_is_refused() -> None:
    with pytest.raises(Refused, match="web_0: storage: expected an absolute path in the container"):
        node_of({**NODE, "clear": ["/www/../etc"]})
