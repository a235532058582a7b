# SPDX-License-Identifier: GPL-3.0-or-later
"""rpc_ready and real chains, and answers that no real chain gives on demand."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest
from integration.running import Chain, Data, answering, hanging, install_anvil, reply, start_chain

Run = t.Callable[..., Data]
NewChain = t.Callable[..., Chain]


@pytest.fixture(autouse=True)
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there: whoever asks it fails."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.fixture
def wait(run_module: Run) -> Run:
    """Run rpc_ready for targets without containers."""

    def run(*targets: Data, **options: t.Any) -> Data:
        return run_module("rpc_ready", {"cluster": "t-ready", "nodes": list(targets), "timeout": 15, **options})

    return run


def target(name: str, url: t.Union[str, int], *conditions: Data, kind: str = "eth") -> Data:
    url = f"http://127.0.0.1:{url}" if isinstance(url, int) else url
    return {"name": name, "probes": {"rpc": {"type": kind, "url": url}}, "conditions": list(conditions)}


def test_a_chain_that_advances_is_ready(wait: Run, chain: NewChain) -> None:
    url = chain("--chain-id", "1337", "--block-time", "1").url
    conditions = [{"is": "chain_id", "value": 1337}, {"is": "height_at_least", "value": 2}, {"is": "advancing"}, {"is": "not_syncing"}]
    node = wait(target("n", url, *conditions))["nodes"]["n"]
    assert node["ready"]
    assert node["height"] >= 2
    assert node["chain_id"] == 1337
    assert node["syncing"] is False
    assert node["block_hash"].startswith("0x")
    assert node["state"] is None
    assert node["reason"] is None


def test_a_wrong_chain_id_is_named(wait: Run, chain: NewChain) -> None:
    result = wait(target("n", chain("--chain-id", "7").url, {"is": "chain_id", "value": 1337}), timeout=2)
    assert result["failures"]["n"]["cause"] == "wrong_chain_id"
    assert "n: wrong chain id: got 7, expected 1337" in result["msg"]


def test_a_height_that_does_not_grow_is_stuck_and_the_quorum_is_told(wait: Run, chain: NewChain) -> None:
    url = chain().url
    away = target("gone", "http://127.0.0.1:9")
    result = wait(target("n", url, {"is": "advancing"}), away, timeout=3, validators={"n": 1, "gone": 1})
    assert result["failures"]["n"]["reason"] == "height stuck at 0: no quorum, 1 of 2 validators run (1 of 2 voting power)"
    assert result["failures"]["gone"]["reason"] == "port 9 refuses connections (nothing listens there)"


def test_a_node_without_peers(wait: Run) -> None:
    results = {"eth_chainId": "0x539", "eth_blockNumber": "0x0", "eth_syncing": False, "net_peerCount": "0x0"}
    with answering(rpc(results)) as port:
        result = wait(target("n", port, {"is": "peers_at_least", "value": 3}), timeout=2)
    assert result["failures"]["n"]["cause"] == "no_peers"
    assert "no peers at height 0" in result["msg"]


def test_a_node_that_syncs(wait: Run) -> None:
    progress = {"currentBlock": "0x5", "highestBlock": "0x64"}
    results = {"eth_chainId": "0x539", "eth_blockNumber": "0x5", "eth_syncing": progress, "net_peerCount": "0x3"}
    with answering(rpc(results)) as port:
        result = wait(target("n", port, {"is": "not_syncing"}), timeout=2)
    assert result["failures"]["n"]["reason"] == "still syncing at height 5 of 100"


def test_a_node_that_is_behind_waits_until_it_has_caught_up(wait: Run, chain: NewChain) -> None:
    ahead, behind = chain(), chain()
    ahead.call("anvil_mine", "0x14")
    threading.Timer(3.0, behind.call, ["anvil_mine", "0x13"]).start()
    result = wait(target("ahead", ahead.url), target("behind", behind.url, {"is": "caught_up", "value": 1}))
    assert result["nodes"]["behind"]["height"] == 19


def test_nodes_on_the_same_chain_agree(wait: Run, chain: NewChain) -> None:
    url = chain("--block-time", "1").url
    assert wait(target("a", url), target("b", url), together=[{"is": "same_block_hash"}])["ready"]


def test_a_hash_that_was_not_seen_before_is_asked_for(wait: Run, chain: NewChain) -> None:
    """Of the same chain, one node only shows an old state: the height at which both have a block is asked for."""
    one = chain()
    old = one.call("eth_getBlockByNumber", "latest", False)
    with answering(rpc({"eth_chainId": "0x7a69", "eth_blockNumber": "0x0", "eth_getBlockByNumber": old})) as port:
        one.call("anvil_mine", "0x3")
        assert wait(target("a", one.url), target("b", port), together=[{"is": "same_block_hash"}])["ready"]


def test_nodes_of_another_genesis_are_named(wait: Run, chain: NewChain) -> None:
    same = ["--timestamp", "1700000000", "--chain-id", "5"]
    good, twin, odd = chain(*same), chain(*same), chain("--timestamp", "1600000000", "--chain-id", "5")
    targets = [target("good", good.url), target("twin", twin.url), target("odd", odd.url)]
    result = wait(*targets, together=[{"is": "same_block_hash"}], timeout=3)
    assert list(result["failures"]) == ["odd"]
    assert result["failures"]["odd"]["cause"] == "genesis_mismatch"
    assert "odd: not on the same chain as the others: different blocks at height 0 (good, twin: 0x" in result["msg"]


def test_a_node_that_hangs_does_not_delay_the_others(wait: Run, chain: NewChain) -> None:
    url = chain().url
    with hanging() as port:
        result = wait(target("good", url), *(target(f"hangs_{number}", port) for number in range(5)), timeout=5)
    assert result["nodes"]["good"]["seconds"] < result["seconds"]
    assert result["failures"]["hangs_0"]["reason"] == f"port {port} does not answer within 2 s"


def test_a_chain_that_comes_late_is_waited_for(wait: Run, free_port: t.Callable[[], int]) -> None:
    program, port = install_anvil(), free_port()
    came: t.List[Chain] = []
    timer = threading.Timer(2.0, lambda: came.append(start_chain(program, port)))
    timer.start()
    result = wait(target("n", port))
    timer.join()
    came[0].process.kill()
    came[0].process.wait()
    assert result["ready"]


COMET = {
    "status": {
        "node_info": {"network": "gravity-1"},
        "sync_info": {"latest_block_height": "12", "latest_block_hash": "AB", "catching_up": False},
    },
    "net_info": {"n_peers": "3"},
}


def test_cometbft_is_understood(wait: Run) -> None:
    conditions = [
        {"is": "chain_id", "value": "gravity-1"},
        {"is": "height_at_least", "value": 12},
        {"is": "peers_at_least", "value": 3},
        {"is": "not_syncing"},
    ]
    with answering(rpc(COMET)) as port:
        node = wait(target("n", port, *conditions, kind="cometbft"))["nodes"]["n"]
    assert (node["height"], node["peers"], node["syncing"], node["chain_id"], node["block_hash"]) == (12, 3, False, "gravity-1", "AB")


def test_a_node_that_knows_no_batches_is_asked_one_by_one(wait: Run) -> None:
    results = {"eth_chainId": "0x539", "eth_blockNumber": "0x5", "eth_syncing": False, "net_peerCount": "0x3"}
    with answering(rpc(results, batches=False)) as port:
        node = wait(target("n", port, {"is": "peers_at_least", "value": 3}))["nodes"]["n"]
    assert (node["chain_id"], node["height"]) == (1337, 5)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"<html>", "502 Bad Gateway"), "port {port} answers HTTP 502 without JSON"),
        (reply({"error": {"code": -32000, "message": "starting"}}), "port {port} answers with an error: starting"),
        (reply([1, "x", None]), "port {port} does not speak JSON-RPC"),
        (reply(b"[" * 100_000), "port {port}: its answer is nested too deep"),
        (reply([{"id": 0, "result": "zero"}, {"id": 1, "result": {"a": []}}]), "port {port}: its answer is no usable chain id (zero)"),
        (b"", "port {port} closes connections without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "port {port}: "),
        (b"\x00\x01\x02", "port {port}: "),
    ],
)
def test_strange_answers_are_one_line(wait: Run, answer: bytes, reason: str) -> None:
    with answering(lambda _line, _body: answer) as port:
        result = wait(target("n", port), timeout=1)
    assert result["failures"]["n"]["reason"].startswith(reason.format(port=port)), result["msg"]
    assert "\n" not in result["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"nodes": [{"name": "n", "conditions": [{"is": "advanceing"}]}]},
            "n: conditions[0]: unknown condition 'advanceing': did you mean advancing?",
        ),
        ({"nodes": [{"name": "n", "probes": {"x": {"type": "eth"}}}]}, "n: probes.x: a probe of type eth needs url: add it"),
        ({"nodes": [{"name": "n"}, {"name": "n"}]}, "nodes: n is there twice: give each node once"),
        ({"timeout": 0}, "timeout 0 is not a time: give more than 0 seconds"),
        ({"interval": 1}, "interval 1 is too short: give at least 10 milliseconds"),
        ({"validators": {"n": "many"}}, "validators: the voting power 'many' of n is not a whole number: give one"),
    ],
)
def test_bad_options_are_one_line(run_module: Run, options: Data, message: str) -> None:
    result = run_module("rpc_ready", {"cluster": "t-ready", "nodes": [], **options})
    assert result["failed"]
    assert result["msg"] == message


def rpc(results: Data, batches: bool = True) -> t.Callable[[str, bytes], bytes]:
    """A JSON-RPC server that always has the same results, by method."""

    def one(request: Data) -> Data:
        if request["method"] in results:
            return {"jsonrpc": "2.0", "id": request["id"], "result": results[request["method"]]}
        return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "Method not found"}}

    def answer(_line: str, body: bytes) -> bytes:
        asked = json.loads(body)
        if isinstance(asked, list) and not batches:
            return reply({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid request"}})
        return reply([one(request) for request in asked] if isinstance(asked, list) else one(asked))

    return answer
