# SPDX-License-Identifier: GPL-3.0-or-later
"""How a machine's ports and routes are read."""

from __future__ import annotations

import socket
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.module_utils import _host as host

# As the kernel of a little-endian machine writes it.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0100007F:2328 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
"""
ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100A8C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


def test_listening_ports_and_their_containers(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP, encoding="ascii")
    owners = {(8080, "tcp"): ("web", True), (9090, "udp"): ("dns", False)}
    assert host.sockets(owners, str(tmp_path)) == [
        {"address": "0.0.0.0", "port": 22, "protocol": "tcp", "container": None, "own": False},
        {"address": "0.0.0.0", "port": 9090, "protocol": "udp", "container": "dns", "own": False},
        {"address": "127.0.0.1", "port": 8080, "protocol": "tcp", "container": "web", "own": True},
    ]


def test_a_real_socket_is_seen() -> None:
    with socket.socket() as server, socket.socket(socket.AF_INET6) as other:
        server.bind(("127.0.0.1", 0))
        server.listen()
        other.bind(("::1", 0))
        other.listen()
        seen = {(entry["address"], entry["port"]) for entry in host.sockets({})}
        assert {server.getsockname()[:2], other.getsockname()[:2]} <= seen


def test_routes_but_the_default_ones(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES, encoding="ascii")
    assert host.routes(str(table)) == [{"subnet": "172.17.0.0/16", "device": "docker0"}]


def test_the_disk_of_a_folder_that_is_still_to_come(tmp_path: Path) -> None:
    found = host.disk(str(tmp_path / "not" / "yet"))
    assert found["path"] == str(tmp_path)
    assert 0 < found["free"] <= found["total"]


def test_the_place_in_a_swarm() -> None:
    swarm = {"NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": True, "RemoteManagers": [{"NodeID": "n2"}, {"NodeID": "n1"}]}
    assert host.swarm_of({"Swarm": swarm, "LiveRestoreEnabled": False}) == {
        "active": True,
        "manager": True,
        "node": "n1",
        "managers": ["n1", "n2"],
        "live_restore": False,
    }
    alone = {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False, "RemoteManagers": None}
    assert host.swarm_of({"Swarm": alone, "LiveRestoreEnabled": True}) == {
        "active": False,
        "manager": False,
        "node": "",
        "managers": [],
        "live_restore": True,
    }


def test_the_largest_packet_of_the_default_route(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTES, encoding="ascii")
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "mtu").write_text("1400\n", encoding="ascii")
    assert host.default_mtu(str(tmp_path / "route"), str(tmp_path)) == 1400
    assert host.default_mtu(str(tmp_path / "none"), str(tmp_path)) is None
