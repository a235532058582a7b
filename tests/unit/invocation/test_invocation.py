# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that would do something else than was meant, or nothing."""

from __future__ import annotations

import typing as t

import pytest
from unit.docs import verbs

from ansible_collections.gravity.cluster.plugins.plugin_utils._invocation import OPTIONS, problems


def test_the_options_are_those_of_the_playbooks() -> None:
    of_engine = {"engine_url", "engine_ca", "engine_cert", "engine_key"}
    assert {name for verb in verbs.playbooks() for name in verbs.options(verb)} | of_engine == OPTIONS


def test_words_that_the_shell_has_parted_are_named() -> None:
    assert problems({"command": "ls", "_raw_params": "-l /data"}, ["all"], [], []) == [
        "-e: '-l /data' belongs to no variable: put quotes around the whole, for example -e 'command=\"ls -l /data\"'"
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("quorum_overide", "quorum_override"), ("Ready-Timeout", "ready_timeout"), ("image_upgrade", None), ("comand", "command")],
)
def test_a_misspelt_option_is_named(written: str, meant: t.Optional[str]) -> None:
    said = problems({written: "1"}, ["all"], [], [])
    assert said == ([f"-e {written}: no playbook of gravity.cluster has this option; did you mean {meant}?"] if meant else [])


def test_options_and_variables_of_the_user_pass() -> None:
    assert problems({**dict.fromkeys(OPTIONS, "x"), "my_own": 1, "ansible_user": "ops"}, ["all"], [], []) == []


def test_tags_that_leave_nothing_are_refused() -> None:
    assert problems({}, ["x"], [], [])[0].startswith("--tags x: ")
    assert problems({}, ["all"], ["untagged"], [])[0].startswith("--skip-tags untagged: ")
    # A playbook of the user that imports ours under a tag.
    assert problems({}, ["chain"], [], ["chain"]) == []
    assert problems({}, ["all"], ["slow"], []) == []
