# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.plugin_utils._table import (
    duration,
    lay_out,
    plain,
    plan_rows,
    printable,
    render,
    status_records,
    status_rows,
)

NODES = [
    {
        "name": "node_0",
        "role": "validator",
        "flavor": "injective",
        "host": "local",
        "container_name": "gravity_node_0",
        "network_ip": "172.20.0.10",
        "rpc_url": "http://127.0.0.1:8545",
    },
    {"name": "web", "role": "service", "flavor": "generic", "host": "local", "network_ip": "172.20.0.20", "rpc_url": None},
]
INFO = {
    "node_0": {
        "container": "gravity_node_0",
        "state": "running",
        "height": 12,
        "peers": 3,
        "image": "node:1",
        "uptime_seconds": 3750,
        "restarts": 0,
        "address": "172.20.0.10",
    }
}


def test_columns_are_aligned_and_numbers_are_flush_right() -> None:
    assert render(["node", "height"], [["node_0", 7], ["n", 1200], ["x", None]]) == [
        "NODE    HEIGHT",
        "node_0       7",
        "n         1200",
        "x            -",
    ]


def test_the_table_of_nodes() -> None:
    table = status_rows(NODES, INFO)
    assert render(**table) == [
        "NODE    ROLE       HOST   ADDRESS      RPC                    STATE    HEIGHT  PEERS",
        "node_0  validator  local  172.20.0.10  http://127.0.0.1:8545  running      12      3",
        "web     service    local  172.20.0.20  -                      unknown       -      -",
    ]


def test_files_that_were_changed_have_a_column() -> None:
    table = status_rows(NODES, {"node_0": {**INFO["node_0"], "drift": ["file /a was changed", "the key /b is gone"]}})
    assert table["columns"][-1] == "drift"
    assert [row[-1] for row in table["rows"]] == ["file /a was changed; the key /b is gone", ""]
    assert status_records(NODES, {"node_0": {"drift": []}})[0]["drift"] == []


def test_the_wide_table_fits_120_columns() -> None:
    table = status_rows(NODES, INFO, wide=True)
    assert table["columns"][-3:] == ["image", "uptime", "restarts"]
    assert table["rows"][0][-3:] == ["node:1", "1h 2m", 0]
    assert max(len(line) for line in render(**table)) <= 120


def test_records_for_programs_have_everything_and_the_given_address() -> None:
    records = status_records(NODES, {"node_0": {**INFO["node_0"], "address": None}})
    assert records[0]["address"] == "172.20.0.10"
    assert records[0]["restarts"] == 0
    assert records[1]["state"] == "unknown"


def test_the_state_is_coloured_and_other_columns_are_not() -> None:
    _title, good, bad, other = lay_out(["state", "name"], [["running", "error"], ["error", "running"], ["odd", ""]])
    assert [cell.colour for cell in good] == ["green", None]
    assert bad[0].colour == "red"
    assert other[0].colour is None


def test_the_longest_column_is_shortened_when_the_table_is_too_wide() -> None:
    lines = render(["node", "text"], [["node_0", "words " + "x" * 200]], width=60)
    assert len(lines[1]) == 60
    assert lines[1].endswith("x..")


def test_an_image_gives_way_first_and_keeps_its_tag() -> None:
    lines = render(["rpc", "image"], [["http://127.0.0.1:8545", "registry.example/some/where/node:1.20.1"]], width=50)
    assert lines[1].startswith("http://127.0.0.1:8545  ..")
    assert lines[1].endswith("/node:1.20.1")
    assert len(lines[1]) == 50


def test_a_table_without_rows_has_its_titles() -> None:
    assert render(["a", "b"], []) == ["A  B"]


def test_rows_may_be_too_short_or_too_long() -> None:
    assert render(["a", "b"], [["x"], ["x", "y", "z"]]) == ["A  B", "x  -", "x  y"]


@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=40)), min_size=3, max_size=3), max_size=6), st.integers(40, 120)
)
def test_all_lines_of_any_table_fit(rows: t.Any, width: int) -> None:
    lines = lay_out(["first", "state", "third"], rows, width)
    assert len(lines) == len(rows) + 1
    assert all(len(plain(line)) <= width for line in lines)
    assert all("\n" not in plain(line) and "\x1b" not in plain(line) for line in lines)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain \ttext", "plain \ttext"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("a\rb\x00c\x9bd", "abcd"),
        ("\x1bc reset", " reset"),
        ("\x1bP1$r\x1b\\text\x1b_a\x07\x1b^b\x07", "text"),
        ("a\u202eb\u2028\ud800c\nd", "abcd"),
    ],
)
def test_what_could_change_the_terminal_is_left_out(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, None), (0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3600, "1h 0m"), (90061, "1d 1h"), (864000, "10d 0h")],
)
def test_durations(seconds: t.Any, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_of_a_plan() -> None:
    result = {
        "network": {"name": "net", "action": "create", "reasons": ["absent"]},
        "volumes": [{"name": "a-data", "action": "none"}, {"name": "b-data", "action": "create", "node": "b"}],
        "nodes": [
            {"name": "a", "action": "recreate", "reasons": ["cpus 1 -> 2", "image x -> y"]},
            {"name": "b", "action": "none", "reasons": []},
        ],
    }
    assert plan_rows([result, {"nodes": [{"name": "c", "action": "remove", "reasons": ["c is not in the list any more"]}]}])["rows"] == [
        ["network net", "create", "absent"],
        ["volume b-data", "create", ""],
        ["a", "recreate", "cpus 1 -> 2; image x -> y"],
        ["b", "none", ""],
        ["c", "remove", "c is not in the list any more"],
    ]
