# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree of the collection.

Everything below a module's edge raises one of these. The message is one line that names the thing, what is
wrong with it and the remedy; ``details`` goes into the module's result as it is (never secrets).
"""

from __future__ import annotations

import typing as t


class ClusterError(Exception):
    """Base of every error that a user can do something about."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class EngineError(ClusterError):
    """The Docker Engine refused or failed a request."""


class EngineUnreachable(EngineError):
    """Nothing that speaks the Engine's API answers at the given address."""


class Refused(ClusterError):
    """A precondition does not hold; nothing was changed."""


class ApplyFailed(ClusterError):
    """Some steps of a plan failed; ``details`` says what happened to every node."""


class BirthFailed(ClusterError):
    """The genesis could not be made; nothing of it was left behind."""


class NotReady(ClusterError):
    """Nodes did not become ready before the deadline, or cannot any more."""
