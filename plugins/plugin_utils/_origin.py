# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells one spec from another with the same name of a cluster: the controller, and where the file is on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import typing as t

# Where systemd and D-Bus keep the id of a machine.
MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def origin_of(spec: str, machine_ids: t.Sequence[str] = MACHINE_IDS) -> str:
    """Digest of this controller and the path of ``spec``; neither can be read from it."""
    return hashlib.sha256(f"{_machine(machine_ids)}\n{os.path.realpath(spec)}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _machine(machine_ids: t.Sequence[str]) -> str:
    for path in machine_ids:
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="ascii") as stream:
            found = stream.read().strip()
            if found:
                return found
    return socket.gethostname()
