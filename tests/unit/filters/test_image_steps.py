# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on which Docker host for an image."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.filter.image_steps import image_steps

BUILT = {"name": "built:1", "source": "build", "context": "/context"}
PULLED = {"name": "pulled:1", "source": "pull"}
LEADS = ["n0", "n1", "n2"]
SAME = ["x86_64", "x86_64", "x86_64"]


def steps(*arguments: t.Any, **options: t.Any) -> t.Dict[str, str]:
    """Name of an image -> step."""
    return {image["name"]: image["step"] for image in image_steps(*arguments, **options)}


def test_one_makes_and_the_others_look() -> None:
    images = [BUILT, PULLED]
    assert steps(images, images, LEADS, "n0", SAME) == {"built:1": "bring", "pulled:1": "bring"}
    assert steps(images, images, LEADS, "n1", SAME) == {"built:1": "look", "pulled:1": "bring"}


def test_the_first_makes_what_only_others_need() -> None:
    assert steps([BUILT, PULLED], [], LEADS, "n0", SAME) == {"built:1": "bring"}
    assert steps([BUILT, PULLED], [PULLED], LEADS, "n2", SAME) == {"pulled:1": "bring"}


def test_each_makes_its_own_when_it_is_alone_or_the_architectures_differ() -> None:
    assert steps([BUILT], [BUILT], ["n1"], "n1", ["x86_64"]) == {"built:1": "bring"}
    assert steps([BUILT], [BUILT], LEADS, "n1", ["x86_64", "aarch64", "x86_64"]) == {"built:1": "bring"}
    assert steps([BUILT], [], LEADS, "n0", ["x86_64", "aarch64", "x86_64"]) == {}


def test_an_archive_on_the_controller_is_sent_elsewhere(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    image = {"name": "loaded:1", "source": "load", "archive": str(archive)}
    assert steps([image], [image], LEADS, "n1", SAME) == {"loaded:1": "bring"}
    archive.touch()
    assert steps([image], [image], LEADS, "n1", SAME) == {"loaded:1": "send"}
    assert steps([image], [image], ["n1"], "n1", SAME, local=True) == {"loaded:1": "bring"}


def test_build_arguments_are_not_in_what_is_shown() -> None:
    images = [PULLED, {**BUILT, "args": {"TOKEN": "canary"}}]
    found = image_steps(images, images, LEADS, "n0", SAME)
    assert [image["number"] for image in found] == [0, 1]
    assert "canary" not in str(found)
