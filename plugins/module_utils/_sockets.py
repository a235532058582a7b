# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of a Docker host, and when two of them cannot both be taken."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._parse import is_any

# (address, host port, protocol)
Socket = t.Tuple[str, int, str]


def collide(one: Socket, other: Socket) -> bool:
    """Whether two sockets cannot both be taken."""
    return one[1:] == other[1:] and (one[0] == other[0] or is_any(one[0]) or is_any(other[0]))
