# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.containers.builders import (
    CREATED,
    IMAGE,
    IMAGE_ID,
    NETWORK,
    RUNNING,
    defined,
    exited,
    made,
    network,
    requested,
    seen,
    volume,
)

from ansible_collections.gravity.cluster.plugins.module_utils._definition import NetworkDefinition
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed, ObservedContainer, ObservedNetwork
from ansible_collections.gravity.cluster.plugins.module_utils._plan import STATES, Plan, Request, plan

PAUSED = {**RUNNING, "Status": "paused", "Paused": True}
LOOPING = {**RUNNING, "Status": "restarting", "Restarting": True}
OTHER_ID = "sha256:" + "b" * 64


def said(found: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(step.node, step.action, step.reasons) for step in found.steps]


def only(request: Request, observed: Observed) -> tuple[str, tuple[str, ...]]:
    found = plan(request, observed)
    assert len(found.steps) == 1
    return found.steps[0].action, found.steps[0].reasons


@pytest.mark.parametrize(
    ("state", "process", "action", "reasons", "start"),
    [
        ("started", None, "create", ("absent",), True),
        ("started", RUNNING, "none", (), True),
        ("started", LOOPING, "none", (), True),
        ("started", exited(0), "start", ("not running (exited with code 0)",), True),
        ("started", exited(1), "start", ("not running (exited with code 1)",), True),
        ("started", exited(137, OOMKilled=True), "start", ("not running (exited with code 137, out of memory)",), True),
        ("started", CREATED, "start", ("not running (never started)",), True),
        ("started", PAUSED, "start", ("paused",), True),
        ("started", {"Status": "dead", "Dead": True}, "recreate", ("dead: its removal failed half-way",), True),
        ("present", None, "create", ("absent",), False),
        ("present", RUNNING, "none", (), True),
        ("present", exited(0), "none", (), False),
        ("present", CREATED, "none", (), False),
        ("restarted", None, "create", ("absent",), True),
        ("restarted", RUNNING, "restart", ("asked for",), True),
        ("restarted", LOOPING, "restart", ("asked for",), True),
        ("restarted", exited(0), "start", ("not running (exited with code 0)",), True),
        ("recreated", None, "create", ("absent",), True),
        ("recreated", RUNNING, "recreate", ("asked for",), True),
        ("recreated", exited(0), "recreate", ("asked for",), True),
        ("stopped", RUNNING, "stop", ("asked for",), False),
        ("stopped", PAUSED, "stop", ("asked for",), False),
        ("stopped", LOOPING, "stop", ("asked for",), False),
        ("stopped", exited(0), "none", (), False),
        ("stopped", CREATED, "none", (), False),
        ("absent", RUNNING, "remove", ("asked for",), False),
        ("absent", exited(0), "remove", ("asked for",), False),
        ("absent", None, "none", (), False),
    ],
)
def test_every_state_over_every_process(state: str, process: Any, action: str, reasons: tuple[str, ...], start: bool) -> None:
    one = defined()
    found = plan(requested(one, state=state), seen(*([] if process is None else [made(one, process)])))
    assert said(found) == [("node_0", action, reasons)]
    assert found.steps[0].start == start


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"memory": "1g"}, {"memory": "2g"}, "memory 1g -> 2g"),
        ({}, {"cpus": 1}, "cpus none -> 1"),
        ({"cpus": 1}, {}, "cpus 1 -> none"),
        ({"pids": 5}, {"pids": 6}, "pids limit 5 -> 6"),
        ({}, {"env": {"A": "1"}}, "environment variable A is new"),
        ({"env": {"A": "1"}}, {"env": {"A": "2"}}, "environment variable A changed"),
        ({"env": {"A": "1"}}, {}, "environment variable A is no longer defined"),
        ({"command": ["a"]}, {"command": ["a", "b"]}, 'command ["a"] -> ["a", "b"]'),
        ({"command": ["a"]}, {}, 'command ["a"] -> none'),
        ({}, {"user": "1:1"}, "user none -> 1:1"),
        ({}, {"ports": [{"container": 80, "host": 8080}]}, "port 80/tcp none -> 127.0.0.1:8080"),
        (
            {"ports": [{"container": 80, "host": 8080}]},
            {"ports": [{"container": 80, "host": 8080, "address": "0.0.0.0"}]},
            "port 80/tcp 127.0.0.1:8080 -> 0.0.0.0:8080",
        ),
        ({"ports": [{"container": 80, "host": 8080}]}, {"ports": [{"container": 80}]}, "port 80/tcp 127.0.0.1:8080 -> none"),
        ({}, {"cap_add": ["NET_ADMIN"]}, "added capabilities none -> NET_ADMIN"),
        ({}, {"read_only": False, "tmpfs": ["/tmp"]}, "read-only root yes -> no"),
        ({}, {"restart": "no"}, "restart policy unless-stopped -> no"),
        ({}, {"stop_grace": 5}, "stop grace 30 s -> 5 s"),
        ({}, {"labels": {"team": "a"}}, "label team none -> a"),
        ({}, {"role": "fullnode"}, "label gravity.cluster.role validator -> fullnode"),
        ({}, {"tmpfs": ["/tmp:size=1m"]}, "tmpfs /tmp plain -> size=1m"),
        (
            {"read_only": False, "files": [{"path": "/a", "content": "1"}]},
            {"read_only": False, "files": [{"path": "/a", "content": "2"}]},
            "file /a changed",
        ),
    ],
)
def test_each_difference_makes_a_container_anew_and_says_why(before: dict[str, Any], after: dict[str, Any], reason: str) -> None:
    for state in ("started", "present", "restarted", "recreated"):
        assert only(requested(defined(**after), state=state), seen(made(defined(**before)))) == ("recreate", (reason,))


