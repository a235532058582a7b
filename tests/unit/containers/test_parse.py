# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.containers.builders import defined, mistakes, plain

from ansible_collections.gravity.cluster.plugins.module_utils._aspects import size
from ansible_collections.gravity.cluster.plugins.module_utils._definition import Port, Volume, named_owner
from ansible_collections.gravity.cluster.plugins.module_utils._parse import (
    Mistake,
    Problems,
    duration,
    health,
    memory,
    parse_network,
    restart_policy,
    same_socket,
    ulimits,
)

RESTARTS = "use 'no', 'always', 'on-failure', 'unless-stopped' or 'on-failure:5'"
DATA = [{"name": "demo_0-data", "target": "/data"}]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"memory": "lots"}, "node_0: memory: expected an amount of memory, got 'lots': write it as '512m' or '2g'"),
        ({"memory": "1k"}, "node_0: memory: '1k' is less than the 6m that the Engine needs: write it as '512m' or '2g'"),
        ({"memory": "-1g"}, "node_0: memory: expected an amount of memory, got '-1g': write it as '512m' or '2g'"),
        ({"cpus": 0}, "node_0: cpus: the number 0 is out of range: use 0.01 to 1024"),
        ({"cpus": float("nan")}, "node_0: cpus: the number nan is out of range: use 0.01 to 1024"),
        ({"pids": 0}, "node_0: pids 0 is out of range: choose at least 1, or leave it out for no limit"),
        (
            {"stop_grace": -1},
            "node_0: stop_grace: expected a duration, got the number -1: write seconds, or text such as '500ms', '30s', '1m30s'",
        ),
        (
            {"stop_grace": "500ms"},
            "node_0: stop_grace: the Engine counts this in whole seconds, and '500ms' has a fraction: write for example '1s'",
        ),
        ({"image": "a/../b"}, "node_0: image: 'a/../b' is not an image name: write it as 'name:tag' or 'host/name:tag'"),
        ({"cap_add": ["FLY"]}, "node_0: cap_add: 'FLY' is not a Linux capability: write one as NET_ADMIN (man 7 capabilities)"),
        (
            {"env": {"A": "a\0b"}},
            "node_0: environment variable A: the text holds a NUL character, which ends a text for the system: leave it out",
        ),
        ({"env": {"A=": "b"}}, "node_0: env: 'A=' is not a name for an environment variable: use letters, digits and '_'"),
        ({"restart": "often"}, f"node_0: restart: 'often' is not one of the choices: {RESTARTS}"),
        ({"restart": "always:5"}, f"node_0: restart: 'always:5' is not one of the choices: {RESTARTS}"),
        ({"restart": "on-failure:"}, f"node_0: restart: 'on-failure:' is not one of the choices: {RESTARTS}"),
        ({"log": {"max_size": "10 MB"}}, "node_0: log.max_size: expected the size of a log file, got '10 MB': write it as '10m'"),
        ({"log": {"max_file": -1}}, "node_0: max_file of the log -1 is out of range: choose at least 1, or leave it out for no limit"),
        ({"stop_signal": "SIGSTOPP"}, "node_0: stop_signal: 'SIGSTOPP' is not a signal: write it as SIGTERM or SIGINT"),
        ({"working_dir": "srv"}, "node_0: working_dir: expected an absolute path in the container, got 'srv': write it as '/data'"),
        (
            {"binds": [{"source": "srv", "target": "/srv"}]},
            "node_0: source of a bind mount: expected an absolute path of the Docker host, got 'srv': write it as '/srv/data'",
        ),
        ({"volumes": DATA, "binds": [{"source": "/srv", "target": "/data"}]}, "node_0: two things are mounted on /data: keep one of them"),
        (
            {"binds": [{"source": "/srv", "target": "/srv"}], "files": [{"path": "/srv/a", "content": ""}]},
            "node_0: file /srv/a lies on /srv of the Docker host, which is not the node's own: put it on a volume",
        ),
        ({"network_ip": "10.9.0"}, "node_0: network_ip 10.9.0 is not an IP address: write it like 172.20.0.10"),
        ({"ports": [{"container": 0}]}, "node_0: container port: port 0 is out of range: use 1 to 65535"),
        ({"ports": [{"container": 80, "host": 65536}]}, "node_0: host port: port 65536 is out of range: use 1 to 65535"),
        (
            {"ports": [{"container": 80, "host": 80, "address": "localhost"}]},
            "node_0: address localhost of port 80 is not an IP address: write it like 127.0.0.1",
        ),
        ({"ports": [{"container": 80, "protocol": "icmp"}]}, "node_0: protocol icmp of port 80 is unknown: choose tcp, udp, sctp"),
        (
            {"volumes": [{"name": "x", "target": "/data"}]},
            (
                "node_0: volume name: 'x' is not a name that the Engine takes: "
                "use at least two letters, digits, '_', '.' and '-', a letter or digit first"
            ),
        ),
        (
            {"volumes": [{"name": "demo", "target": "data"}]},
            "node_0: target of volume demo: expected an absolute path in the container, got 'data': write it as '/data'",
        ),
        (
            {"volumes": [{"name": "demo", "target": "/"}]},
            "node_0: target of volume demo: the path '/' is the whole file system of the container: write a path below it, as '/data'",
        ),
        ({"tmpfs": ["tmp"]}, "node_0: tmpfs: expected an absolute path in the container, got 'tmp': write it as '/data'"),
        (
            {"files": [{"path": "/etc/x", "content": ""}]},
            "node_0: file /etc/x lies on the read-only root: put it on a volume, or set read_only: false",
        ),
        (
            {"files": [{"path": "/tmp/x", "content": ""}]},
            "node_0: file /tmp/x lies on the tmpfs /tmp, which is empty at every start: put it on a volume",
        ),
        (
            {"volumes": DATA, "files": [{"path": "/data", "content": ""}]},
            "node_0: file /data is also where volume demo_0-data is mounted: choose a path below it",
        ),
        (
            {"volumes": DATA, "files": [{"path": "/data/x", "content": "", "mode": "rw"}]},
            "node_0: mode of file /data/x: expected a file mode, got 'rw': write it in quotes, as '0644'",
        ),
        ({"volumes": DATA, "files": [{"path": "/data/x"}]}, "node_0: file /data/x has no content: add `content`"),
        ({"env": {"A": None}}, "node_0: environment variable A has no plain value: give it a text or a number, or leave it out"),
        (
            {"labels": {"gravity.cluster.name": "other"}},
            (
                "node_0: label gravity.cluster.name is reserved: labels that start with gravity.cluster. "
                "are set by the collection, choose another name"
            ),
        ),
        ({"health": {"interval": "5s"}}, "node_0: the health check has no test: add `test`, a command"),
        (
            {"health": {"test": "true", "interval": "soon"}},
            "node_0: interval of the health check: expected a duration, got 'soon': write seconds, or text such as '500ms', '30s', '1m30s'",
        ),
        ({"ulimits": {"nofile": "many"}}, "node_0: ulimit nofile many is not a number: write it like 65536 or 1024:65536"),
        ({"image": ""}, "node_0: no image is given: name one with `image`"),
        (
            {"name": "-x"},
            (
                "node_0: container name: '-x' is not a name that the Engine takes: "
                "use at least two letters, digits, '_', '.' and '-', a letter or digit first"
            ),
        ),
    ],
)
def test_a_mistake_is_one_line(wrong: dict[str, Any], line: str) -> None:
    assert mistakes(plain(**wrong)) == [line]


