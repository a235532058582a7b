# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module gravity.cluster.containers."""

from __future__ import annotations

from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule


class ActionModule(FollowedModule):
    """Nothing of its own."""
