# SPDX-License-Identifier: GPL-3.0-or-later
"""When an image is made, and what is said about it."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _image as image
from ansible_collections.gravity.cluster.plugins.module_utils._context import Context
from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._image import Plan, Seen, Wanted, plan

PARTS = {"wheel": "tool 2.0 (60303ae22b99)", "settings": "aaa"}
ASSEMBLE = Wanted("tool:2", "assemble", PARTS)
BUILT = Seen("sha256:1", own=True, inputs=ASSEMBLE.inputs, parts=PARTS)


def test_absent_image_is_made() -> None:
    assert plan(ASSEMBLE, None) == Plan("assemble", ("absent",))


def test_same_inputs_change_nothing() -> None:
    assert plan(ASSEMBLE, BUILT) == Plan("none")


def test_reason_names_each_input_that_changed() -> None:
    older = Seen("sha256:0", own=True, inputs="other", parts={**PARTS, "wheel": "tool 1.9 (9f86d081884c)", "gone": "x"})
    assert plan(ASSEMBLE, older).reasons == ("gone: x -> none", "wheel: tool 1.9 (9f86d081884c) -> tool 2.0 (60303ae22b99)")


def test_complete_image_without_a_name_only_gets_its_name() -> None:
    assert plan(ASSEMBLE, None, spare="sha256:7") == Plan("tag", ("absent",), "sha256:7")


def test_always_does_not_take_a_spare_image() -> None:
    wanted = Wanted("tool:2", "assemble", PARTS, always=True)
    assert plan(wanted, BUILT, spare="sha256:7") == Plan("assemble", ("always",))


@pytest.mark.parametrize("source", ["assemble", "build"])
def test_image_of_somebody_else_is_not_replaced(source: str) -> None:
    with pytest.raises(Refused, match="not made by gravity"):
        plan(Wanted("tool:2", source, PARTS), Seen("sha256:1"))


def test_pull_takes_any_image_of_the_name() -> None:
    assert plan(Wanted("tool:2", "pull"), Seen("sha256:1")) == Plan("none")
    assert plan(Wanted("tool:2", "pull", always=True), Seen("sha256:1")) == Plan("pull", ("always",))
    assert plan(Wanted("tool:2", "pull"), None) == Plan("pull", ("absent",))


def test_load_compares_ids() -> None:
    wanted = Wanted("tool:2", "load", ids=frozenset({"sha256:aaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbb"}))
    assert plan(wanted, Seen("sha256:bbbbbbbbbbbbbbbb")) == Plan("none")
    assert plan(wanted, Seen("sha256:cccccccccccccccc")) == Plan("load", ("image id cccccccccccc -> aaaaaaaaaaaa",))


def test_present_must_be_there() -> None:
    assert plan(Wanted("tool:2", "present"), Seen("sha256:1")) == Plan("none")
    with pytest.raises(Refused, match="is not on this Docker host"):
        plan(Wanted("tool:2", "present"), None)


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("tool", "tool:latest"),
        ("tool:1", "tool:1"),
        ("registry.example.com:5000/a/tool", "registry.example.com:5000/a/tool:latest"),
        ("tool@sha256:0123", "tool@sha256:0123"),
    ],
)
def test_full_name(given: str, full: str) -> None:
    assert image.full_name(given, "pull") == full


@pytest.mark.parametrize("name", ["", " tool", "to ol:1"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(Refused, match="not a name"):
        image.full_name(name, "pull")


def test_a_digest_cannot_be_chosen() -> None:
    with pytest.raises(Refused, match="a digest cannot be chosen"):
        image.full_name("tool@sha256:0123", "build")


def test_imported_id() -> None:
    assert image.imported_id('{"status":"sha256:12"}\r\n', "tool:1") == "sha256:12"
    with pytest.raises(EngineError, match=r"tool:1.*no space left"):
        image.imported_id('{"error":"no space\\nleft"}\n', "tool:1")
    with pytest.raises(EngineError, match="no id"):
        image.imported_id("", "tool:1")


def archive(path: Path, **files: Any) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, value in files.items():
            data = json.dumps(value).encode()
            entry = tarfile.TarInfo(name.replace("_json", ".json"))
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))
    return path


def test_archive_ids_by_configuration_and_by_manifest(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar",
        manifest_json=[{"Config": "blobs/sha256/abc", "RepoTags": ["tool:1"]}],
        index_json={"manifests": [{"digest": "sha256:def"}]},
    )
    assert image.archive_ids(path, "tool:1") == {"sha256:abc", "sha256:def"}


def test_archive_of_several_images_keeps_them_apart(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar",
        manifest_json=[{"Config": "abc.json", "RepoTags": ["tool:1"]}, {"Config": "def.json", "RepoTags": ["other:1"]}],
        index_json={"manifests": [{"digest": "sha256:1"}, {"digest": "sha256:2", "annotations": {"io.example.name": "other:1"}}]},
    )
    assert image.archive_ids(path, "other:1") == {"sha256:def", "sha256:2"}


def test_archive_without_the_name_says_what_it_holds(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", manifest_json=[{"Config": "abc.json", "RepoTags": ["tool:2", "tool:1"]}])
    with pytest.raises(Refused, match=r"holds no image of this name \(it holds: tool:1, tool:2\)"):
        image.archive_ids(path, "tool:3")


def test_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("no tar")
    with pytest.raises(Refused, match="is not an image archive"):
        image.archive_ids(tmp_path / "a.tar", "tool:1")
    with pytest.raises(Refused, match="does not exist"):
        image.archive_ids(tmp_path / "b.tar", "tool:1")


def test_context_digest_follows_content_names_modes_and_links(tmp_path: Path) -> None:
    def digest() -> str:
        return Context(str(tmp_path), "Dockerfile", "tool:1").digest()

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("1")
    seen = [digest()]
    (tmp_path / "sub" / "file").write_text("2")
    seen.append(digest())
    (tmp_path / "sub" / "file").chmod(0o755)
    seen.append(digest())
    (tmp_path / "sub" / "file").rename(tmp_path / "sub" / "other")
    seen.append(digest())
    (tmp_path / "link").symlink_to("sub/other")
    seen.append(digest())
    assert len(set(seen)) == len(seen)
    assert digest() == seen[-1]


def test_context_digest_skips_what_dockerignore_names(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("# not sent\nbig\n")
    (tmp_path / "big").write_text("1")
    before = Context(str(tmp_path), "Dockerfile", "tool:1").digest()
    (tmp_path / "big").write_text("2")
    assert Context(str(tmp_path), "Dockerfile", "tool:1").digest() == before
