# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers

USER = "10001:10002"
STAT = "stat -c '%n %u:%g %a'"


def config(text: str = "x = 1\n", mode: str = "0644", path: str = "/data/config/app.toml") -> dict[str, str]:
    return {"path": path, "content": text, "mode": mode}


def test_files_and_new_volumes_belong_to_the_user(demo: Any) -> None:
    files = [config(), config("y\n", "0400", "/data/config/deep/er/key.toml"), config("z\n", path="/data/top.toml")]
    demo.up(demo.node(user=USER, volumes=[demo.volume()], files=files))
    assert demo.shell(
        f"cd /data; {STAT} . config config/deep config/deep/er config/app.toml config/deep/er/key.toml top.toml"
    ).splitlines() == [
        ". 10001:10002 755",
        "config 10001:10002 755",
        "config/deep 10001:10002 755",
        "config/deep/er 10001:10002 755",
        "config/app.toml 10001:10002 644",
        "config/deep/er/key.toml 10001:10002 400",
        "top.toml 10001:10002 644",
    ]
    assert demo.shell("cat /data/config/app.toml /data/config/deep/er/key.toml; echo own > /data/config/written") == "x = 1\ny\n"
    assert demo.names(demo.name) == [f"{demo.name}_0"]


@pytest.mark.parametrize(("user", "owner"), [("app", "10001:10002"), ("app:crew", "10001:10003")])
def test_a_user_by_name_owns_what_is_new(demo: Any, user: str, owner: str) -> None:
    demo.up(demo.node(user=user, volumes=[demo.volume()], files=[config()]))
    assert demo.shell(f"{STAT} /data /data/config/app.toml").splitlines() == [f"/data {owner} 755", f"/data/config/app.toml {owner} 644"]
    assert demo.shell("touch /data/own && echo written") == "written\n"


def test_files_on_a_volume_that_the_container_only_reads(demo: Any) -> None:
    volumes = [{**demo.volume(), "read_only": True}, {"name": f"{demo.name}_0-work", "target": "/work"}]
    demo.up(demo.node(user=USER, volumes=volumes, files=[config(), config("y\n", "0400", "/data/key")]))
    seen = demo.shell(f"cat /data/config/app.toml /data/key; {STAT} /data/config /data/config/app.toml /data/key /work")
    assert seen.splitlines() == [
        "x = 1",
        "y",
        "/data/config 10001:10002 755",
        "/data/config/app.toml 10001:10002 644",
        "/data/key 10001:10002 400",
        "/work 10001:10002 755",
    ]
    assert demo.shell("echo x 2>/dev/null > /data/config/app.toml || echo refused; echo own > /work/written") == "refused\n"
    demo.up(demo.node(user=USER, volumes=volumes, files=[config("x = 2\n"), config("y\n", "0400", "/data/key")]))
    assert demo.shell("cat /data/config/app.toml /work/written") == "x = 2\nown\n"
    assert demo.names(demo.name) == [f"{demo.name}_0"]


def test_a_changed_file_makes_the_container_anew_and_touches_nothing_else(demo: Any) -> None:
    demo.up(demo.node(user=USER, volumes=[demo.volume()], files=[config()]))
    demo.shell("echo mine > /data/kept; chmod 700 /data/config; chmod 710 /data")
    wanted = demo.node(user=USER, volumes=[demo.volume()], files=[config("x = 2\n")])
    result = demo.up(wanted, diff=True)
    assert (result["nodes"][0]["action"], result["nodes"][0]["reasons"]) == ("recreate", ["file /data/config/app.toml changed"])
    assert [
        (entry["before"], entry["after"]) for entry in result["diff"] if entry["after_header"] == f"{demo.name}_0:/data/config/app.toml"
    ] == [("x = 1\n", "x = 2\n")]
    assert demo.shell("cat /data/config/app.toml /data/kept") == "x = 2\nmine\n"
    assert demo.shell(f"{STAT} /data /data/config") == "/data 10001:10002 710\n/data/config 10001:10002 700\n"
    assert not demo.up(wanted)["changed"]
    assert demo.up(demo.node(user=USER, volumes=[demo.volume()], files=[config("x = 2\n", "0600")]))["changed"]
    assert demo.shell(f"{STAT} /data/config/app.toml") == "/data/config/app.toml 10001:10002 600\n"


