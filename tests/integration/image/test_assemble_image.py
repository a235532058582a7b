# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made without a registry."""

from __future__ import annotations

import copy
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

from .conftest import make_wheel

Run = Callable[..., dict[str, Any]]


def done(run_module: Run, options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    result = run_module("image", options, check=check, diff=True)
    assert not result.get("failed"), result
    return result


def failure(run_module: Run, options: dict[str, Any], check: bool = False) -> str:
    result = run_module("image", options, check=check)
    assert result.get("failed"), result
    message: str = result["msg"]
    assert "\n" not in message
    return message


def newer(options: dict[str, Any], wheel: Path) -> dict[str, Any]:
    changed = copy.deepcopy(options)
    changed["assemble"]["wheel"].update(version=wheel.name.split("-")[1], hashes={assemble.machine(): assemble.sha256_of(wheel)})
    return changed


def test_image_holds_what_the_recipe_says(engine: Engine, run_module: Run, options: dict[str, Any], run_image: Callable[..., str]) -> None:
    name = options["name"]
    planned = done(run_module, options, check=True)
    assert (planned["changed"], planned["action"], planned["id"]) == (True, "assemble", None)
    assert engine.image_id(name) is None
    assert not Path(options["cache"]).exists()

    result = done(run_module, options)
    assert (result["changed"], result["action"], result["reasons"]) == (True, "assemble", ["absent"])
    assert result["id"] == engine.image_id(name)
    assert result["inputs"] == planned["inputs"]
    assert result["diff"]["before"]["id"] is None
    assert result["diff"]["after"]["made_from"]["wheel"].startswith("t-toy-tool 2.0 (")
    assert run_image(name) == 'hello a "b" $c from 2.0\n'
    assert "uid=10001 gid=10001" in run_image(name, "id")
    assert run_image(name, "ls", "-lnd", "/data").startswith("drwx------ 2 10001 10001")
    assert run_image(name, "sh", "-c", "read line < /etc/motd; echo $line $PWD") == "welcome /data\n"
    assert list(Path(options["cache"]).iterdir()) == [Path(options["cache"]) / "t_toy_tool-2.0-py3-none-any.whl"]

    again = done(run_module, options)
    assert (again["changed"], again["action"], again["id"], again["reasons"]) == (False, "none", result["id"], [])
    assert not done(run_module, options, check=True)["changed"]


def test_changed_input_is_named_and_the_old_image_goes(
    engine: Engine, run_module: Run, options: dict[str, Any], index: Path, run_image: Callable[..., str]
) -> None:
    first = done(run_module, options)
    upgraded = newer(options, make_wheel(index, "2.1"))
    planned = done(run_module, upgraded, check=True)
    assert engine.image_id(options["name"]) == first["id"]
    result = done(run_module, upgraded)
    assert result["reasons"] == planned["reasons"]
    assert [reason.split(" (")[0] for reason in result["reasons"]] == ["wheel: t-toy-tool 2.0"]
    assert "-> t-toy-tool 2.1 (" in result["reasons"][0]
    assert run_image(options["name"]).endswith("from 2.1\n")
    assert engine.image_id(first["id"]) is None


def test_old_image_that_a_container_uses_stays(engine: Engine, run_module: Run, options: dict[str, Any], index: Path) -> None:
    first = done(run_module, options)
    container = engine.api.create_container(options["name"])["Id"]
    try:
        done(run_module, newer(options, make_wheel(index, "2.1")))
        assert engine.image_id(first["id"]) == first["id"]
    finally:
        engine.api.remove_container(container)


def test_wheel_is_downloaded_once(engine: Engine, run_module: Run, options: dict[str, Any], index: Path) -> None:
    done(run_module, options)
    engine.api.remove_image(options["name"])
    for wheel in index.iterdir():
        wheel.unlink()
    assert done(run_module, options)["action"] == "assemble"


def test_damaged_wheel_in_the_cache_is_fetched_again(engine: Engine, run_module: Run, options: dict[str, Any]) -> None:
    done(run_module, options)
    engine.api.remove_image(options["name"])
    kept = next(Path(options["cache"]).iterdir())
    kept.write_bytes(kept.read_bytes()[:-1])
    assert done(run_module, options)["changed"]
    assert assemble.sha256_of(kept) == options["assemble"]["wheel"]["hashes"][assemble.machine()]


def test_wheel_with_another_hash_is_not_even_unpacked(engine: Engine, run_module: Run, options: dict[str, Any], index: Path) -> None:
    make_wheel(index, greeting="evil")
    said = failure(run_module, options)
    assert said.startswith("t_toy_tool-2.0-py3-none-any.whl: its sha256 is ")
    assert engine.image_id(options["name"]) is None
    assert list(Path(options["cache"]).iterdir()) == []


def test_index_without_the_wheel(run_module: Run, options: dict[str, Any], index: Path) -> None:
    next(index.iterdir()).unlink()
    said = failure(run_module, options)
    assert said.startswith("t-toy-tool 2.0: could not be downloaded by pip (ERROR: No matching distribution found for t-toy-tool==2.0)")
    assert "option cache" in said


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"programs": ["no-such-program"]}, "program no-such-program: not found on the Docker host"),
        ({"members": [{"archive": "*.zst", "member": "nothing", "path": "/a"}]}, "holds no nothing in *.zst"),
        ({"env": {"A": "b\nUSER root"}}, "a value with a line break cannot be set on an image"),
        ({"wheel": {"package": "a", "version": "1", "hashes": {"riscv64": "0"}}}, "no wheel is pinned for architecture"),
    ],
)
def test_recipe_that_cannot_be_followed(
    engine: Engine, run_module: Run, options: dict[str, Any], change: dict[str, Any], complaint: str
) -> None:
    options["assemble"].update(change)
    assert complaint in failure(run_module, options)
    assert engine.image_id(options["name"]) is None
    assert not list(Path(options["cache"]).glob(".work-*"))


