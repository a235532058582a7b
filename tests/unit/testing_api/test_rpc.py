# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON-RPC client against a server that says what a test wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from gravity_cluster import RpcClient, RpcError, RpcUnreachable


class Server(ThreadingHTTPServer):
    answer: bytes = b""
    status = 200
    asked: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> RpcClient:
    # Nobody answers there: the client must not ask it.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    return RpcClient(server.url, timeout=5)


def test_numbers_are_numbers(server: Server, client: RpcClient) -> None:
    server.answer = b'{"jsonrpc": "2.0", "id": 1, "result": "0x539"}'
    assert asyncio.run(client.chain_id()) == 1337
    assert server.asked == {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    assert asyncio.run(client.block_number()) == 1337


def test_params_are_a_list_or_a_mapping(server: Server, client: RpcClient) -> None:
    server.answer = b'{"result": null}'
    assert asyncio.run(client.call("m", ("latest", False))) is None
    assert server.asked["params"] == ["latest", False]
    asyncio.run(client.call("m", {"a": 1}))
    assert server.asked["params"] == {"a": 1}


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_error_of_the_node(server: Server, client: RpcClient, status: int) -> None:
    server.status = status
    server.answer = b'{"error": {"code": -32000, "message": "too\\nlow", "data": "0x"}}'
    with pytest.raises(RpcError) as caught:
        asyncio.run(client.call("eth_send"))
    assert (caught.value.code, caught.value.message, caught.value.data) == (-32000, "too low", "0x")


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b""])
def test_what_is_no_answer(server: Server, client: RpcClient, answer: bytes) -> None:
    server.status, server.answer = 502, answer
    with pytest.raises(RpcUnreachable, match="answers with HTTP status 502 and no JSON-RPC"):
        asyncio.run(client.call("m"))


@pytest.mark.parametrize("answer", ["null", "7", '"seven"'])
def test_a_number_that_is_none(server: Server, client: RpcClient, answer: str) -> None:
    server.answer = f'{{"result": {answer}}}'.encode()
    with pytest.raises(RpcUnreachable, match=r"eth_blockNumber: .* answers .*, which is no number"):
        asyncio.run(client.block_number())


def test_nobody_there() -> None:
    with pytest.raises(RpcUnreachable, match=r"^m: no answer from http://127.0.0.1:9 \(Connection refused\)$"):
        asyncio.run(RpcClient("http://127.0.0.1:9").call("m"))
