# SPDX-License-Identifier: GPL-3.0-or-later
"""What we wrote for a node is read back before the node starts."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import File
from ansible_collections.gravity.cluster.plugins.module_utils._held import held_by
from ansible_collections.gravity.cluster.plugins.module_utils._info import work
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

TEXT = "good\n"
REASON = "file /data/etc/conf was changed since it was deployed"


def wanted(demo: Any, **more: Any) -> dict[str, Any]:
    """A node that ends unless its config file is what it was made with."""
    command = ["sh", "-c", "grep -q good /data/etc/conf && exec httpd -f -p 8080 -h /srv"]
    files = [{"path": "/data/etc/conf", "content": TEXT}, {"path": "/data/etc/other", "content": "other"}]
    node: dict[str, Any] = demo.node(volumes=[demo.volume()], user="10001:10001", command=command, files=files, **more)
    return node


def change(demo: Any, path: str, content: bytes, mode: int = 0o644) -> None:
    """Write as we do: without a trace in the times of the file."""
    demo.engine.put(f"{demo.name}_0", "/data", [File(path, content, mode, 10001, 10001)])


def action(result: dict[str, Any]) -> tuple[str, list[str]]:
    return result["nodes"][0]["action"], result["nodes"][0]["reasons"]


def settled(demo: Any, node: dict[str, Any]) -> None:
    result = demo.up(node)
    assert not result["changed"]
    assert result["warnings"] == []
    assert demo.shell("cat /data/etc/conf") == TEXT


def test_a_changed_file_is_put_back_before_the_start(demo: Any) -> None:
    node = wanted(demo)
    demo.up(node)
    made = demo.inspect()["Id"]
    demo.act("stopped")
    change(demo, "etc/conf", b"bad\n")
    start = "not running (exited with code 143)"
    checked = demo.run(node, check=True, diff=True)
    assert action(checked) == ("start", [REASON, start])
    texts = [entry for entry in checked["diff"] if entry["before_header"] == f"{demo.name}_0:/data/etc/conf"]
    assert [(entry["before"], entry["after"]) for entry in texts] == [("bad\n", TEXT)]
    assert action(demo.up(node)) == ("start", [REASON, start])
    assert demo.inspect()["Id"] == made
    settled(demo, node)


def test_a_crash_loop_is_repaired(demo: Any) -> None:
    node = wanted(demo)
    demo.up(node)
    demo.act("stopped")
    change(demo, "etc/conf", b"bad\n")
    demo.api.start(f"{demo.name}_0")
    for _try in range(200):
        if demo.inspect()["RestartCount"] > 1:
            break
        time.sleep(0.05)
    result = demo.up(node)
    assert action(result)[0] in ("restart", "start")
    assert REASON in action(result)[1]
    settled(demo, node)


def test_a_file_that_is_gone_is_put_back(demo: Any) -> None:
    node = wanted(demo)
    demo.up(node)
    demo.shell("rm -r /data/etc", user="10001")
    demo.act("stopped")
    result = demo.up(node)
    assert action(result)[1][:2] == [f"file /data/etc/{name} is gone since it was deployed" for name in ("conf", "other")]
    settled(demo, node)


def test_a_node_that_runs_well_is_left_alone_and_named(demo: Any) -> None:
    node = wanted(demo)
    demo.up(node)
    begun = demo.inspect()["State"]["StartedAt"]
    demo.shell("echo own >> /data/etc/conf")
    result = demo.up(node)
    assert not result["changed"]
    assert result["warnings"] == [
        f"node_0: {REASON}: it runs and is left alone; the file is put back when node_0 is stopped and deployed again"
    ]
    assert demo.inspect()["State"]["StartedAt"] == begun


def test_starting_by_name_says_what_only_deploy_can_put_back(demo: Any) -> None:
    node = wanted(demo)
    demo.up(node)
    change(demo, "etc/conf", b"good as well\n")
    result = demo.act("restarted", nodes=["node_0"])
    assert result["warnings"] == [f"node_0: {REASON}: deploy node_0 to put it back"]


@pytest.fixture
def keeper(demo: Any) -> dict[str, Any]:
    """A node whose volume was made with a key and a genesis."""
    genesis = "ab" * 32
    held = held_by([File("keys/key", b"own", 0o400), File("keys/genesis", b"chain", 0o444)], genesis)
    marks = labels.own(demo.name, "volume", node="node_0", genesis=genesis, held=held.text())
    demo.api.create_volume(demo.volume()["name"], labels=marks)
    node = demo.node(volumes=[demo.volume()], genesis=genesis)
    demo.up(node, state="present")
    folder = File("keys/", b"", 0o700)
    files = [folder, File("keys/key", b"own", 0o400), File("keys/genesis", b"chain", 0o444)]
    demo.engine.put(f"{demo.name}_0", "/data", files)
    demo.up(node)
    return dict(node)


@pytest.mark.parametrize("name", [False, True])
@pytest.mark.parametrize("content", [b"of another", None])
def test_another_key_does_not_start(demo: Any, keeper: dict[str, Any], name: bool, content: bytes | None) -> None:
    demo.act("stopped")
    before = demo.everything()
    if content is None:
        demo.engine.put(f"{demo.name}_0", "/data", [File("keys/key/", b"", 0o700)])
    else:
        change(demo, "keys/key", content, 0o400)
    result = demo.act("started", nodes=["node_0"]) if name else demo.run(keeper)
    assert result["failed"]
    word = "is gone" if content is None else "was changed"
    assert result["msg"] == (
        f"node_0: the key /data/keys/key {word} in volume {demo.name}_0-data, and two nodes that sign with one key halt or fork a chain: "
        "restore the file from a backup (nothing was changed)"
    )
    assert "of another" not in str(result)
    assert demo.everything() == before


def test_another_genesis_does_not_start(demo: Any, keeper: dict[str, Any]) -> None:
    change(demo, "keys/genesis", b"other", 0o444)
    # It is read before the node goes down.
    begun = demo.inspect()["State"]["StartedAt"]
    message = demo.act("restarted", nodes=["node_0"])["msg"]
    assert message.startswith("node_0: the genesis file /data/keys/genesis was changed in volume")
    assert "deploy node_0 to put it back" in message
    assert demo.inspect()["State"]["StartedAt"] == begun
    assert not demo.up(keeper)["changed"]
    change(demo, "keys/genesis", b"chain", 0o444)
    assert action(demo.act("restarted", nodes=["node_0"])) == ("restart", ["asked for"])


def test_a_replacement_looks_at_the_key_first(demo: Any, keeper: dict[str, Any]) -> None:
    change(demo, "keys/key", b"of another", 0o400)
    made = demo.inspect()["Id"]
    result = demo.run({**keeper, "memory": "64m"})
    assert "node_0: the key /data/keys/key was changed" in result["msg"]
    assert demo.inspect()["Id"] == made


def drift(demo: Any) -> list[str]:
    params = {"cluster": demo.name, "nodes": None, "rpc_timeout": 1, "drift": True}
    found: list[str] = work(params, demo.engine, Progress(), False)["nodes"]["node_0"]["drift"]
    return found


def test_status_names_what_was_changed(demo: Any, keeper: dict[str, Any]) -> None:
    node = {**keeper, "files": [{"path": "/data/etc/conf", "content": TEXT}]}
    demo.up(node)
    assert drift(demo) == []
    demo.shell("echo x >> /data/etc/conf; rm /data/keys/genesis; touch /data/keys/key", user="0")
    assert drift(demo) == ["the genesis file /data/keys/genesis is gone", "file /data/etc/conf was changed"]
    demo.act("stopped")
    # Of a node that does not run all is read, whatever the times say.
    change(demo, "keys/key", b"of another", 0o400)
    assert drift(demo) == [
        "the key /data/keys/key was changed",
        "the genesis file /data/keys/genesis is gone",
        "file /data/etc/conf was changed",
    ]
    demo.api.remove_container(f"{demo.name}_0", force=True)
    assert work({"cluster": demo.name, "nodes": None, "rpc_timeout": 1, "drift": True}, demo.engine, Progress(), False)["nodes"] == {}
