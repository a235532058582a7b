# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster tells, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class NodeHealth:
    """One node as the playbook ``status`` sees it. What is not known, or not of this flavor, is None.

    ``state`` is ``running``, ``starting``, ``unhealthy``, ``stopped``, ``error``, ``absent`` or ``unknown``. ``error`` says why the node
    itself did not answer; a node that does not run is not asked. ``image_id`` is the image that the container really has.
    """

    name: str
    state: str
    role: str | None = None
    flavor: str | None = None
    host: str | None = None
    height: int | None = None
    peers: int | None = None
    syncing: bool | None = None
    chain_id: int | None = None
    block_hash: str | None = None
    error: str | None = None
    image: str | None = None
    image_id: str | None = None
    restarts: int | None = None
    exit_code: int | None = None
    uptime_seconds: int | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> NodeHealth:
        """From one entry of ``nodes`` in the file that ``status_output`` names."""
        values: dict[str, Any] = {field.name: record.get(field.name) for field in fields(cls)}
        return cls(**{**values, "name": record["node"], "error": record.get("rpc_error")})


@dataclass(frozen=True)
class ExecResult:
    """What came of a command in a node."""

    rc: int
    stdout: str
    stderr: str
