# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary files on the controller. Those that killed runs have left are removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._progress import remove_left


@contextlib.contextmanager
def draft(folder: str, prefix: str, suffix: str = "") -> t.Iterator[t.Tuple[t.BinaryIO, str]]:
    """A new file in ``folder``, and its path; removed afterwards, unless it got another name. Raises OSError."""
    remove_left(folder, prefix, suffix)
    handle, path = tempfile.mkstemp(dir=folder, prefix=prefix, suffix=suffix)
    try:
        with open(handle, "w+b") as stream:
            # The lock says that its run lives. Where a file system has none, nothing that is left can be told, and stays.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield stream, path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