def test_all_mistakes_are_told_at_once() -> None:
    lines = mistakes(plain(0, memory="lots", cpus=0), plain(1, network_ip="x"))
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("second", "line"),
    [
        ({"name": "demo_0"}, "node_1: container name demo_0 is also that of node_0: give each node its own"),
        ({"node": "node_0"}, "node_0: defined twice, as containers demo_0 and demo_1: give each node one container"),
        ({"network_ip": "10.9.0.10"}, "node_1: address 10.9.0.10 is also that of node_0: give each node its own"),
        (
            {"ports": [{"container": 1, "host": 8545}]},
            "node_1: host port 127.0.0.1:8545 is also published by node_0: give it another host port",
        ),
        (
            {"ports": [{"container": 1, "host": 8545, "address": "0.0.0.0"}]},
            "node_1: host port 0.0.0.0:8545 is also published by node_0: give it another host port",
        ),
    ],
)
def test_clashes_between_two_nodes_are_found(second: dict[str, Any], line: str) -> None:
    assert mistakes(plain(0, ports=[{"container": 8545, "host": 8545}]), plain(1, **second)) == [line]


def test_the_same_port_on_other_addresses_or_protocols_is_no_clash() -> None:
    assert not same_socket(Port(1, 80, "127.0.0.1"), Port(1, 80, "127.0.0.2"))
    assert not same_socket(Port(1, 80), Port(1, 80, protocol="udp"))
    assert same_socket(Port(1, 80), Port(2, 80, "::"))


def test_defaults_are_safe() -> None:
    one = defined()
    assert (one.read_only, one.init, one.restart, one.stop_grace, one.tmpfs) == (True, True, "unless-stopped", 30, {"/tmp": ""})
    assert one.log == {"max-size": "10m", "max-file": "3"}
    host = one.payload("demo", "demo-net")["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert defined(ports=[{"container": 80, "host": 81}]).ports == (Port(80, 81, "127.0.0.1", "tcp"),)


def test_a_writable_root_gets_no_tmpfs_and_may_hold_files() -> None:
    one = defined(read_only=False, files=[{"path": "/etc/app.conf", "content": "x"}])
    assert one.tmpfs == {}
    assert one.mount_of("/etc/app.conf") is None


def test_places_have_one_form() -> None:
    one = defined(volumes=[{"name": "demo_0-data", "target": "//data/"}], files=[{"path": "//data//x", "content": ""}], tmpfs=["/run/:ro"])
    assert (one.volumes[0].target, one.files[0].path, one.tmpfs) == ("/data", "/data/x", {"/run": "ro"})
    assert one.mount_of(one.files[0].path) == one.volumes[0]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"tmpfs": ["/data/"]}, "node_0: two things are mounted on /data: keep one of them"),
        ({"tmpfs": ["/run", "/run/:size=1m"]}, "node_0: tmpfs /run is given twice: keep one of them"),
        (
            {"files": [{"path": "/data/x", "content": "a"}, {"path": "/data//x", "content": "b"}]},
            "node_0: file /data/x is given twice: keep one of them",
        ),
    ],
)
def test_nothing_hides_another(wrong: dict[str, Any], line: str) -> None:
    assert mistakes(plain(volumes=DATA, **wrong)) == [line]


