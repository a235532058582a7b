# SPDX-License-Identifier: GPL-3.0-or-later
"""The machinery knows nothing of chains: web servers from an image of one's own, configured by the spec alone."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import typing as t
import uuid
from pathlib import Path

import docker
import pytest
import requests

from .conftest import Cluster, busybox_context, remove_all, web_cluster
from .test_life import objects


@pytest.fixture(scope="module")
def web(engine: docker.APIClient, busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Three web servers that are not deployed yet."""
    folder = tmp_path_factory.mktemp(f"e2e-{uuid.uuid4().hex[:8]}")
    fields = {
        "command": ["httpd", "-f", "-p", "8080", "-h", "/www"],
        "env": {"TIER": "front", "TOKEN": "canary-env-1"},
        "user": "10001:10001",
        "ulimits": {"nofile": "64:128"},
        "resources": {"pids": "unlimited"},
        "files": [
            {"path": "/www/index.html", "content": "first\n"},
            {"path": "/www/token", "content": "canary 'file' 1\nof two lines\n", "secret": True},
        ],
        "health": {"test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "interval": "1s"},
        "ready": {
            "probes": {"http": {"type": "http", "port": "http"}},
            "conditions": [{"is": "http_status", "probe": "http"}, {"is": "healthy"}],
        },
    }
    image = {"source": "build", "context": str(busybox_context(busybox, folder)), "args": {"TOKEN": "canary-argument"}}
    made = web_cluster(engine, folder, image, "web_[0:2]", fields)
    # A build leaves the image behind whose name the next one takes.
    before = {one["Id"] for one in engine.images(filters={"dangling": True})}
    try:
        yield made
    finally:
        remove_all(engine, made.name)
        for image in engine.images(name=made.name) + [one for one in engine.images(filters={"dangling": True}) if one["Id"] not in before]:
            engine.remove_image(image["Id"], force=True)


def page(web: Cluster, node: int) -> str:
    """What a web server answers."""
    session = requests.Session()
    session.trust_env = False
    port = 8080 + int(web.spec["roles"]["service"]["port_offset"]) + node
    return session.get(f"http://127.0.0.1:{port}/", timeout=5).text


def test_the_image_is_built_and_the_servers_answer(engine: docker.APIClient, web: Cluster) -> None:
    output = web.ok("deploy")
    assert [page(web, node) for node in range(3)] == ["first\n"] * 3
    assert sum(line.startswith("web_") and " running " in line for line in output.splitlines()) == 3, output
    (container,) = engine.containers(filters={"name": f"{web.name}-web_1"})
    inspected = engine.inspect_container(container["Id"])
    assert "TIER=front" in inspected["Config"]["Env"]
    assert inspected["HostConfig"]["CapDrop"] == ["ALL"]
    assert inspected["HostConfig"]["ReadonlyRootfs"] is True
    assert inspected["Config"]["User"] == "10001:10001"
    assert not inspected["HostConfig"]["PidsLimit"]
    assert inspected["HostConfig"]["Memory"] == 2**30
    assert inspected["HostConfig"]["Ulimits"] == [{"Name": "nofile", "Soft": 64, "Hard": 128}]
    web.unchanged("deploy")


def test_a_changed_file_is_shown_and_brought_to_all(engine: docker.APIClient, web: Cluster) -> None:
    before = objects(engine, web)
    web.spec["nodes"]["web_[0:2]"]["files"][0]["content"] = "second\n"
    web.write()
    output = web.ok("deploy", "--check", "--diff")
    assert "-first" in output
    assert "+second" in output
    assert objects(engine, web) == before
    web.ok("deploy")
    assert [page(web, node) for node in range(3)] == ["second\n"] * 3
    assert objects(engine, web)["volumes"] == before["volumes"]
    web.unchanged("deploy")


def test_nothing_secret_gets_out(engine: docker.APIClient, web: Cluster, tmp_path: Path) -> None:
    """Canaries in every kind of value, and a look at all that a deploy prints and leaves."""
    fields = web.spec["nodes"]["web_[0:2]"]
    fields["env"]["TOKEN"], fields["files"][1]["content"] = "canary-env-2", "canary 'file' 2\nof two lines\n"
    web.write()
    folders = {"ANSIBLE_LOCAL_TEMP": "local", "ANSIBLE_REMOTE_TEMP": "remote", "ANSIBLE_INVENTORY_CACHE_CONNECTION": "cache"}
    env = {
        **{name: str(tmp_path / folder) for name, folder in folders.items()},
        "ANSIBLE_LOG_PATH": str(tmp_path / "log"),
        "ANSIBLE_INVENTORY_CACHE": "true",
        "ANSIBLE_INVENTORY_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_PIPELINING": "false",
    }
    said = web.ok("deploy", "--check", "--diff", "-vvv", env=env) + web.ok("deploy status", "--diff", "-vvv", env=env)
    assert "environment variable TOKEN" in said
    assert "file /www/token" in said
    assert "canary" not in said
    # A module that is not piped lies in the temporary folder with all its arguments, and stays there when it is killed.
    assert {"containers", "genesis", "image"}.isdisjoint(re.findall(r"AnsiballZ_(\w+)\.py", said))
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in left if "canary" in path.read_text(encoding="utf-8", errors="replace")] == []
    assert "log" in [path.name for path in left]

    (container,) = engine.containers(filters={"name": f"{web.name}-web_1"})
    found = engine.inspect_container(container["Id"])
    assert "TOKEN=canary-env-2" in found["Config"].pop("Env")
    image = engine.inspect_image(found["Image"])
    seen = json.dumps([found, image, engine.history(found["Image"]), engine.inspect_volume(f"{web.name}-web_1-www")])
    assert "canary" not in seen
    assert hashlib.sha256(f"400\n{fields['files'][1]['content']}".encode()).hexdigest() not in seen

    web.ok("export_compose", "--diff", "-vvv", env=env)
    exported = web.path.parent / "docker-compose.cluster.yaml"
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert "canary 'file'" not in exported.read_text(encoding="utf-8")
    exported.unlink()