def test_a_container_that_is_only_present_runs_afterwards_if_it_ran() -> None:
    for process, runs in ((RUNNING, True), (exited(0), False)):
        found = plan(requested(defined(memory="1g"), state="present"), seen(made(defined(), process)))
        assert found.steps[0].action == "recreate"
        assert found.steps[0].start == runs


def test_another_image_of_the_same_name_is_a_change() -> None:
    observed = seen(made(defined()), images={IMAGE: OTHER_ID})
    reason = f"image sha256:{'a' * 12} -> sha256:{'b' * 12} ({IMAGE})"
    assert only(requested(defined()), observed) == ("recreate", (reason,))


def test_another_name_of_the_same_image_is_none() -> None:
    observed = seen(made(defined()), images={"example/node:latest": IMAGE_ID})
    assert only(requested(defined(image="example/node:latest")), observed) == ("none", ())


def test_an_image_that_was_removed_does_not_touch_what_runs() -> None:
    assert only(requested(defined()), seen(made(defined()), images={IMAGE: None})) == ("none", ())
    observed = seen(made(defined()), images={"other:1": None})
    assert only(requested(defined(image="other:1")), observed) == ("recreate", (f"image {IMAGE} -> other:1",))


@pytest.mark.parametrize(
    ("endpoints", "reasons"),
    [
        ({}, ("detached from network demo-net",)),
        ({"bridge": {}}, ("detached from network demo-net",)),
        (
            {"demo-net": {"IPAMConfig": None, "IPAddress": "10.9.0.2", "Aliases": ["node_0"]}},
            ("address 10.9.0.2 -> 10.9.0.10",),
        ),
        (
            {"demo-net": {"IPAMConfig": {"IPv4Address": "10.9.0.10"}, "Aliases": ["0123"]}},
            ("unknown in the network as node_0",),
        ),
        (
            {"demo-net": {"IPAMConfig": {"IPv4Address": "10.9.0.10"}, "Aliases": ["node_0", "more"]}, "other": {}},
            (),
        ),
    ],
)
def test_the_place_in_the_network_is_mended_without_a_new_container(endpoints: dict[str, Any], reasons: tuple[str, ...]) -> None:
    one = defined()
    found = plan(requested(one), seen(made(one, NetworkSettings__Networks=endpoints)))
    assert said(found) == [("node_0", "connect" if reasons else "none", reasons)]
    assert found.steps[0].connect == bool(reasons)


@pytest.mark.parametrize("networks", [(), (network(Id="another-id"),), (network(Id="id-of-net", Driver="macvlan"),)])
def test_a_container_of_a_network_that_is_made_anew_joins_it_again(networks: Any) -> None:
    found = plan(requested(defined()), seen(made(defined(), exited()), networks=networks))
    assert said(found) == [("node_0", "start", ("network demo-net is another one now", "not running (exited with code 0)"))]
    assert found.steps[0].connect


def test_a_container_that_is_stopped_and_detached_gets_both() -> None:
    one = defined()
    found = plan(requested(one), seen(made(one, exited(0), NetworkSettings__Networks={})))
    assert said(found) == [("node_0", "start", ("detached from network demo-net", "not running (exited with code 0)"))]
    assert found.steps[0].connect


