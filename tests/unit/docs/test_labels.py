# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels are the state of a cluster: all of them are documented."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels

ROOT = Path(__file__).resolve().parents[3]


def test_every_label_is_explained() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith(("| `.", "| `gravity.cluster."))]
    names = [value for key, value in vars(labels).items() if key.isupper() and key != "PREFIX"]
    assert len(names) > 8
    assert [name for name in names if not any(f".{name.removeprefix(labels.PREFIX)}`" in line for line in table)] == []
