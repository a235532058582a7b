# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines of a running module.

A module cannot print. It appends lines to a file on the Docker host; the action plugin of the same name reads
the file while the module runs and shows the lines on the controller. Showing them is never worth a node: where the
file cannot be written, the module goes on without it, and a warning says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import io
import os
import stat
import threading
import time
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._answers import harmless

# How the files are called, whatever the action plugin adds, and how many of those that are left behind go at a time.
BEGINNING = ".gravity-cluster-"
MOST_REMOVED = 100
# A file that was made so lately may only wait for its lock and its first line (seconds).
YOUNG = 60


class Progress:
    """Appends lines to ``path``; without a path it drops them. ``trouble`` says why lines could not be shown."""

    def __init__(self, path: t.Optional[str] = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last = ""
        self._stream: t.Optional[io.FileIO] = None
        self.trouble = ""

    def say(self, line: str) -> None:
        """Show ``line`` to the user, unless it is the line that was shown last. Never fails."""
        if not self._path:
            return
        with self._lock:
            if line == self._last or self.trouble:
                return
            self._last = line
            try:
                if self._stream is None:
                    self._stream = opened(self._path)
                text = memoryview((harmless(line).replace("\n", " ") + "\n").encode("utf-8", "backslashreplace"))
                while text:
                    # Not buffered: a line that does not fit must not come up again when the file is closed.
                    text = text[self._stream.write(text) :]
            except OSError as exc:
                self.trouble = f"progress could not be shown: {self._path}: {exc.strerror or exc}"

    def close(self) -> None:
        """Remove the file: what was not shown until now is not worth showing. Never fails."""
        with self._lock, contextlib.suppress(OSError):
            if self._path:
                os.unlink(self._path)
        with contextlib.suppress(OSError):
            if self._stream is not None:
                self._stream.close()


def opened(path: str) -> io.FileIO:
    """The new file ``path``, locked for as long as this process lives."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        # The kernel drops the lock when its holder dies, however it dies.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Read by the user who has logged in, whoever the module runs as.
        os.fchmod(handle, 0o644)
        return io.FileIO(handle, "wb")
    except BaseException:
        os.close(handle)
        raise


def remove_leftovers(path: t.Optional[str]) -> None:
    """Remove the progress files beside ``path`` that runs of this user left when they were killed. Never fails."""
    if path and os.path.basename(path).startswith(BEGINNING):
        remove_left(os.path.dirname(path), BEGINNING, keep=path)


def remove_left(folder: str, prefix: str, suffix: str = "", keep: str = "") -> None:
    """Remove files of such a name in ``folder`` that runs of this user left when they were killed. Never fails.

    Only regular files of this user that nobody has locked go, and links are not followed. A file that was just made is not
    locked yet, so one that is empty stays for a while.
    """
    pattern = os.path.join(glob.escape(folder), f"{glob.escape(prefix)}*{glob.escape(suffix)}")
    for old in sorted(one for one in glob.glob(pattern) if one != keep)[:MOST_REMOVED]:
        with contextlib.suppress(OSError):
            remove_if_left(old)


def remove_if_left(path: str) -> None:
    """Remove one file when it is ours and its run is dead."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return
        if not found.st_size and time.time() - found.st_mtime < YOUNG:
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(handle)
