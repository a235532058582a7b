# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody still works in a birth container."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _births as births
from ansible_collections.gravity.cluster.plugins.module_utils._process import identity


def left(holder: dict[str, Any], running: bool = True) -> births.Leftover:
    return births.Leftover("id", "t-birth", running, ("v",), holder)


def test_a_live_process_holds_it_even_before_it_runs() -> None:
    assert births.is_held(left(identity()))
    assert births.is_held(left(identity(), running=False))


def test_a_dead_process_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        holder = identity(process.pid)
        assert births.is_held(left(holder))
        process.kill()
    assert not births.is_held(left(holder))


def test_a_process_that_has_got_the_number_of_another_does_not() -> None:
    assert not births.is_held(left({**identity(), "since": "1"}))


@pytest.mark.parametrize("change", [{"boot": "another machine"}, {"space": "pid:[1]"}])
def test_a_process_that_cannot_be_seen_holds_it_while_its_container_runs(change: dict[str, str]) -> None:
    assert births.is_held(left({**identity(), **change}))
    assert not births.is_held(left({**identity(), **change}, running=False))


def test_a_container_without_a_holder_counts_by_its_lease() -> None:
    assert births.is_held(left({}))
    assert not births.is_held(left({}, running=False))
