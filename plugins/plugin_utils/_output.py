# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a user asks for on the controller: where they are, and how they are written."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._drafts import draft

# What all users may do with a file who are neither its owner nor in its group.
OTHERS = 0o007


def path_of(given: str) -> str:
    """Where ``given`` is: relative to where the user stands, whatever folder the playbook is in."""
    return os.path.abspath(os.path.expanduser(given))


def read(path: str) -> t.Optional[str]:
    """The text of a regular file; None where there is none, or another kind of file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def is_open(path: str) -> bool:
    """Whether a regular file is there that every user may use."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & OTHERS)


def write(path: str, text: str, mode: int, private: bool = False) -> None:
    """Write a file in one step, with the folders above it. A file that is no regular one (a pipe, ``/dev/stdout``) is written to.

    ``mode`` is for a new file; one that is there keeps its own, without what others may do when it is ``private``. Raises OSError.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        known = os.stat(path).st_mode
    except FileNotFoundError:
        known = None
    if known is not None and not stat.S_ISREG(known):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return
    # What a link names is replaced, not the link.
    path = os.path.realpath(path)
    with draft(os.path.dirname(path), ".gravity-cluster-") as (stream, name):
        stream.write(text.encode("utf-8"))
        stream.flush()
        kept = mode if known is None else stat.S_IMODE(known)
        os.chmod(name, kept & ~OTHERS if private else kept)
        os.replace(name, path)
