# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against real sockets of this machine; the chains are in tests/integration/rpc_ready."""

from __future__ import annotations

import json
import socket
import threading
import time
import typing as t
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from unit.hostile import CONTENTS, MESSAGES, NO_NUMBERS, error, lie, result

from ansible_collections.gravity.cluster.plugins.module_utils._probes import Prober, at_once, place
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer
from ansible_collections.gravity.cluster.plugins.module_utils._targets import parse_targets

Handler = t.Callable[[BaseHTTPRequestHandler], None]
Serve = t.Callable[[Handler], int]


@pytest.fixture
def serve() -> t.Iterator[Serve]:
    """Start HTTP servers with keep-alive on ports of this machine."""
    servers: t.List[ThreadingHTTPServer] = []

    def start(handle: Handler) -> int:
        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                handle(self)

            do_POST = do_GET  # noqa: N815 - the name that the standard library looks for

            def log_message(self, *_args: t.Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there: whoever asks it fails."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def prober(**probe: t.Any) -> Prober:
    target = parse_targets([{"name": "n", "probes": {"p": {"timeout": 1, **probe}}}])[0]
    return Prober(target, target.probes[0], None)


def ask(**probe: t.Any) -> Answer:
    return prober(**probe).ask()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def free() -> int:
    with closing(socket.socket()) as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500])
def test_http_tells_the_status_and_does_not_follow_redirects(serve: Serve, status: int) -> None:
    port = serve(lambda handler: send(handler, status, Location="http://127.0.0.1:9/elsewhere"))
    assert ask(type="http", url=f"http://127.0.0.1:{port}/x").status == status


def test_a_connection_is_used_again(serve: Serve) -> None:
    clients = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        clients.append(handler.client_address)
        send(handler, 200, b"x" * 10_000)

    one = prober(type="http", url=f"http://127.0.0.1:{serve(handle)}/")
    assert [one.ask().status for _number in range(3)] == [200, 200, 200]
    one.close()
    assert len(set(clients)) == 1


