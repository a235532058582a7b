# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON-RPC calls to a node."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from .errors import RpcError, RpcUnreachable


class RpcClient:
    """Asks one node. ``timeout`` is in seconds: for connecting, and between the bytes of the answer."""

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self.url = url
        self.timeout = timeout

    async def block_number(self) -> int:
        """The node's height."""
        return await self._number("eth_blockNumber")

    async def chain_id(self) -> int:
        """The id of the chain that the node is on."""
        return await self._number("eth_chainId")

    async def call(self, method: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The ``result`` of a call, as JSON has it.

        Raises:
            RpcError: The node answers with an error.
            RpcUnreachable: It does not answer in time, or not in JSON-RPC.
        """
        return await asyncio.to_thread(self._call, method, params)

    async def _number(self, method: str) -> int:
        answer = await self.call(method)
        try:
            return int(answer, 16)
        except (TypeError, ValueError):
            raise RpcUnreachable(f"{method}: {self.url} answers {answer!r}, which is no number") from None

    def _call(self, method: str, params: Sequence[Any] | Mapping[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params) if isinstance(params, Mapping) else list(params)}
        # A session of its own: sessions may not be shared by threads.
        with requests.Session() as session:
            # Nodes are near: a proxy of the environment cannot reach them.
            session.trust_env = False
            try:
                answer = session.post(self.url, json=body, timeout=self.timeout)
            except requests.RequestException as exc:
                raise RpcUnreachable(f"{method}: no answer from {self.url} ({_cause(exc)})") from exc
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict) or not said.keys() & {"result", "error"}:
            raise RpcUnreachable(f"{method}: {self.url} answers with HTTP status {answer.status_code} and no JSON-RPC")
        error = said.get("error")
        if error is not None:
            fields = error if isinstance(error, dict) else {"message": error}
            raise RpcError(method, int(fields.get("code", 0)), " ".join(str(fields.get("message", "")).split()), fields.get("data"))
        return said.get("result")


def _cause(exc: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap it several times, each time in more words."""
    while True:
        inner = exc.args[0] if exc.args and isinstance(exc.args[0], BaseException) else getattr(exc, "reason", None) or exc.__cause__
        if not isinstance(inner, BaseException):
            return " ".join(str(getattr(exc, "strerror", None) or exc).split()) or type(exc).__name__
        exc = inner
