# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter folder_files."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleFilterError

# A folder of config files has no larger ones; a genesis with many contracts has some megabytes.
LARGEST = 64 * 1024 * 1024


def folder_files(path: str) -> t.Dict[str, str]:
    """The text of each file in the folder ``path`` of the controller, by its name; files in folders below are not read."""
    try:
        names = sorted(entry.name for entry in os.scandir(path) if entry.is_file())
        return {name: _text(os.path.join(path, name)) for name in names}
    except OSError as exc:
        raise AnsibleFilterError(f"{exc.filename}: cannot be read: {exc.strerror}; check the path and its permissions") from exc


def _text(path: str) -> str:
    if os.path.getsize(path) > LARGEST:
        raise AnsibleFilterError(f"{path}: larger than {LARGEST // 1024**2} MB; config folders hold small text files only")
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except UnicodeDecodeError as exc:
        raise AnsibleFilterError(f"{path}: is not text in UTF-8; config folders hold text files only") from exc


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"folder_files": folder_files}
