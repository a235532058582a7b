# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._predicates import Verdict
from ansible_collections.gravity.cluster.plugins.module_utils._readiness import Board, message, told
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer, Container, common_block
from ansible_collections.gravity.cluster.plugins.module_utils._targets import parse_targets

OK = Verdict(True)
RPC = {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}


class Clock:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at 0."""
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    """Two nodes of which nothing is known yet."""
    return Board(parse_targets([{"name": name, "container": name, "probes": RPC} for name in ("a", "b")]), clock)


def test_the_progress_line() -> None:
    verdicts = {
        "node_0": OK,
        "node_1": OK,
        "node_2": Verdict(False, "height 0, waiting for height_at_least 2"),
        "node_3": Verdict(False, "port 8548 refuses connections"),
    }
    assert told(verdicts, OK) == ("2 of 4 ready; node_2: height 0, waiting for height_at_least 2; node_3: port 8548 refuses connections")


def test_the_progress_line_of_many_nodes_stays_short() -> None:
    line = told({f"n{number}": Verdict(False, "no answer yet") for number in range(50)}, OK)
    assert line.startswith("0 of 50 ready; n0: no answer yet; ")
    assert line.endswith("; and 46 more")


def test_the_progress_line_when_only_the_hashes_differ() -> None:
    assert told({"a": OK}, Verdict(False, "different blocks at height 4")) == "1 of 1 ready; different blocks at height 4"


def test_the_message_names_three_nodes_at_most() -> None:
    failures: t.Dict[str, t.Any] = {
        f"n{number}": {"cause": "exited", "reason": "no peers", "last": "height 0", "log": ["x", "y"]} for number in range(5)
    }
    said = message(failures, 9, 12.34)
    assert said.startswith("5 of 9 nodes not ready after 12.3 s: n0: no peers (last seen: height 0; last log line: y); n1: ")
    assert said.endswith("; and 2 more")
    assert "n3" not in said


def test_the_message_names_who_is_to_blame_before_who_suffers() -> None:
    said = message(
        {name: {"cause": cause, "reason": cause, "last": "-", "log": ["line"]} for name, cause in (("a", "stuck"), ("b", "exited"))}, 4, 1
    )
    assert said == "2 of 4 nodes not ready after 1.0 s: b: exited (last seen: -; last log line: line); a: stuck (last seen: -)"


def test_the_first_height_and_the_last_growth_are_kept(board: Board) -> None:
    for at, height in ((1.0, None), (2.0, 5), (3.0, 5), (4.0, 6), (5.0, 6)):
        board.answered("a", "rpc", Answer(at, height=height))
    sight = board.sights()["a"]
    assert (sight.first_height, sight.chain.height, sight.grew_at) == (5, 6, 4.0)
    assert board.sights()["b"].first_height is None


def test_a_status_counts_from_when_it_was_first_seen(board: Board, clock: Clock) -> None:
    for clock.now, status in ((1.0, "running"), (2.0, "exited"), (3.0, "exited")):
        board.saw({"a": Container("i", "a", status)})
    seen = board.sights()["a"].container
    assert seen is not None
    assert seen.since == 2.0
    assert board.sights()["b"].absent_since == 1.0


def test_restarts_are_counted_from_the_first_look_at_the_same_container(board: Board) -> None:
    board.saw({"a": Container("i", "a", "running", restarts=5)})
    board.saw({"a": Container("i", "a", "running", restarts=7)})
    seen = board.sights()["a"].container
    assert seen is not None
    assert seen.restarts_at_first == 5
    board.saw({"a": Container("other", "a", "running", restarts=1)})
    seen = board.sights()["a"].container
    assert seen is not None
    assert seen.restarts_at_first == 1


def test_a_wait_ends_with_news_and_without(board: Board) -> None:
    board.wait(10)
    board.wait(0.01)
    board.answered("a", "rpc", Answer(1.0))
    board.wait(10)


def test_the_common_block_is_the_highest_that_all_have_shown(board: Board) -> None:
    for height in (3, 4, 5):
        board.answered("a", "rpc", Answer(1.0, height=height, block_hash=f"0x{height}"))
    assert common_block(list(board.sights().values()), "eth") is None
    for height in (2, 4, 6):
        board.answered("b", "rpc", Answer(1.0, height=height, block_hash=f"0x{height}"))
    assert common_block(list(board.sights().values()), "eth") == (4, {"a": "0x4", "b": "0x4"})


def test_a_common_block_from_long_ago_does_not_count(board: Board) -> None:
    for name in ("a", "b"):
        for height in (3, 20):
            board.answered(name, "rpc", Answer(1.0, height=height + (name == "b" and height > 3), block_hash="0x"))
    assert common_block(list(board.sights().values()), "eth") is None


def test_only_so_many_blocks_are_remembered(board: Board) -> None:
    for height in range(200):
        board.answered("a", "rpc", Answer(1.0, height=height, block_hash="0x"))
    blocks = board.sights()["a"].blocks["eth"]
    assert len(blocks) == 64
    assert max(blocks) == 199
