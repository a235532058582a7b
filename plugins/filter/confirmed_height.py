# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter plugin confirmed_height."""

from __future__ import annotations

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._quorum import height_of_nodes


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"confirmed_height": height_of_nodes}