def test_a_node_under_a_new_container_name_leaves_the_old_one() -> None:
    found = plan(requested(defined(name="new-name")), seen(made(defined())))
    assert said(found) == [("node_0", "create", ("absent",)), ("node_0", "remove", ("node_0 is container new-name now",))]


def test_prune_removes_what_is_not_listed_and_nothing_else() -> None:
    helper = made(defined(2), Config__Labels={"gravity.cluster.name": "demo", "gravity.cluster.kind": "oneoff"})
    observed = seen(made(defined(0)), made(defined(1)), helper)
    assert [step.node for step in plan(requested(defined(0)), observed).steps] == ["node_0"]
    assert said(plan(requested(defined(0), prune=True), observed)) == [
        ("node_0", "none", ()),
        ("node_1", "remove", ("node_1 is not in the list any more",)),
    ]


def test_prune_with_an_empty_list_means_that_no_node_is_left_here() -> None:
    assert said(plan(requested(prune=True), seen(made(defined(1))))) == [("node_1", "remove", ("node_1 is not in the list any more",))]


def test_nodes_that_are_to_be_kept_running_wait() -> None:
    observed = seen(made(defined(0)), made(defined(1), exited(0)), made(defined(2)))
    wanted = [defined(number, memory="1g") for number in range(3)]
    found = plan(requested(*wanted, keep_running=frozenset({"node_0", "node_1"})), observed)
    assert [(step.node, step.action, step.deferred) for step in found.steps] == [
        ("node_0", "none", True),
        ("node_1", "recreate", False),
        ("node_2", "recreate", False),
    ]
    assert found.steps[0].reasons == ("memory none -> 1g",)


def test_running_validators_are_not_pruned_in_the_same_call() -> None:
    observed = seen(made(defined(0, role="validator")), made(defined(1, role="validator")), made(defined(2, role="validator"), exited(0)))
    found = plan(requested(defined(0, role="validator"), prune=True, keep_roles=frozenset({"validator"})), observed)
    assert [(step.node, step.action, step.deferred) for step in found.steps] == [
        ("node_0", "none", False),
        ("node_1", "none", True),
        ("node_2", "remove", False),
    ]


def test_a_node_that_is_to_be_kept_running_is_not_renamed_under_way() -> None:
    found = plan(requested(defined(name="new-name"), keep_running=frozenset({"node_0"})), seen(made(defined())))
    assert [(step.action, step.deferred) for step in found.steps] == [("none", True), ("none", True)]


def test_volumes_that_are_missing_are_named_once() -> None:
    shared = {"name": "shared", "target": "/s"}
    wanted = [defined(number, volumes=[{"name": f"demo_{number}-data", "target": "/data"}, shared]) for number in range(2)]
    found = plan(requested(*wanted), seen(volumes={"demo_1-data": volume("demo_1-data")}))
    assert [(step.name, step.node) for step in found.volumes] == [("demo_0-data", "node_0"), ("shared", "node_0")]


# By name


@pytest.mark.parametrize("state", ["started", "stopped", "restarted", "absent"])
def test_nodes_can_be_named_without_definitions(state: str) -> None:
    observed = seen(made(defined(0)), made(defined(1)), made(defined(2), exited(0)))
    found = plan(Request("demo", state, nodes=("node_1", "node_2", "node_9")), observed)
    action = {"started": ("none", "start"), "stopped": ("stop", "none"), "restarted": ("restart", "start"), "absent": ("remove", "remove")}[
        state
    ]
    assert [(step.node, step.action) for step in found.steps] == [("node_1", action[0]), ("node_2", action[1]), ("node_9", "none")]


@pytest.mark.parametrize("state", STATES)
def test_an_empty_list_names_nothing(state: str) -> None:
    found = plan(Request("demo", state, nodes=()), seen(made(defined()), networks=()))
    assert not found.changed


@pytest.mark.parametrize(("state", "actions"), [("stopped", ["stop"]), ("restarted", ["restart"]), ("absent", ["remove"])])
def test_no_list_at_all_means_the_whole_cluster(state: str, actions: list[str]) -> None:
    assert [step.action for step in plan(Request("demo", state), seen(made(defined()))).steps] == actions


@pytest.mark.parametrize("state", ["started", "present", "recreated"])
def test_a_call_without_nodes_that_only_wants_a_network_leaves_containers_alone(state: str) -> None:
    found = plan(Request("demo", state, network=NETWORK), seen(made(defined(), exited(0)), networks=()))
    assert said(found) == []
    assert [step.action for step in found.networks] == ["create"]


