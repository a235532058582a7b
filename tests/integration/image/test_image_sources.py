# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that are pulled, built, loaded, or must be present."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

from .test_assemble_image import done, failure

Run = Callable[..., dict[str, Any]]


def test_present(run_module: Run, name: str, foreign: Callable[[str], str]) -> None:
    options = {"name": name, "source": "present"}
    for check in (False, True):
        assert failure(run_module, options, check).startswith(f"image {name}: is not on this Docker host, and its source is present")
    there = foreign(name)
    result = done(run_module, options)
    assert (result["changed"], result["id"], result["action"], result["inputs"]) == (False, there, "none", None)


def test_pull_from_a_registry(engine: Engine, run_module: Run, registry: str, tiny_image: str, foreign: Callable[[str], str]) -> None:
    name = f"{registry}/t-pulled:1"
    repository, _colon, tag = name.rpartition(":")
    try:
        engine.api.tag(tiny_image, repository, tag)
        subprocess.run(["docker", "push", "--quiet", name], check=True, capture_output=True)
        engine.api.remove_image(name)

        planned = done(run_module, {"name": name, "source": "pull"}, check=True)
        assert (planned["changed"], planned["action"]) == (True, "pull")
        assert engine.image_id(name) is None
        pulled = done(run_module, {"name": name, "source": "pull"})
        assert (pulled["changed"], pulled["id"]) == (True, engine.image_id(tiny_image))
        for always in (False, True):
            assert not done(run_module, {"name": name, "source": "pull", "always": always})["changed"]

        # Somebody publishes another image under the name.
        newer = foreign(name)
        subprocess.run(["docker", "push", "--quiet", name], check=True, capture_output=True)
        engine.api.tag(tiny_image, repository, tag, force=True)
        assert not done(run_module, {"name": name, "source": "pull"})["changed"]
        fresh = done(run_module, {"name": name, "source": "pull", "always": True})
        assert (fresh["changed"], fresh["id"], fresh["reasons"]) == (True, newer, ["always"])

        said = failure(run_module, {"name": f"{registry}/t-nothing:1", "source": "pull"})
        assert said.startswith(f"image {registry}/t-nothing:1: could not be pulled (")
    finally:
        engine.api.remove_image(name, force=True)
        # The Engine also remembers under which digest it has pushed an image.
        for digest in engine.api.inspect_image(tiny_image)["RepoDigests"]:
            engine.api.remove_image(digest)


def test_pull_without_a_registry(run_module: Run) -> None:
    said = failure(run_module, {"name": "127.0.0.1:9/t-nothing:1", "source": "pull"})
    assert said.startswith("image 127.0.0.1:9/t-nothing:1: could not be pulled (")
    assert "connection refused" in said
    assert "source load or build" in said


