# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of malicious nodes, for whatever asks nodes."""

from __future__ import annotations

import gzip
import json
import typing as t

# What an honest node answers, in the less usual forms of numbers.
ETH: t.Mapping[str, t.Any] = {
    "eth_chainId": "1337",
    "eth_blockNumber": 17,
    "eth_getBlockByNumber": {"number": "0x10", "hash": "0xabc"},
    "eth_syncing": False,
    "net_peerCount": 3,
}

# What is no number, however it is asked for.
NO_NUMBERS: t.Mapping[str, t.Any] = {
    "decimal text": "9" * 6000,
    "hexadecimal": "0x" + "f" * 6000,
    "negative": -1,
    "bool": True,
    "float": 1e300,
    "list": [[1]],
    "mapping": {"a": 1},
    "surrogate number": "\ud800",
    "escapes in a number": "\x1b]0;title\x07\x1b[2J7",
}

# Messages of errors.
MESSAGES: t.Mapping[str, t.Any] = {
    "surrogate": "\ud800 here",
    "escapes": "\x1b]0;title\x07\x1b[2J\x9b31m here",
    "other strings of a terminal": "\x1bP1$r\x1b\\\x1b_a\x07\x1bX\x1b^ here",
    "lines": "a\nb\r\nc",
    "other directions": "\u202eabc\u2066",
    "long message": "x" * 3_000_000,
    "message is a list": [[1]],
}

# What is no JSON-RPC at all.
CONTENTS: t.Mapping[str, bytes] = {
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep in a mapping": b'{"result": ' + b'{"a":' * 100_000,
    "empty": b"",
    "not UTF-8": b"\xff\xfe\xff",
    "page": b"<html>",
    "packed": gzip.compress(b" " * 50_000_000),
}


def result(method: str, number: int, **results: t.Any) -> t.Dict[str, t.Any]:
    """An answer as a mapping, of which ``results`` take the place of what is honest."""
    return {"jsonrpc": "2.0", "id": number, "result": results.get(method, ETH[method])}


def lie(**results: t.Any) -> bytes:
    """The answer to a batch."""
    return json.dumps([result(method, number, **results) for number, method in enumerate(ETH)]).encode()


def error(message: t.Any) -> bytes:
    """A refusal."""
    return json.dumps({"id": None, "error": {"code": 1, "message": message}}).encode()