def test_without_diff_the_old_text_is_not_fetched(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()], files=[config("old-text\n")]))
    result = demo.up(demo.node(volumes=[demo.volume()], files=[config("new\n")]))
    assert "old-text" not in str(result["diff"])


def test_a_file_that_is_no_longer_defined(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()], files=[config()]))
    result = demo.up(demo.node(volumes=[demo.volume()]))
    assert result["nodes"][0]["reasons"] == ["file /data/config/app.toml is no longer defined"]
    assert not demo.up(demo.node(volumes=[demo.volume()]))["changed"]


def test_a_writable_root_holds_files(demo: Any) -> None:
    demo.up(demo.node(read_only=False, user=USER, files=[config(path="/etc/app/app.toml"), config(path="/stamp")]))
    assert demo.shell("cat /etc/app/app.toml /stamp") == "x = 1\nx = 1\n"
    assert demo.shell(f"{STAT} /etc /etc/app") == "/etc 0:0 755\n/etc/app 10001:10002 755\n"


def test_a_new_volume_starts_with_what_the_image_has_there(demo: Any) -> None:
    demo.up(demo.node(user=USER, volumes=[{"name": f"{demo.name}_0-data", "target": "/srv"}]))
    assert demo.shell(f"cat /srv/seed; {STAT} /srv") == "from the image\n/srv 10001:10002 755\n"


def test_volumes_carry_the_labels_of_their_node(demo: Any) -> None:
    demo.up(demo.node(volumes=[demo.volume()], genesis="abc", flavor="generic"))
    assert demo.api.inspect_volume(f"{demo.name}_0-data")["Labels"] == {
        "gravity.cluster.name": demo.name,
        "gravity.cluster.kind": "volume",
        "gravity.cluster.node": "node_0",
        "gravity.cluster.role": "service",
        "gravity.cluster.flavor": "generic",
        "gravity.cluster.genesis": "abc",
    }


def test_a_volume_that_is_there_keeps_its_owner(demo: Any) -> None:
    own = {"gravity.cluster.name": demo.name, "gravity.cluster.kind": "volume", "gravity.cluster.node": "node_0"}
    demo.api.create_volume(f"{demo.name}_0-data", labels=own)
    demo.up(demo.node(user=USER, volumes=[demo.volume()], files=[config()]))
    assert demo.shell(f"{STAT} /data") == "/data 0:0 755\n"


def test_a_volume_can_be_shared(demo: Any) -> None:
    shared = {"name": f"{demo.name}-shared", "target": "/shared"}
    reader = demo.node(1, user="7:7", volumes=[{**shared, "read_only": True}])
    demo.up(demo.node(0, user=USER, volumes=[shared]), reader)
    demo.shell("echo hello > /shared/x")
    assert (
        demo.shell(f"cat /shared/x; {STAT} /shared; touch /shared/y 2>/dev/null || echo kept", 1)
        == "hello\n/shared 10001:10002 755\nkept\n"
    )


@pytest.mark.parametrize("made_by", ["a run that died", "state present"])
def test_a_container_that_never_started_is_completed_first(demo: Any, made_by: str) -> None:
    wanted = demo.node(user=USER, volumes=[demo.volume()], files=[config()])
    if made_by == "state present":
        demo.up(wanted, state="present")
    else:
        demo.up(demo.node(1))
        payload = parse_containers([wanted], Problems())[0].payload(demo.name, demo.name)
        demo.api.create_container_from_config(payload, f"{demo.name}_0")
    named = demo.act("started", nodes=["node_0"])
    if made_by == "state present":
        assert not named.get("failed")
    else:
        assert "its config file /data/config/app.toml was never written: deploy the node again" in named["msg"]
        result = demo.up(wanted)
        assert (result["nodes"][0]["action"], result["nodes"][0]["reasons"]) == ("start", ["not running (never started)"])
    assert demo.shell(f"cat /data/config/app.toml; {STAT} /data") == "x = 1\n/data 10001:10002 755\n"
    assert not demo.up(wanted)["changed"]