@pytest.fixture
def context(tmp_path: Path, busybox: Path) -> Path:
    """A Dockerfile that needs no base image."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "busybox").write_bytes(busybox.read_bytes())
    (folder / "busybox").chmod(0o755)
    (folder / "word").write_text("one")
    (folder / "Dockerfile").write_text(
        "FROM scratch\nARG ENDING=!\nCOPY busybox /bin/sh\nCOPY word /word\nENV ENDING=$ENDING\n"
        'CMD ["/bin/sh", "-c", "read w < /word; echo $w$ENDING"]\n'
    )
    return folder


def test_build(engine: Engine, run_module: Run, name: str, context: Path, run_image: Callable[..., str]) -> None:
    options: dict[str, Any] = {"name": name, "source": "build", "context": str(context)}
    planned = done(run_module, options, check=True)
    assert (planned["changed"], planned["action"], engine.image_id(name)) == (True, "build", None)
    first = done(run_module, options)
    assert (first["changed"], first["action"], first["inputs"]) == (True, "build", planned["inputs"])
    assert run_image(name) == "one!\n"
    assert not done(run_module, options)["changed"]
    assert not done(run_module, {**options, "always": True})["changed"]

    (context / "word").write_text("two")
    second = done(run_module, options)
    assert [reason.split(":")[0] for reason in second["reasons"]] == ["context"]
    assert run_image(name) == "two!\n"
    assert engine.image_id(first["id"]) is None

    third = done(run_module, {**options, "args": {"ENDING": "?"}})
    assert [reason.split(":")[0] for reason in third["reasons"]] == ["args"]
    assert run_image(name) == "two?\n"


def test_build_with_another_dockerfile_and_stage(run_module: Run, name: str, context: Path, run_image: Callable[..., str]) -> None:
    (context / "Other").write_text(
        'FROM scratch AS first\nCOPY busybox /bin/sh\nCMD ["/bin/sh", "-c", "echo first"]\nFROM first\nCMD ["/none"]\n'
    )
    done(run_module, {"name": name, "source": "build", "context": str(context), "dockerfile": "Other", "target": "first"})
    assert run_image(name) == "first\n"


def test_build_that_fails_names_the_step_and_keeps_the_image(engine: Engine, run_module: Run, name: str, context: Path) -> None:
    options = {"name": name, "source": "build", "context": str(context)}
    first = done(run_module, options)
    with (context / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("COPY nothing /\n")
    said = failure(run_module, options)
    assert said.startswith(f"image {name}: could not be built at Step 7/")
    assert ": COPY nothing / (COPY failed: " in said
    assert engine.image_id(name) == first["id"]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({}, "source build needs the option context"),
        ({"context": "/no/such/folder"}, "the context /no/such/folder is not a folder on the Docker host"),
        ({"context": "/etc", "dockerfile": "no-such-file"}, "/etc/no-such-file does not exist"),
    ],
)
def test_build_without_a_context(run_module: Run, name: str, more: dict[str, Any], complaint: str) -> None:
    for check in (False, True):
        assert complaint in failure(run_module, {"name": name, "source": "build", **more}, check)


def test_build_does_not_replace_an_image_of_somebody_else(
    engine: Engine, run_module: Run, name: str, context: Path, foreign: Callable[[str], str]
) -> None:
    before = foreign(name)
    assert "was not made by gravity.cluster" in failure(run_module, {"name": name, "source": "build", "context": str(context)})
    assert engine.image_id(name) == before


def test_load(
    engine: Engine, run_module: Run, name: str, new_name: Callable[[], str], foreign: Callable[[str], str], tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    saved = foreign(name)
    with archive.open("wb") as stream:
        stream.writelines(engine.api.get_image(name))
    options = {"name": name, "source": "load", "archive": str(archive)}
    assert not done(run_module, options)["changed"]

    engine.api.remove_image(name)
    planned = done(run_module, options, check=True)
    assert (planned["changed"], planned["action"], engine.image_id(name)) == (True, "load", None)
    loaded = done(run_module, options)
    assert (loaded["changed"], loaded["id"], loaded["reasons"]) == (True, saved, ["absent"])
    assert not done(run_module, options)["changed"]

    foreign(name)
    back = done(run_module, options)
    assert (back["changed"], back["id"]) == (True, saved)
    assert back["reasons"][0].startswith("image id ")

    other = new_name()
    said = failure(run_module, {**options, "name": other})
    assert said.startswith(f"image {other}: {archive} holds no image of this name (it holds: {name})")


@pytest.mark.parametrize("content", [None, b"no archive", b""])
def test_load_of_what_is_no_archive(run_module: Run, name: str, tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "image.tar"
    if content is not None:
        archive.write_bytes(content)
    said = failure(run_module, {"name": name, "source": "load", "archive": str(archive)})
    assert str(archive) in said
    assert "docker save" in said


def test_load_of_a_damaged_archive(engine: Engine, run_module: Run, name: str, foreign: Callable[[str], str], tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    foreign(name)
    data = bytearray(b"".join(engine.api.get_image(name)))
    engine.api.remove_image(name)
    # A byte inside of the busybox in the layer, somewhere in the middle.
    middle = len(data) // 2
    data[middle] ^= 0xFF
    archive.write_bytes(data)
    failure(run_module, {"name": name, "source": "load", "archive": str(archive)})
    assert engine.image_id(name) is None