def test_of_two_containers_of_a_node_the_running_one_is_meant() -> None:
    old, new = made(defined()), made(defined(name="demo_0-next"), CREATED)
    for order in ((old, new), (new, old)):
        found = plan(Request("demo", "restarted", nodes=("node_0",)), seen(*order))
        assert [(step.container, step.action) for step in found.steps] == [("demo_0", "restart")]


# Networks


@pytest.mark.parametrize(
    ("wanted", "found", "action", "reasons"),
    [
        (NETWORK, None, "create", ("absent",)),
        (NETWORK, network(), "none", ()),
        (NetworkDefinition("demo-net"), network(), "none", ()),
        (NetworkDefinition("demo-net", "10.8.0.0/24"), network(), "recreate", ("subnet 10.9.0.0/24 -> 10.8.0.0/24",)),
        (NetworkDefinition("demo-net", "10.9.0.0/24", "10.9.0.254"), network(), "recreate", ("gateway 10.9.0.1 -> 10.9.0.254",)),
        (NetworkDefinition("demo-net", driver="macvlan"), network(), "recreate", ("driver bridge -> macvlan",)),
        (NetworkDefinition("demo-net", internal=True), network(), "recreate", ("internal no -> yes",)),
        (NetworkDefinition("demo-net", options={"mtu": "1400"}), network(), "recreate", ("option mtu none -> 1400",)),
        (NetworkDefinition("demo-net", options={"mtu": "1400"}), network(Options={"mtu": "1400", "x": "y"}), "none", ()),
        (NetworkDefinition("demo-net", "10.8.0.0/24", external=True), network(), "none", ()),
    ],
)
def test_networks(wanted: NetworkDefinition, found: Any, action: str, reasons: tuple[str, ...]) -> None:
    steps = plan(requested(network=wanted), seen(networks=() if found is None else (found,))).networks
    assert [(step.action, step.reasons) for step in steps] == [(action, reasons)]


def test_a_container_in_a_network_that_is_not_seen_is_right_when_the_id_is() -> None:
    wanted = NetworkDefinition("demo-net", external=True, id=network().id)
    found = plan(requested(defined(), network=wanted), seen(made(defined()), networks=()))
    assert [step.action for step in found.steps] == ["none"]
    other = NetworkDefinition("demo-net", external=True, id="another")
    (step,) = plan(requested(defined(), network=other), seen(made(defined()), networks=())).steps
    assert (step.action, step.reasons) == ("connect", ("network demo-net is another one now",))


def test_a_network_of_a_swarm_is_not_removed_with_the_containers_of_one_host() -> None:
    one = made(defined())
    request = Request("demo", "absent")
    assert [step.name for step in plan(request, seen(one)).networks] == ["demo-net"]
    overlay = ObservedNetwork({**network().raw, "Scope": "swarm", "Driver": "overlay"})
    assert plan(request, seen(one, networks=(overlay,))).networks == ()


def test_an_external_network_is_never_made() -> None:
    assert plan(requested(network=NetworkDefinition("demo-net", external=True)), seen(networks=())).networks == ()


# Removal


def test_the_network_goes_with_the_last_container() -> None:
    observed = seen(made(defined(0)), made(defined(1)))
    assert plan(Request("demo", "absent", nodes=("node_0",)), observed).networks == ()
    for request in (Request("demo", "absent", nodes=("node_0", "node_1")), Request("demo", "absent")):
        assert [(step.name, step.action) for step in plan(request, observed).networks] == [("demo-net", "remove")]


def test_helpers_go_with_the_whole_cluster_only() -> None:
    own = {"gravity.cluster.name": "demo", "gravity.cluster.kind": "oneoff", "gravity.cluster.node": "node_0"}
    observed = seen(made(defined(0)), made(defined(7), Config__Labels=own))
    assert [step.container for step in plan(Request("demo", "absent", nodes=("node_0",)), observed).steps] == ["demo_0"]
    # One that a killed run left before it did anything would hold on to the node's volumes.
    left = seen(made(defined(0)), made(defined(7), CREATED, Config__Labels=own))
    assert [step.container for step in plan(Request("demo", "absent", nodes=("node_0",)), left).steps] == ["demo_0", "demo_7"]
    assert [step.container for step in plan(Request("demo", "absent"), observed).steps] == ["demo_0", "demo_7"]


