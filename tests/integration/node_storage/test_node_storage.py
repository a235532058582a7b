# SPDX-License-Identifier: GPL-3.0-or-later
"""Clearing the data of stopped containers, by a tool that their image has."""

from __future__ import annotations

import contextlib
import io
import tarfile
import typing as t
import uuid

import gravity_image
import pytest
from integration.running import Data, Nodes

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File

Run = t.Callable[..., Data]

FILL = "mkdir -p /data/db/deep /data/keys '/data/odd [1]*'; for f in db/a db/deep/b keys/k 'odd [1]*/x' odd; do echo 1 > \"/data/$f\"; done"


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    """A small Debian: the shell, and find."""
    return gravity_image.base_image(engine.api)


@pytest.fixture(scope="module")
def busybox_image(engine: Engine, tiny_image: str) -> t.Iterator[str]:
    """A busybox whose find knows no -delete, as that of Debian."""
    name = f"t-find-{uuid.uuid4().hex[:8]}"
    links = "for one in find rm rmdir mkdir; do busybox ln -sf busybox /bin/$one; done"
    made = engine.api.create_container(tiny_image, ["sh", "-c", links])["Id"]
    engine.api.start(made)
    engine.api.wait(made)
    engine.api.commit(made, repository=name, tag="1")
    engine.api.remove_container(made)
    yield f"{name}:1"
    engine.api.remove_image(f"{name}:1", force=True)


@pytest.fixture
def stored(nodes: Nodes, image: str) -> t.Iterator[Nodes]:
    """A stopped node ``a`` with data on a volume, and configuration on one that it only reads."""
    with filled(nodes, image):
        yield nodes


@contextlib.contextmanager
def filled(nodes: Nodes, image: str) -> t.Iterator[None]:
    """The same with an image."""
    nodes.image = image
    volumes = [f"{nodes.cluster}-a-data", f"{nodes.cluster}-a-config"]
    container = nodes.run("a", FILL, binds=[f"{volumes[0]}:/data", f"{volumes[1]}:/config:ro"])
    nodes.engine.api.wait(container)
    try:
        yield
    finally:
        nodes.engine.api.remove_container(container, force=True)
        for volume in volumes:
            nodes.engine.api.remove_volume(volume)


@pytest.fixture
def clear(run_module: Run, nodes: Nodes) -> Run:
    """Run node_storage on node a."""

    def run(check: bool = False, **options: t.Any) -> Data:
        node = {"name": "a", "container": f"{nodes.cluster}-a", **options}
        return run_module("node_storage", {"cluster": nodes.cluster, "nodes": [node]}, check=check)

    return run


def there(nodes: Nodes) -> t.List[str]:
    """What is on the data volume."""
    stream, _stat = nodes.engine.api.get_archive(f"{nodes.cluster}-a", "/data")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        return sorted(name.removeprefix("data/") for name in archive.getnames() if name != "data")


ALL = ["db", "db/a", "db/deep", "db/deep/b", "keys", "keys/k", "odd", "odd [1]*", "odd [1]*/x"]


def test_all_but_what_stays(stored: Nodes, clear: Run) -> None:
    assert there(stored) == ALL
    would = clear(check=True, clear=["/data"], keep=["/data/db/a", "/data/keys"])
    assert (would["changed"], would["removed"], there(stored)) == (True, {"a": 5}, ALL)
    done = clear(clear=["/data"], keep=["/data/db/a", "/data/keys"])
    assert done["reasons"] == ["a: 5 files and folders of its data"]
    assert there(stored) == ["db", "db/a", "keys", "keys/k"]
    again = clear(clear=["/data"], keep=["/data/db/a", "/data/keys"])
    assert (again["changed"], again["reasons"]) == (False, [])
    assert not [one for one in stored.engine.api.containers(all=True) if one["Names"][0].startswith(f"/{stored.cluster}-a-clear")]


def test_a_find_that_cannot_delete(nodes: Nodes, busybox_image: str, clear: Run) -> None:
    with filled(nodes, busybox_image):
        would = clear(check=True, clear=["/data"], keep=["/data/db/a", "/data/keys"])
        assert (would["removed"], there(nodes)) == ({"a": 5}, ALL)
        assert clear(clear=["/data"], keep=["/data/db/a", "/data/keys"])["removed"] == {"a": 5}
        assert there(nodes) == ["db", "db/a", "keys", "keys/k"]
        assert not clear(clear=["/data"], keep=["/data/db/a", "/data/keys"])["changed"]
        assert clear(clear=["/data"])["removed"] == {"a": 4}
        assert there(nodes) == []


def test_names_are_no_patterns(stored: Nodes, clear: Run) -> None:
    clear(clear=["/data"], keep=["/data/odd [1]*"])
    assert there(stored) == ["odd [1]*", "odd [1]*/x"]


def test_one_folder_of_several(stored: Nodes, clear: Run) -> None:
    clear(clear=["/data/db"])
    assert there(stored) == [path for path in ALL if not path.startswith("db/")]


def test_what_a_killed_run_left_is_in_nobodys_way(stored: Nodes, clear: Run) -> None:
    own = labels.own(stored.cluster, "oneoff")
    stored.engine.api.create_container(stored.image, command=["true"], name=f"{stored.cluster}-a-clear", labels=own)
    clear(clear=["/data"])
    assert there(stored) == []


def test_a_container_of_others_by_the_name_is_left_alone(stored: Nodes, clear: Run) -> None:
    other = stored.engine.api.create_container(stored.image, command=["true"], name=f"{stored.cluster}-a-clear")["Id"]
    try:
        clear(clear=["/data"])
        assert there(stored) == []
    finally:
        stored.engine.api.remove_container(other)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "a: nothing says where its data are: set storage in the spec, for example storage: {clear: [/data]}"),
        ({"clear": ["/other"]}, "a: /other is not on one of its volumes (/config, /data): mend storage.clear"),
        ({"clear": ["/config"]}, "a: /config is on a volume that it only reads, where its configuration is: mend storage.clear"),
        ({"clear": ["/data"], "container": "no-such"}, "a: has no container, whose data could be cleared: deploy it, then stop it"),
    ],
)
def test_refusals_change_nothing(stored: Nodes, clear: Run, options: Data, line: str) -> None:
    assert clear(**options)["msg"] == line
    assert there(stored) == ALL


def test_a_node_that_runs(stored: Nodes, clear: Run) -> None:
    stored.run("b")
    assert (
        clear(container=f"{stored.cluster}-b", clear=["/data"])["msg"] == "a: runs, and would lose its data under its feet: stop it first"
    )


def test_an_image_without_the_tool(nodes: Nodes, tiny_image: str, clear: Run) -> None:
    nodes.image = tiny_image
    container = nodes.run("a", "true", binds=[f"{nodes.cluster}-a-data:/data"])
    nodes.engine.api.wait(container)
    try:
        nodes.engine.put(container, "/data", [File("x", b"1")])
        assert "a: its image cannot run find, which clears data (" in clear(clear=["/data"])["msg"]
    finally:
        nodes.engine.api.remove_container(container, force=True)
        nodes.engine.api.remove_volume(f"{nodes.cluster}-a-data")
