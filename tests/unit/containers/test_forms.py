# SPDX-License-Identifier: GPL-3.0-or-later
"""Twice is once: no form of a setting is a change for ever."""

from __future__ import annotations

import pytest
from unit.containers.builders import defined, exited, made, requested, seen
from unit.containers.forms import FORMS, GIVEN_BACK

from ansible_collections.gravity.cluster.plugins.module_utils._plan import NONE, START, plan
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import CONTAINER
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_values import health_test

# What says which container it is, not how it runs; and what the tests of volumes, files and images have.
ELSEWHERE = {"name", "node", "role", "flavor", "image", "network_ip", "aliases", "genesis", "volumes", "files"}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_settled_at_once(name: str) -> None:
    one = defined(**FORMS[name])
    assert plan(requested(one), seen(made(one))).steps[0].reasons == ()


@pytest.mark.parametrize("name", GIVEN_BACK)
def test_every_form_that_is_given_back(name: str) -> None:
    options, changes = GIVEN_BACK[name]
    one = defined(**options)
    assert plan(requested(one), seen(made(one, **changes))).steps[0].reasons == ()


def test_every_setting_stands_in_the_list() -> None:
    assert {option for options in FORMS.values() for option in options} == set(CONTAINER) - ELSEWHERE


def test_a_time_of_the_health_check_that_is_taken_away() -> None:
    before = made(defined(health={"test": ["true"], "interval": "5s"}))
    assert plan(requested(defined(health={"test": ["true"]})), seen(before)).steps[0].reasons == ("health check interval 5 s -> none",)


def test_a_volume_that_became_another_is_seen_in_binds_too() -> None:
    one = defined(volumes=[{"name": "one", "target": "/one"}])
    found = made(one, HostConfig__Mounts=None, HostConfig__Binds=["one:/one:ro"])
    assert plan(requested(one), seen(found)).steps[0].reasons == ("volume at /one one (read-only) -> one",)


@pytest.mark.parametrize(
    ("restart", "code", "action"),
    [("no", 0, NONE), ("no", 3, START), ("unless-stopped", 0, START), ("always", 0, START), ("on-failure", 0, START)],
)
def test_a_one_shot_that_ended_well_is_left(restart: str, code: int, action: str) -> None:
    one = defined(restart=restart)
    assert plan(requested(one), seen(made(one, exited(code)))).steps[0].action == action


def test_a_one_shot_runs_again_when_it_is_named() -> None:
    found = seen(made(defined(restart="no"), exited(0)))
    assert plan(requested(nodes=("node_0",)), found).steps[0].action == START


def test_no_health_check_as_text_and_in_words_is_one() -> None:
    assert health_test("NONE") == health_test(["NONE"]) == ["NONE"]