def test_the_innermost_mount_counts() -> None:
    one = defined(tmpfs=["/data/run"], volumes=DATA)
    assert one.mount_of("/data/run/x") == "/data/run"
    assert one.mount_of("/data/runner") == Volume("demo_0-data", "/data")
    assert one.mount_of("/database") is None


@pytest.mark.parametrize(
    ("user", "owner"), [("10001:10002", (10001, 10002)), ("5", (5, 5)), ("redis", None), ("1:staff", None), (None, None)]
)
def test_only_numbers_can_own(user: str | None, owner: tuple[int, int] | None) -> None:
    assert defined(user=user).owner == owner


def test_plain_values_become_text() -> None:
    assert defined(env={"A": 1, "B": True, "C": "x"}).env == {"A": "1", "B": "true", "C": "x"}
    assert defined(command=["sleep", 1]).command == ("sleep", "1")


@pytest.mark.parametrize(
    ("text", "size_in_bytes"), [("1g", 1 << 30), ("512 MiB", 512 << 20), ("1.5g", 3 << 29), (8 << 20, 8 << 20), ("64MB", 64 << 20)]
)
def test_sizes(text: Any, size_in_bytes: int) -> None:
    assert memory(text) == size_in_bytes


@given(st.integers(min_value=6 << 20, max_value=1 << 50))
def test_a_size_that_is_shown_can_be_read_again(number: int) -> None:
    assert memory(size(number)) == number


@pytest.mark.parametrize(
    ("value", "policy"),
    [(None, ("unless-stopped", 0)), (False, ("no", 0)), ("False", ("no", 0)), ("no", ("no", 0)), ("on-failure:5", ("on-failure", 5))],
)
def test_restart_policies(value: Any, policy: tuple[str, int]) -> None:
    assert restart_policy(value) == policy


@pytest.mark.parametrize(("value", "nanoseconds"), [(5, 5e9), ("5s", 5e9), ("500ms", 5e8), ("1.5m", 9e10), ("1h", 3.6e12), (None, None)])
def test_durations(value: Any, nanoseconds: float | None) -> None:
    assert duration(value, "interval") == nanoseconds


def test_health_checks() -> None:
    assert health(None) is None
    assert health({"test": "curl x"}) == {"Test": ["CMD-SHELL", "curl x"]}
    assert health({"test": ["true"], "retries": 3, "interval": "1s"}) == {"Test": ["CMD", "true"], "Retries": 3, "Interval": 10**9}
    assert health({"test": "NONE"}) == {"Test": ["NONE"]}


def test_ulimits() -> None:
    assert ulimits({"a": 1, "b": "1:2", "c": {"soft": 3, "hard": 4}}) == {"a": (1, 1), "b": (1, 2), "c": (3, 4)}
    with pytest.raises(Mistake, match="ulimit a"):
        ulimits({"a": {"soft": 1, "hard": "x"}})


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            {"name": "net", "subnet": "10.9.0.1/24"},
            "network net: subnet 10.9.0.1/24 is not a subnet (10.9.0.1/24 has host bits set): write it like 172.20.0.0/24",
        ),
        (
            {"name": "net", "subnet": "10.9.0.0/24", "gateway": "10.8.0.1"},
            "network net: gateway 10.8.0.1 is not an address of subnet 10.9.0.0/24: choose one inside it",
        ),
        ({"name": "net", "gateway": "10.8.0.1"}, "network net: gateway 10.8.0.1 needs a subnet: add `subnet`"),
        ({"subnet": "10.9.0.0/24"}, "network: no network name is given: add `name`"),
    ],
)
def test_mistakes_in_the_network(item: dict[str, Any], line: str) -> None:
    problems = Problems()
    assert parse_network(item, problems) is None
    assert problems.lines == [line]


def test_no_network_is_no_mistake() -> None:
    problems = Problems()
    assert parse_network(None, problems) is None
    assert problems.lines == []


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        ("app", (7, 8)),
        ("app:crew", (7, 9)),
        ("app:5", (7, 5)),
        ("7:crew", (7, 9)),
        ("6:crew", (6, 9)),
        ("7", (7, 8)),
        ("nobody", None),
        ("app:nobody", None),
        ("odd", None),
    ],
)
def test_the_numbers_of_a_user_by_name(user: str, owner: Any) -> None:
    passwd = "root:x:0:0::/:\n# a note\n\napp:x:7:8:A:/:/bin/sh\nodd:x:many:1::\n"
    assert named_owner(user, passwd, "crew:x:9:app,b\n") == owner
