# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter plugin reached_at."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._reach import reached_at


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"reached_at": reached_at}
