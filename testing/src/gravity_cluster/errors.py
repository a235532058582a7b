# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree of the package. Every message is one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class ClusterError(Exception):
    """Base of everything that goes wrong with a cluster.

    ``playbook`` is the verb that failed (``deploy``, ``stop``, ...), None when none ran. ``failures`` has one line per inventory host whose
    task failed; the first selected node of a Docker host acts for the others there. ``stdout`` is all that the playbook printed.
    """

    def __init__(self, message: str, *, playbook: str | None = None, failures: Mapping[str, str] | None = None, stdout: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.playbook = playbook
        self.failures = dict(failures or {})
        self.stdout = stdout

    def __str__(self) -> str:
        return self.message


class SpecError(ClusterError):
    """The cluster spec is refused, and nothing ran. ``problems`` has a line for each mistake."""

    def __init__(self, problems: Iterable[str], *, stdout: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), stdout=stdout)


class NodeUnknown(ClusterError, KeyError):
    """The cluster has no node of this name, and nothing ran."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no node {name!r}; the cluster has {', '.join(known)}")


class RpcError(ClusterError):
    """A node answered a JSON-RPC call with an error: its ``code``, its ``message`` and, where it gave any, its ``data``."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.method = method
        self.code = code
        self.data = data

    def __str__(self) -> str:
        return f"{self.method}: {self.message} (code {self.code})"


class RpcUnreachable(ClusterError):
    """A node did not answer a JSON-RPC call, or with something else."""
