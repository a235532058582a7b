# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON-RPC client against a server that says what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from gravity_cluster import RpcClient, RpcError, RpcUnreachable
from unit.hostile import CONTENTS, MESSAGES, NO_NUMBERS, error


class Server(ThreadingHTTPServer):
    answer: bytes = b""
    status = 200
    asked: Any = None
    headers: Mapping[str, str] = {}
    # Sent again and again, with a pause (seconds).
    endless: bytes = b""
    pause = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(10**12 if self.server.endless else len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)
        with contextlib.suppress(OSError):
            while self.server.endless:
                self.wfile.write(self.server.endless)
                time.sleep(self.server.pause)

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


@pytest.mark.parametrize("number", ['"0x539"', '"0X539"', '"1337"', "1337"])
def test_numbers_in_every_form_that_probes_read(server: Server, client: RpcClient, number: str) -> None:
    server.answer = f'{{"result": {number}}}'.encode()
    assert asyncio.run(client.chain_id()) == asyncio.run(client.block_number()) == 1337


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


@pytest.mark.parametrize("answer", ["null", '"seven"', "-7"])
def test_a_number_that_is_none(server: Server, client: RpcClient, answer: str) -> None:
    server.answer = f'{{"result": {answer}}}'.encode()
    with pytest.raises(RpcUnreachable, match=r"eth_blockNumber: .* answers .*, which is no number"):
        asyncio.run(client.block_number())


def test_nobody_there() -> None:
    with pytest.raises(RpcUnreachable, match=r"^m: no answer from http://127.0.0.1:9 \(Connection refused\)$"):
        asyncio.run(RpcClient("http://127.0.0.1:9").call("m"))


def check(words: str) -> None:
    """What an exception says is one short clean line."""
    assert len(words) <= 1200
    assert words.isprintable()
    words.encode()


@pytest.mark.parametrize("name", CONTENTS)
def test_no_answer_of_a_malicious_node(server: Server, client: RpcClient, name: str) -> None:
    server.answer = CONTENTS[name]
    with pytest.raises(RpcUnreachable) as caught:
        asyncio.run(client.call("m"))
    check(str(caught.value))


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_no_number_of_a_malicious_node(server: Server, client: RpcClient, name: str) -> None:
    server.answer = json.dumps({"result": NO_NUMBERS[name]}).encode()
    with pytest.raises(RpcUnreachable, match="which is no number") as caught:
        asyncio.run(client.block_number())
    check(str(caught.value))


@pytest.mark.parametrize("name", MESSAGES)
def test_an_error_of_a_malicious_node(server: Server, client: RpcClient, name: str) -> None:
    server.answer = error(MESSAGES[name])
    with pytest.raises(RpcError) as caught:
        asyncio.run(client.call("m"))
    check(str(caught.value))


@pytest.mark.parametrize("code", ["[1]", '"x"', "null", "1e999", "9" * 6000, "true", "{}"])
def test_an_error_whose_code_is_none(server: Server, client: RpcClient, code: str) -> None:
    server.answer = f'{{"error": {{"code": {code}, "message": "no"}}}}'.encode()
    with pytest.raises(RpcError) as caught:
        asyncio.run(client.call("m"))
    assert caught.value.code == 0


def test_a_number_that_takes_long_to_read_stays_text(server: Server, client: RpcClient) -> None:
    server.answer = b'{"result": [1, ' + b"9" * 1_000_000 + b"]}"
    assert asyncio.run(client.call("m")) == [1, "9" * 1_000_000]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_server_is_not_the_node(server: Server, client: RpcClient, status: int) -> None:
    with Server(("127.0.0.1", 0), Handler) as other:
        server.status, server.headers, server.answer = status, {"Location": other.url}, b"moved"
        other.answer = b'{"result": "0x1"}'
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        with pytest.raises(RpcUnreachable, match=f"answers with HTTP status {status} and no JSON-RPC"):
            asyncio.run(client.block_number())
        other.shutdown()
        thread.join()
        assert other.asked is None


def test_an_answer_without_an_end_is_left(server: Server, client: RpcClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gravity_cluster.rpc.LONGEST", 1024**2)
    server.endless = b" " * 100_000
    with pytest.raises(RpcUnreachable, match=r"^m: the answer from http://127.0.0.1:\d+ is longer than 1 MB$"):
        asyncio.run(client.call("m"))


@pytest.mark.parametrize("piece", [b" ", b" " * 1000])
def test_an_answer_that_drips_has_an_end(server: Server, client: RpcClient, piece: bytes) -> None:
    server.endless, server.pause = piece, 0.05
    client.timeout = 0.3
    with pytest.raises(RpcUnreachable, match=r"^m: no answer from http://127.0.0.1:\d+ \(it did not end within 0.3 s\)$"):
        asyncio.run(client.call("m"))


def test_no_answer_is_trusted_before_the_chain_is_the_right_one(server: Server) -> None:
    server.answer = b'{"jsonrpc": "2.0", "id": 1, "result": "0x539"}'
    assert asyncio.run(RpcClient(server.url, chain_id=1337).block_number()) == 1337
    for _again in range(2):
        client = RpcClient(server.url, chain_id=1)
        with pytest.raises(RpcUnreachable, match="is on the chain 1337, and the spec says 1: something else has the node's address"):
            asyncio.run(client.call("eth_getBalance", ["0x0"]))
        assert server.asked["method"] == "eth_chainId"
