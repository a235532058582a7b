# SPDX-License-Identifier: GPL-3.0-or-later
"""Data at a path for which the image asks for a volume outlive every container."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest


@pytest.fixture(scope="module")
def asking_image(engine: Any, tiny_image: str) -> Iterator[str]:
    """An image with ``VOLUME /state``."""
    name = f"t-asking-{uuid.uuid4().hex[:8]}"
    made = engine.api.create_container_from_config({"Image": tiny_image, "Cmd": ["true"]})["Id"]
    engine.api.commit(made, repository=name, tag="1", changes="VOLUME /state")
    engine.api.remove_container(made)
    yield f"{name}:1"
    with contextlib.suppress(docker.errors.NotFound):
        engine.api.remove_image(f"{name}:1", force=True)


def volume_at_state(demo: Any) -> str:
    return next(str(mount["Name"]) for mount in demo.inspect()["Mounts"] if mount["Destination"] == "/state")


def write(demo: Any) -> None:
    demo.shell("echo precious > /state/word; sync", user="0")


def read(demo: Any) -> str:
    return str(demo.shell("cat /state/word", user="0")).strip()


def test_a_replacement_and_a_teardown_keep_the_data(demo: Any, asking_image: str) -> None:
    one = demo.node(image=asking_image, user="10001:10001")
    demo.up(one)
    assert volume_at_state(demo) == f"{demo.name}_0-image-state"
    demo.shell("echo precious > /state/word", user="10001")
    assert not demo.up(one)["changed"]
    assert demo.up({**one, "labels": {"new": "label"}})["nodes"][0]["action"] == "recreate"
    assert read(demo) == "precious"
    assert demo.act("absent")["warnings"] == []
    demo.up(one)
    assert read(demo) == "precious"
    demo.act("absent", purge=True)
    assert demo.everything()["volumes"] == []


def test_a_nameless_volume_of_before_is_carried_over_and_kept(demo: Any, asking_image: str) -> None:
    one = demo.node(image=asking_image)
    # As an older version made it.
    demo.up({**one, "image": demo.image})
    old = demo.inspect()
    demo.api.remove_container(old["Id"], force=True)
    config = {**old["Config"], "Image": asking_image, "HostConfig": old["HostConfig"], "Hostname": None}
    config["NetworkingConfig"] = {
        "EndpointsConfig": {demo.name: {"Aliases": one["aliases"], "IPAMConfig": {"IPv4Address": one["network_ip"]}}}
    }
    demo.api.start(demo.api.create_container_from_config(config, one["name"])["Id"])
    nameless = volume_at_state(demo)
    write(demo)
    try:
        assert not demo.up(one)["changed"]
        changed = {**one, "labels": {"new": "label"}}
        assert demo.up(changed)["nodes"][0]["reasons"] == ["label new none -> label"]
        assert (volume_at_state(demo), read(demo)) == (nameless, "precious")
        assert not demo.up(changed)["changed"]
        # An image that asks for none any more, and a teardown.
        warned = demo.up({**changed, "image": demo.image})["warnings"]
        assert warned and warned[0].startswith(f"node_0: its data at /state stay in volume {nameless}, which has no name of ours")
        assert demo.api.inspect_volume(nameless)
    finally:
        demo.act("absent", purge=True)
        with contextlib.suppress(docker.errors.NotFound):
            demo.api.remove_volume(nameless)


def test_a_volume_that_was_restored_without_its_labels_is_adopted(demo: Any) -> None:
    one = demo.node(volumes=[demo.volume()])
    name = f"{demo.name}_0-data"
    demo.api.create_volume(name)
    try:
        assert f"(deploy with -e adopt_volumes={name})" in demo.run(one)["msg"]
        demo.up(one, adopt_volumes=[name])
        demo.shell("echo precious > /data/word", user="0")
        # Its container tells from then on.
        assert not demo.up(one)["changed"]
        demo.up({**one, "labels": {"new": "label"}})
        demo.act("absent", purge=True)
        demo.up(one, adopt_volumes=[name])
        assert demo.shell("cat /data/word", user="0").strip() == "precious"
    finally:
        demo.act("absent")
        demo.api.remove_volume(name)


def test_a_teardown_never_takes_a_nameless_volume_and_a_purge_does(demo: Any, asking_image: str) -> None:
    one = demo.node(image=asking_image)
    names = []
    for purge in (False, True):
        demo.up(one)
        labels = demo.inspect()["Config"]["Labels"]
        demo.api.remove_container(one["name"], force=True)
        demo.api.create_container_from_config({"Image": asking_image, "Cmd": ["true"], "Labels": labels}, one["name"])
        names.append(volume_at_state(demo))
        said = demo.act("absent", purge=purge)["warnings"]
        assert [line.split(": ")[0] for line in said] == ([] if purge else ["node_0"])
    try:
        assert demo.api.inspect_volume(names[0])
        with pytest.raises(docker.errors.NotFound):
            demo.api.inspect_volume(names[1])
    finally:
        demo.api.remove_volume(names[0])