def test_image_of_somebody_else_is_not_replaced(
    engine: Engine, run_module: Run, options: dict[str, Any], foreign: Callable[[str], str]
) -> None:
    before = foreign(options["name"])
    for check in (False, True):
        assert "was not made by gravity.cluster" in failure(run_module, options, check)
    assert engine.image_id(options["name"]) == before


def test_same_recipe_under_another_name_is_not_made_twice(
    engine: Engine, run_module: Run, options: dict[str, Any], new_name: Callable[[], str]
) -> None:
    first = done(run_module, options)
    second = done(run_module, {**options, "name": new_name()})
    assert (second["action"], second["id"]) == ("tag", first["id"])
    assert engine.image_id(options["name"]) == first["id"]


def test_always_makes_another_image_only_when_its_content_differs(run_module: Run, options: dict[str, Any]) -> None:
    first = done(run_module, options)
    again = done(run_module, {**options, "always": True})
    assert (again["changed"], again["id"], again["action"]) == (False, first["id"], "none")


@pytest.mark.parametrize("moment", ["downloading", "unpacking", "importing"])
def test_killed_half_way_there_is_no_wrong_image(
    engine: Engine,
    run_module: Run,
    start_module: Callable[..., subprocess.Popen[str]],
    options: dict[str, Any],
    run_image: Callable[..., str],
    tmp_path: Path,
    moment: str,
) -> None:
    # Enough that the import takes a while.
    options["assemble"]["files"] += [{"path": f"/filler/{number}", "content": "x" * 500_000} for number in range(40)]
    progress = tmp_path / "progress"
    process = start_module("image", {**options, "progress_path": str(progress)})
    while not (progress.exists() and moment in progress.read_text()):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert engine.image_id(options["name"]) is None

    done(run_module, options)
    assert run_image(options["name"]).startswith("hello")
    assert run_image(options["name"], "ls", "/filler").count("\n") == 40
    assert not list(Path(options["cache"]).glob(".work-*"))


def test_killed_between_import_and_name(engine: Engine, run_module: Run, options: dict[str, Any], tiny_image: str) -> None:
    first = done(run_module, options)
    # What such a kill leaves: the complete image, without a name.
    engine.api.tag(tiny_image, *options["name"].split(":"), force=True)
    engine.api.remove_image(options["name"])
    assert engine.api.inspect_image(first["id"])["RepoTags"] == []
    planned = done(run_module, options, check=True)
    assert planned["action"] == "tag"
    result = done(run_module, options)
    assert (result["action"], result["id"]) == ("tag", first["id"])
