# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import yaml
from unit.containers.builders import defined, exited, made, plain, requested, seen

from ansible_collections.gravity.cluster.plugins.module_utils._apply import Applied, Outcome, parents
from ansible_collections.gravity.cluster.plugins.module_utils._apply import plain as in_plain_words
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems
from ansible_collections.gravity.cluster.plugins.module_utils._plan import Step, plan
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import (
    ARGUMENTS,
    differences_of,
    failure,
    parse_request,
    refuse,
    report,
)
from ansible_collections.gravity.cluster.plugins.modules import containers as module


def parsed(**params: Any) -> tuple[Any, list[str]]:
    problems = Problems()
    return parse_request({"cluster": "demo", **params}, problems), problems.lines


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"state": "present", "nodes": ["a"]}, "state present needs complete definitions: give `containers`, not only `nodes`"),
        ({"state": "stopped", "purge": True}, "purge removes data and goes only with state absent: leave it out, or set state: absent"),
        (
            {"containers": [plain()], "nodes": ["node_0"], "prune": True},
            "prune needs the whole list of `containers`: leave out `nodes`, and stop or remove nodes in a call of its own",
        ),
        (
            {"prune": True},
            "prune needs the whole list of `containers`: leave out `nodes`, and stop or remove nodes in a call of its own",
        ),
        ({"concurrency": 0}, "concurrency: choose at least 1"),
        (
            {"containers": [plain()], "nodes": ["node_0", "node_7"]},
            "node_7: named in `nodes` but not defined in `containers`: correct the name, or add the definition",
        ),
    ],
)
def test_options_that_do_not_go_together(params: dict[str, Any], line: str) -> None:
    assert parsed(**params)[1] == [line]


def test_nodes_pick_from_the_definitions() -> None:
    request, lines = parsed(containers=[plain(0), plain(1)], nodes=["node_1"])
    assert lines == []
    assert [one.node for one in request.containers] == ["node_1"]
    assert not request.whole


def test_an_empty_list_is_not_the_whole_cluster() -> None:
    assert parsed(state="absent")[0].whole
    for empty in ({"nodes": []}, {"containers": []}, {"nodes": [], "containers": []}, {"nodes": [], "containers": [plain()]}):
        assert not parsed(state="absent", **empty)[0].whole


def test_a_refusal_names_all_problems() -> None:
    refuse(Problems())
    with pytest.raises(Refused, match=r"^a is wrong \(nothing was changed\)$"):
        refuse(Problems(["a is wrong"]))
    with pytest.raises(Refused) as caught:
        refuse(Problems(["a is wrong", "b too"]))
    assert caught.value.message == "2 problems, nothing was changed: (1) a is wrong; (2) b too"
    assert caught.value.details == {"problems": ["a is wrong", "b too"]}


def outcome(number: int, error: str | None = None, action: str = "create") -> Outcome:
    return Outcome(Step(f"node_{number}", f"demo_{number}", action, ("absent",)), error)


TAKEN = "host port 127.0.0.1:8546 is taken by another program: end it, or choose another host port"


def test_a_failure_says_what_became_of_the_rest() -> None:
    applied = Applied([outcome(0), outcome(1, TAKEN), outcome(2, action="none"), outcome(3)])
    assert failure(requested(), applied) == (
        f"1 of 4 nodes failed: node_1: {TAKEN}; node_0, node_2, node_3 run and are left alone; "
        "fix it and run again to continue, or add deploy_rollback=true to remove what a run created"
    )


def test_a_common_cause_is_told_once() -> None:
    applied = Applied([outcome(0, "no"), outcome(1, "no"), outcome(2)])
    assert failure(requested(), applied).startswith("2 of 3 nodes failed: node_0, node_1: no; node_2 runs and is left alone; ")


def test_a_rollback_is_told() -> None:
    applied = Applied([outcome(0), outcome(1, TAKEN)], rolled_back=["container demo_1", "container demo_0", "network net"])
    assert failure(requested(rollback=True), applied) == (
        f"1 of 2 nodes failed: node_1: {TAKEN}; rolled back: container demo_0, container demo_1, network net; fix it and run again"
    )


