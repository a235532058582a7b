# SPDX-License-Identifier: GPL-3.0-or-later
"""What several nodes printed, under their names."""

from __future__ import annotations

from ansible_collections.gravity.cluster.plugins.filter.titled_lines import titled_lines


def test_lines_and_command_output() -> None:
    outputs = {"node_0": ["a", "b"], "node_1": {"rc": 0, "stdout": "c\n", "stderr": "d"}, "node_2": []}
    assert titled_lines(outputs) == ["==> node_0 <==", "a", "b", "==> node_1 <==", "c", "stderr: d", "==> node_2 <=="]
