# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one spec file from another."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gravity.cluster.plugins.plugin_utils._origin import origin_of


def test_the_same_file_on_the_same_machine(tmp_path: Path) -> None:
    for name, text in (("one", "1234\n"), ("two", "5678\n"), ("empty", "\n")):
        (tmp_path / name).write_text(text, encoding="ascii")
    (tmp_path / "link.yml").symlink_to(tmp_path / "cluster.yml")
    spec = str(tmp_path / "cluster.yml")
    one, two = ([str(tmp_path / name)] for name in ("one", "two"))
    assert origin_of(spec, one) == origin_of(str(tmp_path / "link.yml"), one)
    assert len({origin_of(spec, one), origin_of(spec, two), origin_of(str(tmp_path / "other.yml"), one), origin_of(spec, [])}) == 4
    assert origin_of(spec, [str(tmp_path / "none"), str(tmp_path / "empty"), *one]) == origin_of(spec, one)
