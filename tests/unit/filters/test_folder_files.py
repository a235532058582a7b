# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gravity.cluster.plugins.filter import folder_files as module
from ansible_collections.gravity.cluster.plugins.filter.folder_files import folder_files


def test_texts_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b'{"a": "\xc3\xa4"}\r\n')
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c").write_text("not read", encoding="utf-8")
    assert folder_files(str(tmp_path)) == {"a.txt": "", "b.json": '{"a": "ä"}\r\n'}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="none: cannot be read: No such file or directory; check the path and its permissions"):
        folder_files(str(tmp_path / "none"))


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "key.der").write_bytes(b"\xff\xfe")
    with pytest.raises(AnsibleFilterError, match=r"key.der: is not text in UTF-8; config folders hold text files only"):
        folder_files(str(tmp_path))


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 3)
    (tmp_path / "log").write_text("1234", encoding="utf-8")
    with pytest.raises(AnsibleFilterError, match="log: larger than 0 MB; config folders hold small text files only"):
        folder_files(str(tmp_path))
