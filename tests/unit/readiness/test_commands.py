# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils._commands import failure, parse_command
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._logs import parse_time

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - 90),
        ("5m", NOW - 300),
        ("1h30m", NOW - 5400),
        ("2d", NOW - 172800),
        ("1.5h", NOW - 5400),
        ("90", NOW - 90),
        ("0", NOW),
        ("1700000000", 1700000000),
        ("2026-01-31T12:00:00Z", 1769860800),
        ("2026-01-31T12:00:00.25Z", 1769860800.25),
        ("2026-01-31T13:00:00+01:00", 1769860800),
        ("2026-01-31T10:30:00-0130", 1769860800),
        ("2026-01-31 12:00", 1769860800),
        ("2026-01-31", 1769817600),
        (" 5m ", NOW - 300),
    ],
)
def test_times_that_a_user_may_give(text: str, moment: float) -> None:
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "5x", "m5", "-5m", "2026-13-01", "2026-01-31T25:00:00Z", "5m later", "1e9", "{{ x }}"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a time: give for example 90s"):
        parse_time(text, NOW)


@given(st.datetimes(datetime.fromisoformat("2002-01-01"), datetime.fromisoformat("2100-01-01")), st.integers(-14 * 60, 14 * 60))
def test_any_rfc_3339_time_is_read_as_python_reads_it(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(moment.isoformat(), NOW) == pytest.approx(moment.timestamp(), abs=1e-5)


@given(
    st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1).filter(lambda words: words[0] != "")
)
def test_words_survive_the_quoting_of_a_shell(words: t.List[str]) -> None:
    assert parse_command(shlex.join(words)) == words
    assert parse_command(words) == words


@pytest.mark.parametrize("command", ["", "  ", [], [""], "echo 'open", None, 5])
def test_what_is_no_command_is_refused(command: t.Any) -> None:
    with pytest.raises(Refused):
        parse_command(command)


def test_a_failure_shows_the_last_line_of_what_a_node_said() -> None:
    failed = {
        "a": {"rc": 2, "stdout": "fine\n", "stderr": "first\nlast\n", "error": None},
        "b": {"rc": 1, "stdout": "only this\n", "stderr": "", "error": None},
        "c": {"rc": 1, "stdout": "", "stderr": "", "error": None},
        "d": {"rc": None, "stdout": "", "stderr": "", "error": "gone"},
    }
    assert failure(failed, ["a b", "c"]) == "'a b' c failed: a: ended with 2 (last); b: ended with 1 (only this); c: ended with 1; d: gone"