def test_a_failed_removal_offers_no_rollback() -> None:
    applied = Applied([outcome(0, action="remove")], {("volume", "v"): "removing volume v: in use"})
    assert failure(requested(state="absent"), applied) == "removing volume v: in use; fix it and run again to continue"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            (
                "starting container demo_1: driver failed programming external connectivity on endpoint demo_1 (abc): "
                "Bind for 127.0.0.1:8546 failed: port is already allocated"
            ),
            TAKEN,
        ),
        (
            (
                "starting container demo_1: driver failed: Error starting userland proxy: "
                "listen tcp4 127.0.0.1:8546: bind: address already in use"
            ),
            TAKEN,
        ),
        (
            "starting container demo_1: Address already in use",
            "address 10.9.0.11 is taken by another container of the network: disconnect that one, or choose another address",
        ),
        ("starting container demo_1: no space left on device", "starting container demo_1: no space left on device"),
    ],
)
def test_the_engine_in_plain_words(said: str, words: str) -> None:
    assert in_plain_words(said, Step("node_1", "demo_1", "create", definition=defined(1))) == words


def test_folders_above_a_file() -> None:
    assert parents("a/b/c") == ["a", "a/b"]
    assert parents("c") == []


# Diffs


def test_a_diff_shows_what_changes_and_hides_environments() -> None:
    before = made(defined(memory="1g", env={"TOKEN": "old-secret"}))
    found = plan(requested(defined(memory="2g", env={"TOKEN": "new-secret"})), seen(before))
    diff = differences_of(found, {})
    assert diff == [
        {
            "before_header": "container demo_0",
            "after_header": "container demo_0",
            "before": {
                "exists": True,
                "runs": True,
                "memory": "1g",
                "environment variable TOKEN": "(set)",
                "container": before.id[:12],
            },
            "after": {"exists": True, "runs": True, "memory": "2g", "environment variable TOKEN": "(changed)", "container": "(new)"},
        }
    ]
    assert "secret" not in str(report(found, Applied([Outcome(step) for step in found.steps]), diff))


def test_a_diff_shows_the_text_of_files() -> None:
    def one(text: str) -> Any:
        return defined(read_only=False, files=[{"path": "/a", "content": text}])

    found = plan(requested(one("new\n")), seen(made(one("old\n"))))
    assert differences_of(found, {("demo_0", "/a"): "old\n"})[1] == {
        "before_header": "demo_0:/a",
        "after_header": "demo_0:/a",
        "before": "old\n",
        "after": "new\n",
    }


def test_a_diff_covers_network_and_volumes() -> None:
    one = defined(volumes=[{"name": "demo_0-data", "target": "/data"}])
    titles = [entry["after_header"] for entry in differences_of(plan(requested(one), seen(networks=())), {})]
    assert titles == ["network demo-net", "volume demo_0-data", "container demo_0"]


def test_nothing_to_do_has_no_diff() -> None:
    assert differences_of(plan(requested(defined()), seen(made(defined()))), {}) == []


def test_the_result_lists_every_node() -> None:
    found = plan(requested(defined(0), defined(1)), seen(made(defined(0)), made(defined(1), exited(1))))
    outcomes = [Outcome(found.steps[0], final=found.steps[0].observed), Outcome(found.steps[1], "no", final=found.steps[1].observed)]
    assert report(found, Applied(outcomes, changed=True), [])["nodes"] == [
        {
            "name": "node_0",
            "container": "demo_0",
            "action": "none",
            "reasons": [],
            "state": "running",
            "ok": True,
            "error": None,
            "files": {},
        },
        {
            "name": "node_1",
            "container": "demo_1",
            "action": "start",
            "reasons": ["not running (exited with code 1)"],
            "state": "error",
            "ok": False,
            "error": "no",
            "files": {},
        },
    ]


# The module's documentation


def test_options_and_documentation_agree() -> None:
    def compare(spec: dict[str, Any], documented: dict[str, Any], path: str) -> None:
        assert sorted(spec) == sorted(documented), path
        for name, option in spec.items():
            words = documented[name]
            for key in ("type", "elements", "choices", "default", "required"):
                assert option.get(key) == words.get(key), f"{path}{name}: {key}"
            compare(option.get("options") or {}, words.get("suboptions") or {}, f"{path}{name}.")

    compare(ARGUMENTS, yaml.safe_load(module.DOCUMENTATION)["options"], "")
