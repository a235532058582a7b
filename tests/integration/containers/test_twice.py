# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployed twice, nothing changes: every setting in every form, all of them in one call."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest
from unit.containers.forms import FORMS


@pytest.fixture
def checked_image(demo: Any) -> Iterator[str]:
    """An image with a command, an entry point and a health check of its own."""
    name = f"{demo.name}-checked:1"
    blank = demo.api.create_container(demo.image, ["true"], name=f"{demo.name}-blank")
    changes = [
        'CMD ["-f", "-p", "8080", "-h", "/srv"]',
        'ENTRYPOINT ["httpd"]',
        "HEALTHCHECK --interval=41s --timeout=7s --start-period=3s --retries=9 CMD true",
    ]
    repository, _colon, tag = name.partition(":")
    demo.api.commit(blank["Id"], repository=repository, tag=tag, changes=changes)
    demo.api.remove_container(blank["Id"])
    yield name
    with contextlib.suppress(docker.errors.NotFound):
        demo.api.remove_image(name, force=True)


def differing(result: dict[str, Any], names: list[str]) -> dict[str, list[str]]:
    return {name: found["reasons"] for name, found in zip(names, result["nodes"], strict=True) if found["action"] != "none"}


def test_every_form_of_every_setting(demo: Any) -> None:
    wanted = [demo.node(number, **form) for number, form in enumerate(FORMS.values())]
    # Created and not started: the Engine has said its word by then, and not every kernel lets each of them run.
    demo.up(*wanted, state="present")
    assert differing(demo.up(*wanted, state="present"), list(FORMS)) == {}


def test_over_an_image_with_settings_of_its_own(demo: Any, checked_image: str) -> None:
    forms: dict[str, dict[str, Any]] = {
        "all of the image": {"command": None},
        "command empty": {"command": []},
        "entrypoint empty": {"command": ["sleep", "60"], "entrypoint": [""]},
        "entrypoint without words": {"command": ["sleep", "60"], "entrypoint": []},
        "health check without times": {"command": None, "health": {"test": ["true"]}},
        "health check with a time": {"command": None, "health": {"test": "true", "interval": "5s"}},
        "no health check": {"command": None, "health": {"test": ["NONE"]}},
        "no health check as text": {"command": None, "health": {"test": "NONE"}},
    }
    wanted = [demo.node(number, image=checked_image, **form) for number, form in enumerate(forms.values())]
    demo.up(*wanted)
    assert differing(demo.up(*wanted), list(forms)) == {}
    # A time that is taken away comes from the image again, and that is all.
    wanted[5]["health"] = {"test": "true"}
    assert differing(demo.up(*wanted), list(forms)) == {"health check with a time": ["health check interval 5 s -> none"]}
    assert differing(demo.up(*wanted), list(forms)) == {}


def test_one_shot_containers(demo: Any) -> None:
    wanted = [demo.node(0, restart="no", command=["true"]), demo.node(1)]
    demo.up(*wanted)
    deadline = time.monotonic() + 10
    while demo.inspect()["State"]["Running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not demo.up(*wanted)["changed"]
    assert demo.act("started", nodes=["node_0"])["nodes"][0]["action"] == "start"


def test_volumes_as_a_current_compose_gives_them(demo: Any) -> None:
    wanted = demo.node(0, volumes=[demo.volume()])
    demo.up(wanted)
    found = demo.inspect()
    volume = demo.volume()
    body = {**found["Config"], "HostConfig": {**found["HostConfig"], "Mounts": None, "Binds": [f"{volume['name']}:/data:rw"]}}
    endpoint = {"Aliases": ["node_0"], "IPAMConfig": {"IPv4Address": demo.cluster.address(10)}}
    body["NetworkingConfig"] = {"EndpointsConfig": {demo.name: endpoint}}
    demo.api.remove_container(found["Id"], force=True)
    made = demo.api.create_container_from_config(body, f"{demo.name}_0")
    demo.api.start(made["Id"])
    assert demo.inspect()["HostConfig"]["Binds"]
    assert not demo.up(wanted)["changed"]
