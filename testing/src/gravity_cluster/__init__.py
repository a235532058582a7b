# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of the Ansible collection gravity.cluster for end-to-end suites.

Everything runs the collection's own playbooks; this package starts them, reads what they say, and turns that into values and errors.
"""

from __future__ import annotations

from .cluster import Cluster
from .errors import ClusterError, NodeUnknown, RpcError, RpcUnreachable, SpecError
from .inventory import Node
from .records import ExecResult, NodeHealth
from .rpc import RpcClient

__all__ = [
    "Cluster",
    "ClusterError",
    "ExecResult",
    "Node",
    "NodeHealth",
    "NodeUnknown",
    "RpcClient",
    "RpcError",
    "RpcUnreachable",
    "SpecError",
]
