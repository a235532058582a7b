# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that an image asks for get names that last; nameless ones of before are carried over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.containers.builders import IMAGE, defined, made, requested, seen

from ansible_collections.gravity.cluster.plugins.module_utils._definition import Volume
from ansible_collections.gravity.cluster.plugins.module_utils._image_volumes import left_behind, volume_name, with_image_volumes
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed, ObservedContainer
from ansible_collections.gravity.cluster.plugins.module_utils._plan import CREATE, NONE, RECREATE, Plan, Request, plan

NAMELESS = "5e" * 32
OTHER_ID = "sha256:" + "b" * 64


def planned(request: Request, observed: Observed) -> tuple[Request, Plan]:
    completed = with_image_volumes(request, observed)
    return completed, plan(completed, observed)


def asking(*containers: ObservedContainer, paths: tuple[str, ...] = ("/state",), **more: Any) -> Observed:
    return seen(*containers, image_volumes={IMAGE: paths}, **more)


def nameless(**more: Any) -> ObservedContainer:
    """A container of an older version: its image asks for a volume, and the Engine named it."""
    return made(defined(**more), Mounts=[{"Type": "volume", "Name": NAMELESS, "Destination": "/state", "RW": True}])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/state", "demo_0-image-state"),
        ("/var/lib/db", "demo_0-image-var-lib-db"),
        ("/var-lib/db", "demo_0-image-var-lib-db-61a30637"),
        ("/a b", "demo_0-image-a-b-73c9c45d"),
        ("/…", "demo_0-image--2517a2fe"),
    ],
)
def test_names(path: str, name: str) -> None:
    assert volume_name("demo_0", path) == name


def test_a_path_that_nothing_covers_gets_a_volume() -> None:
    completed, steps = planned(requested(defined()), asking(paths=("state/", "/state")))
    assert completed.containers[0].volumes == (Volume("demo_0-image-state", "/state"),)
    assert [(thing.name, thing.action) for thing in steps.volumes] == [("demo_0-image-state", CREATE)]


@pytest.mark.parametrize(
    "more",
    [{"volumes": [{"name": "mine", "target": "/state"}]}, {"tmpfs": ["/state"]}, {"binds": [{"source": "/srv", "target": "/state"}]}],
)
def test_a_path_that_the_definition_covers_is_left_to_it(more: dict[str, Any]) -> None:
    wanted = defined(**more)
    assert with_image_volumes(requested(wanted), asking()).containers == (wanted,)


def test_a_volume_around_the_path_does_not_cover_it() -> None:
    wanted = defined(volumes=[{"name": "mine", "target": "/state"}])
    completed = with_image_volumes(requested(wanted), asking(paths=("/state/deep",)))
    assert [volume.name for volume in completed.containers[0].volumes] == ["mine", "demo_0-image-state-deep"]


def test_what_stands_is_not_replaced() -> None:
    completed, steps = planned(requested(defined()), asking(nameless()))
    assert completed.containers[0].volumes == (Volume(NAMELESS, "/state", nameless=True),)
    assert (steps.steps[0].action, steps.volumes) == (NONE, ())
    # Nor when its image was removed from the Docker host.
    gone = seen(made(defined(), Config__Volumes={"/state": {}}, Mounts=nameless().inspect["Mounts"]), images={IMAGE: None})
    assert planned(requested(defined()), gone)[1].steps[0].action == NONE


def test_a_replacement_carries_a_nameless_volume_over() -> None:
    completed, steps = planned(requested(defined()), asking(nameless(), images={IMAGE: OTHER_ID}))
    step = steps.steps[0]
    assert (step.action, step.definition and step.definition.volumes) == (RECREATE, (Volume(NAMELESS, "/state", nameless=True),))
    assert left_behind(steps, completed) == []
    # It is asked for by name from then on, and stays what it is.
    assert step.definition is not None
    later = replace(made(step.definition), inspect={**made(step.definition).inspect, "Mounts": nameless().inspect["Mounts"]})
    assert planned(requested(defined()), asking(later))[1].steps[0].action == NONE


@pytest.mark.parametrize("paths", [(), ("/state",)])
def test_what_is_left_behind_is_said(paths: tuple[str, ...]) -> None:
    covered = {"volumes": [{"name": "mine", "target": "/state"}]} if paths else {"env": {"NEW": "1"}}
    completed, steps = planned(requested(defined(**covered)), asking(nameless(), paths=paths))
    said = (
        f"node_0: its data at /state stay in volume {NAMELESS}, which has no name of ours, so that no later container finds them: "
        "copy them into demo_0-image-state before the next deploy (docs/operations.md, Volumes of images)"
    )
    assert left_behind(steps, completed) == [said]


def test_a_removal_keeps_them_and_a_purge_does_not() -> None:
    removal = Request("demo", "absent")
    assert len(left_behind(plan(removal, asking(nameless())), removal)) == 1
    purge = replace(removal, purge=True)
    steps = plan(purge, asking(nameless()))
    assert ([thing.name for thing in steps.volumes], left_behind(steps, purge)) == ([NAMELESS], [])


def test_below_a_tmpfs_there_is_nothing_to_keep() -> None:
    one = made(defined(tmpfs=["/state"]), Mounts=nameless().inspect["Mounts"])
    assert one.nameless == {}