def test_a_server_that_never_gets_ready_is_named(web: Cluster) -> None:
    good = web.spec["nodes"]["web_[0:2]"]["ready"]
    web.spec["nodes"]["web_[0:2]"]["ready"] = {
        "probes": {"http": {"type": "http", "port": "http", "path": "/missing"}},
        "conditions": [{"is": "http_status", "probe": "http", "value": 200}],
        "timeout": "3s",
    }
    web.write()
    message = web.refused("deploy")
    web.spec["nodes"]["web_[0:2]"]["ready"] = good
    web.write()
    assert "web_0" in message
    assert "nodes not ready after 3." in message
    assert "404" in message


def test_stop_needs_no_quorum_where_nobody_votes(web: Cluster) -> None:
    assert {fact["state"] for fact in web.facts("stop").values()} == {"stopped"}
    web.ok("start")
    assert [page(web, node) for node in range(3)] == ["second\n"] * 3


def test_another_spec_of_the_same_name_takes_nothing_away(engine: docker.APIClient, web: Cluster, tmp_path: Path) -> None:
    before = objects(engine, web)
    other = Cluster(tmp_path, {**web.spec, "nodes": {"api_0": web.spec["nodes"]["web_[0:2]"]}})
    for verb, options in (
        ("deploy", ()),
        ("deploy", ("--check",)),
        ("teardown", ()),
        ("teardown", ("-e", "teardown_purge=true", "-e", f"confirm={web.name}")),
    ):
        assert "another spec made and this one lacks (web_0, web_1, web_2)" in other.refused(verb, *options)
    assert objects(engine, web) == before
    # The same nodes in another file, as on another controller.
    Cluster(tmp_path, web.spec).unchanged("deploy")
    assert objects(engine, web) == before


def test_purge_leaves_nothing(engine: docker.APIClient, web: Cluster) -> None:
    web.ok("teardown", "-e", "teardown_purge=true", "-e", f"confirm={web.name}")
    assert objects(engine, web) == {"containers": [], "networks": [], "volumes": []}