def test_a_server_that_was_away_is_found_again(serve: Serve) -> None:
    def handle(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200)
        handler.close_connection = True

    one = prober(type="http", url=f"http://127.0.0.1:{serve(handle)}/")
    assert [one.ask().status for _number in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("kind", ["http", "eth", "cometbft"])
def test_nobody_listens(kind: str) -> None:
    port = free()
    answer = ask(type=kind, url=f"http://127.0.0.1:{port}")
    assert (answer.error, answer.cause) == (f"port {port} refuses connections", "refused")


def test_nobody_listens_on_tcp() -> None:
    port = free()
    answer = ask(type="tcp", host="127.0.0.1", port=port)
    assert (answer.error, answer.cause) == (f"port {port} refuses connections", "refused")


@pytest.mark.parametrize("kind", ["http", "eth"])
def test_somebody_listens_and_never_answers(kind: str) -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        answer = ask(type=kind, url=f"http://127.0.0.1:{port}", timeout=0.3)
    assert (answer.error, answer.cause) == (f"port {port} does not answer within 0.3 s", "timeout")


@pytest.mark.parametrize(
    ("greeting", "stays", "cause"),
    [(b"", True, None), (b"220 hello\r\n", True, None), (b"220 hello\r\n", False, None), (b"", False, "reset")],
)
def test_a_port_is_open_when_it_stays_open_or_says_something(greeting: bytes, stays: bool, cause: t.Optional[str]) -> None:
    kept = []
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept() -> None:
            connection = listener.accept()[0]
            connection.sendall(greeting)
            kept.append(connection)
            if not stays:
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        assert ask(type="tcp", host="127.0.0.1", port=listener.getsockname()[1]).cause == cause
        thread.join()
    kept[0].close()


def test_a_name_that_does_not_exist_is_one_line() -> None:
    answer = ask(type="http", url="http://no-such-host.invalid:81/")
    assert answer.error is not None
    assert answer.error.startswith("no-such-host.invalid:81")
    assert "\n" not in answer.error


def test_an_address_that_makes_no_sense_is_one_line() -> None:
    for url in ("http://", "http://[", "http://127.0.0.1:99999/", "http://127.0.0.1:port/"):
        answer = ask(type="http", url=url)
        assert answer.cause == "protocol", url
        assert answer.error
        assert "\n" not in answer.error


def test_ethereum_json_rpc_in_one_request(serve: Serve) -> None:
    asked = []
    results: t.Dict[str, t.Any] = {
        "eth_chainId": "0x539",
        "eth_blockNumber": "0x11",
        "eth_getBlockByNumber": {"number": "0x10", "hash": "0xabc"},
        "eth_syncing": {"currentBlock": "0x10", "highestBlock": "0x40"},
        "net_peerCount": "0x3",
    }

    def handle(handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        handler.headers.replace_header("Content-Length", "0")
        asked.append(body)
        # The order of a batch's answers is free.
        send(handler, 200, json.dumps([{"id": one["id"], "result": results[one["method"]]} for one in reversed(body)]).encode())

    answer = ask(type="eth", url=f"http://127.0.0.1:{serve(handle)}")
    assert len(asked) == 1
    # Height and hash are of one block.
    assert (answer.chain_id, answer.height, answer.highest, answer.peers, answer.syncing, answer.block_hash) == (
        1337,
        16,
        64,
        3,
        True,
        "0xabc",
    )


def test_a_huge_answer_is_not_read_to_its_end(serve: Serve) -> None:
    port = serve(lambda handler: send(handler, 200, b"[" + b" " * 6_000_000 + b"]"))
    assert ask(type="eth", url=f"http://127.0.0.1:{port}").error == f"port {port}: its answer is longer than 4 MB"


REFUSED = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}


@pytest.mark.parametrize(
    "refusal",
    [
        lambda _batch: [REFUSED],
        lambda _batch: REFUSED,
        lambda _batch: [{**REFUSED, "id": 0}],
        lambda _batch: [{**REFUSED, "id": [1]}],
        lambda _batch: [],
        lambda _batch: None,
        lambda batch: [result(one["method"], one["id"]) for one in batch[1:3]],
        lambda _batch: [result("eth_chainId", 0), REFUSED, 7],
    ],
    ids=[
        "list of one error",
        "one error",
        "with the first id",
        "with a list as id",
        "nothing",
        "null",
        "some answers",
        "some and an error",
    ],
)
def test_a_batch_that_is_refused_or_partly_answered(serve: Serve, refusal: t.Callable[[t.Any], t.Any]) -> None:
    def handle(handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        handler.headers.replace_header("Content-Length", "0")
        send(handler, 200, json.dumps(refusal(body) if isinstance(body, list) else result(body["method"], body["id"])).encode())

    answer = ask(type="eth", url=f"http://127.0.0.1:{serve(handle)}")
    assert (answer.error, answer.chain_id, answer.height, answer.peers, answer.syncing) == (None, 1337, 16, 3, False)


HOSTILE: t.Mapping[str, bytes] = {
    **CONTENTS,
    **{f"chain: {name}": lie(eth_chainId=value) for name, value in NO_NUMBERS.items()},
    **{f"height: {name}": lie(eth_blockNumber=value) for name, value in NO_NUMBERS.items()},
    **{name: error(message) for name, message in MESSAGES.items()},
    "decimal digits": b'[{"id": 0, "result": ' + b"9" * 6000 + b"}]",
    "huge block": lie(eth_getBlockByNumber={"number": "0x" + "f" * 6000, "hash": "0x1"}),
    "huge peers": lie(net_peerCount="0x" + "f" * 6000),
    "huge goal": lie(eth_syncing={"highestBlock": "0x" + "f" * 6000}),
    "long": b"[" + b" " * 5_000_000 + b"]",
}


@pytest.mark.parametrize("kind", ["eth", "cometbft"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_answer_is_one_short_clean_line(serve: Serve, name: str, kind: str) -> None:
    encoding = {"Content_Encoding": "gzip"} if name == "packed" else {}
    answer = ask(type=kind, url=f"http://127.0.0.1:{serve(lambda handler: send(handler, 200, HOSTILE[name], **encoding))}")
    assert answer.error is not None
    assert len(answer.error) <= 200
    assert answer.error.isprintable()
    answer.error.encode()


def test_names_and_hashes_of_a_chain_are_clean_and_short(serve: Serve) -> None:
    body = lie(eth_getBlockByNumber={"number": 1, "hash": "\x1b[2J\ud800" + "x" * 1000})
    answer = ask(type="eth", url=f"http://127.0.0.1:{serve(lambda handler: send(handler, 200, body))}")
    assert answer.error is None
    assert answer.block_hash == "x" * 78 + ".."


def test_an_answer_that_never_ends_has_a_deadline(serve: Serve) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "3000000")
        handler.end_headers()
        while not over.wait(0.05):
            handler.wfile.write(b" " * 20_000)

    answer = ask(type="eth", url=f"http://127.0.0.1:{serve(drip)}", timeout=0.3)
    over.set()
    assert answer.cause == "timeout"


def test_a_command_needs_a_container() -> None:
    answer = ask(type="exec", command=["true"])
    assert answer.cause == "engine"
    assert answer.error == "p: a probe of type exec needs the node's container on this Docker host"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:8545", "port 8545"),
        ("http://localhost/x", "port 80"),
        ("https://[::1]/", "port 443"),
        ("http://10.0.0.7:26657", "10.0.0.7:26657"),
    ],
)
def test_where_a_node_listens_in_words(url: str, words: str) -> None:
    assert place(url) == words


def test_what_hangs_or_fails_is_left_out_of_many_works() -> None:
    def fail() -> str:
        raise ValueError

    over = threading.Event()
    works: t.Dict[str, t.Callable[[], str]] = {"good": lambda: "x", "fails": fail, "hangs": lambda: str(over.wait(10))}
    began = time.monotonic()
    assert at_once(works, 0.3) == {"good": "x"}
    assert time.monotonic() - began < 10
    over.set()
    nothing: t.Dict[str, t.Callable[[], str]] = {}
    assert at_once(nothing, 5) == {}
