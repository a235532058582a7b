# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines of a running module.

A module cannot print. It appends lines to a file on the Docker host; the action plugin of the same name reads
the file while the module runs and shows the lines on the controller.
"""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t


class Progress:
    """Appends lines to ``path``; without a path it drops them."""

    def __init__(self, path: t.Optional[str] = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last = ""

    def say(self, line: str) -> None:
        """Show ``line`` to the user, unless it is the line that was shown last."""
        if not self._path:
            return
        with self._lock:
            if line == self._last:
                return
            self._last = line
            with open(self._path, "a", encoding="utf-8") as stream:
                if stream.tell() == 0:
                    # Read by the user who has logged in, whoever the module runs as.
                    os.fchmod(stream.fileno(), 0o644)
                stream.write(line.replace("\n", " ") + "\n")

    def close(self) -> None:
        """Remove the file: what was not shown until now is not worth showing."""
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
