# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON-RPC calls to a node. A node is not trusted: its answers are read within limits, as those to probes are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import requests
import urllib3

from ._answers import SlowAnswer, UnusableAnswer, clean, decode, quantity, read_body
from .errors import RpcError, RpcUnreachable

# Longest answer that is read (bytes), and longest message of an error (characters).
LONGEST = 64 * 1024 * 1024
LONGEST_MESSAGE = 1000


class RpcClient:
    """Asks one node. ``timeout`` is in seconds: for connecting, until the answer begins, and from there to its end.

    With ``chain_id``, no answer is trusted before the node has said once that it is on that chain: at the same address may be another's.
    """

    def __init__(self, url: str, *, timeout: float = 10.0, chain_id: int | None = None) -> None:
        self.url = url
        self.timeout = timeout
        self._expected = chain_id

    async def block_number(self) -> int:
        """The node's height."""
        return await self._number("eth_blockNumber")

    async def chain_id(self) -> int:
        """The id of the chain that the node is on."""
        return await self._number("eth_chainId")

    async def call(self, method: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The ``result`` of a call, as JSON has it; whole numbers of more than 100 digits are text.

        Raises:
            RpcError: The node answers with an error.
            RpcUnreachable: It does not answer in time, or not in JSON-RPC, or it is on another chain.
        """
        if self._expected is not None:
            await self._check(self._expected)
        return await asyncio.to_thread(self._call, method, params)

    async def _check(self, expected: int) -> None:
        found = self._read_number("eth_chainId", await asyncio.to_thread(self._call, "eth_chainId", ()))
        if found != expected:
            remedy = "something else has the node's address; see the playbook status"
            raise RpcUnreachable(f"{self.url} is on the chain {found}, and the spec says {expected}: {remedy}")
        self._expected = None

    async def _number(self, method: str) -> int:
        return self._read_number(method, await self.call(method))

    def _read_number(self, method: str, answer: Any) -> int:
        try:
            number = quantity(answer, "number")
        except UnusableAnswer:
            number = None
        if number is None:
            raise RpcUnreachable(f"{method}: {self.url} answers {clean(answer)!r}, which is no number")
        return number

    def _call(self, method: str, params: Sequence[Any] | Mapping[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params) if isinstance(params, Mapping) else list(params)}
        status: int = 0
        said: Any = None
        try:
            status, content = self._sent(body)
            said = decode(content)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise RpcUnreachable(f"{method}: no answer from {self.url} ({clean(_cause(exc))})") from exc
        except SlowAnswer:
            raise RpcUnreachable(f"{method}: no answer from {self.url} (it did not end within {self.timeout:g} s)") from None
        except UnusableAnswer as exc:
            # Any other answer is told with its status, as what comes instead of JSON is a page of another server.
            if str(exc) != "no JSON":
                raise RpcUnreachable(f"{method}: the answer from {self.url} is {exc}") from None
        if not isinstance(said, dict) or not said.keys() & {"result", "error"}:
            raise RpcUnreachable(f"{method}: {self.url} answers with HTTP status {status} and no JSON-RPC")
        error = said.get("error")
        if error is not None:
            fields = error if isinstance(error, dict) else {"message": error}
            code = fields.get("code")
            raise RpcError(
                method,
                code if isinstance(code, int) and not isinstance(code, bool) else 0,
                clean(fields.get("message", ""), LONGEST_MESSAGE),
                fields.get("data"),
            )
        return said.get("result")

    def _sent(self, body: Any) -> tuple[int, bytes]:
        """HTTP status and content of the answer. Redirects are not followed: another server is not the node."""
        # A session of its own: sessions may not be shared by threads.
        with requests.Session() as session:
            # Nodes are near: a proxy of the environment cannot reach them.
            session.trust_env = False
            # A packed answer of kilobytes can be one of gigabytes.
            session.headers["Accept-Encoding"] = "identity"
            with session.post(self.url, json=body, timeout=self.timeout, allow_redirects=False, stream=True) as answer:
                return answer.status_code, read_body(answer.raw, self.timeout, LONGEST)


def _cause(exc: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap it several times, each time in more words."""
    while True:
        inner = exc.args[0] if exc.args and isinstance(exc.args[0], BaseException) else getattr(exc, "reason", None) or exc.__cause__
        if not isinstance(inner, BaseException):
            return " ".join(str(getattr(exc, "strerror", None) or exc).split()) or type(exc).__name__
        exc = inner