def test_purge_takes_the_volumes_of_the_nodes_that_are_meant() -> None:
    volumes = {one.name: one for one in (volume("a", node="node_0"), volume("b", node="node_1"), volume("c"))}
    volumes["foreign"] = volume("foreign", name="other", node="node_0")
    observed = seen(volumes=volumes)

    def names(**more: Any) -> list[str]:
        return [step.name for step in plan(Request("demo", "absent", **more), observed).volumes]

    assert names(nodes=("node_0",), purge=True) == ["a"]
    assert names(purge=True) == ["a", "b", "c"]
    assert names() == []


# In general

# What the Engine takes as text: neither NUL nor half a character.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=3)

settings = st.fixed_dictionaries(
    {},
    optional={
        "memory": st.sampled_from(["64m", "1g"]),
        "cpus": st.sampled_from([0.5, 1]),
        "env": st.dictionaries(st.sampled_from("ABC"), TEXT, max_size=3),
        "labels": st.dictionaries(st.sampled_from("xyz"), TEXT, max_size=3),
        "user": st.sampled_from(["1:1", "app"]),
        "command": st.lists(TEXT.filter(bool), max_size=2),
        "ports": st.lists(st.builds(lambda port: {"container": port, "host": port}, st.integers(1, 4)), unique_by=str, max_size=2),
        "tmpfs": st.lists(st.sampled_from(["/tmp", "/run:size=1m"]), unique=True),
        "read_only": st.booleans(),
        "cap_add": st.lists(st.sampled_from(["NET_ADMIN", "CAP_CHOWN"]), unique=True),
        "restart": st.sampled_from(["no", "always", "on-failure:2"]),
        "volumes": st.sampled_from([[], [{"name": "demo_0-data", "target": "/data"}]]),
        "health": st.sampled_from([None, {"test": "true", "interval": "1s"}]),
    },
)
processes = st.sampled_from([RUNNING, PAUSED, LOOPING, CREATED, exited(0), exited(1)])


@given(before=st.none() | settings, after=settings, process=processes, state=st.sampled_from(["started", "present"]))
def test_after_a_plan_was_carried_out_nothing_is_left_to_do(before: Any, after: Any, process: Any, state: str) -> None:
    wanted = defined(**after)
    request = requested(wanted, state=state)
    found = plan(request, seen(*([] if before is None else [made(defined(**before), process)])))
    assert plan(request, seen(*(carried_out(step) for step in found.steps))).changed is False


def carried_out(step: Any) -> ObservedContainer:
    """What an Engine has after a step."""
    if step.action in ("create", "recreate"):
        return made(step.definition, RUNNING if step.start else CREATED)
    return ObservedContainer(step.container, {**step.observed.inspect, "State": RUNNING}) if step.action == "start" else step.observed


@given(wanted=settings, process=processes, state=st.sampled_from(STATES))
def test_every_change_has_a_reason_and_nothing_else_has(wanted: Any, process: Any, state: str) -> None:
    found = plan(requested(defined(**wanted), state=state), seen(made(defined(memory="8m"), process)))
    for step in found.steps:
        assert bool(step.reasons) == (step.action != "none")


@given(wanted=settings, process=processes, state=st.sampled_from(STATES))
def test_planning_changes_nothing_and_is_repeatable(wanted: Any, process: Any, state: str) -> None:
    request, observed = requested(defined(**wanted), state=state), seen(made(defined(), process))
    assert plan(request, observed) == plan(request, observed)


@pytest.mark.parametrize("salt", [None, "", "abc"])
def test_a_container_with_a_config_file_is_left_alone_whatever_the_salt_of_its_digest(salt: str | None) -> None:
    def one(content: str) -> Any:
        return defined(read_only=False, files=[{"path": "/a", "content": content}])

    found = made(one("x"), salt=salt)
    assert only(requested(one("x")), seen(found)) == ("none", ())
    assert only(requested(one("y")), seen(found)) == ("recreate", ("file /a changed",))


def test_two_containers_with_the_same_secret_do_not_have_the_same_digest() -> None:
    one = defined(read_only=False, files=[{"path": "/a", "content": "x", "secret": True}])
    assert made(one).labels["gravity.cluster.files"] != made(one).labels["gravity.cluster.files"]


def test_memory_includes_swap_and_nothing_that_runs_is_made_anew_for_that() -> None:
    one = defined(memory="64m")
    assert one.payload("demo", None)["HostConfig"]["MemorySwap"] == 64 * 1024**2
    assert only(requested(one), seen(made(one, HostConfig__MemorySwap=128 * 1024**2))) == ("none", ())
