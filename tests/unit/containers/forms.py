# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting in every form that a definition accepts, and the forms that Engines give back.

The unit tests compare the two without an Engine, the integration tests deploy each on the real one.
"""

from __future__ import annotations

from typing import Any

SERVE = ["httpd", "-f", "-p", "8080", "-h", "/srv"]

# Name -> options of a definition that a container with a command can be started with.
FORMS: dict[str, dict[str, Any]] = {
    "command empty": {"command": [], "entrypoint": SERVE},
    "entrypoint empty": {"entrypoint": []},
    "entrypoint of one empty word": {"entrypoint": [""]},
    "environment": {"env": {"EMPTY": "", "TEXT": "a=b", "NUMBER": 1, "FLAG": True}},
    "user name": {"user": "0"},
    "user and group": {"user": "0:0"},
    "user empty": {"user": ""},
    "hostname": {"hostname": "other"},
    "hostname empty": {"hostname": ""},
    "ports not published": {"ports": [{"container": 8080}, {"container": 8081, "protocol": "udp"}]},
    "tmpfs none": {"tmpfs": []},
    "tmpfs options": {"tmpfs": ["/run:size=1m,mode=1777", "/tmp"]},
    "labels": {"labels": {"team": "a", "empty": ""}},
    "cpus": {"cpus": 0.015},
    "memory in bytes": {"memory": "8388608"},
    "memory with a unit": {"memory": "10m"},
    "memory with a fraction": {"memory": "6.5 MiB"},
    "pids": {"pids": 10},
    "capabilities": {"cap_add": ["CAP_CHOWN", "net_admin", "CHOWN"]},
    "all capabilities": {"cap_add": ["ALL", "CHOWN"]},
    "writable root": {"read_only": False},
    "no init": {"init": False},
    "restart no": {"restart": "no"},
    "restart always": {"restart": "always"},
    "restart on failure": {"restart": "on-failure"},
    "restart on failure, three times": {"restart": "on-failure:3"},
    "no grace": {"stop_grace": 0},
    "stop signal": {"stop_signal": "SIGINT"},
    "stop signal by number": {"stop_signal": "2"},
    "stop signal empty": {"stop_signal": ""},
    "health check in words": {"health": {"test": ["true"]}},
    "health check as text": {"health": {"test": "true", "interval": "500ms"}},
    "health check of the Engine's form": {"health": {"test": ["CMD", "true"], "timeout": "1m", "retries": 2, "start_period": "1s"}},
    "no health check": {"health": {"test": ["NONE"]}},
    "no health check as text": {"health": {"test": "NONE", "interval": "5s"}},
    "log": {"log": {"max_size": "1m", "max_file": 1}},
    "ulimit": {"ulimits": {"nofile": 64}},
    "ulimits": {"ulimits": {"nofile": "64:128", "core": {"soft": 0, "hard": 0}}},
    "sysctl": {"sysctls": {"net.core.somaxconn": 512}},
    "extra hosts": {"extra_hosts": {"peer": "10.9.0.99", "peer6": "fd00::1"}},
    "log in bytes": {"log": {"max_size": "1000000"}},
    "working directory": {"working_dir": "/srv/./www/"},
    "working directory, the root": {"working_dir": "/"},
    "shared memory": {"shm_size": "1.5m"},
    "groups": {"group_add": ["20", "7"]},
    "security options": {"security_opt": ["seccomp:unconfined", "no-new-privileges:true"]},
    "new privileges": {"security_opt": ["no-new-privileges=false"]},
    "device": {"devices": ["/dev/null"]},
    "devices": {"devices": ["/dev/zero:/dev/nil:wr", "/dev//full:/dev/full"]},
    "all GPUs": {"gpus": "all"},
    "two GPUs": {"gpus": "2"},
    "GPUs by name": {"gpus": "device=0,GPU-3faa8c21"},
    "bind mount": {"binds": [{"source": "/etc/", "target": "/host"}]},
    "bind mounts": {"binds": [{"source": "/", "target": "/host"}, {"source": "/dev/null", "target": "/sink", "read_only": False}]},
    "gateway as extra host": {"extra_hosts": {"host.docker.internal": "host-gateway"}},
}

# Changes that an Engine or another tool makes to what it is given: options, and parts of the inspection.
GIVEN_BACK: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the image's command": ({"command": []}, {"Config__Cmd": ["of", "the", "image"]}),
    "no entry point": ({"entrypoint": [""]}, {"Config__Entrypoint": None}),
    "no entry point as a list": ({"entrypoint": []}, {"Config__Entrypoint": None}),
    "times of the image's health check": (
        {"health": {"test": ["true"], "interval": "5s"}},
        {
            "Config__Healthcheck": {
                "Test": ["CMD", "true"],
                "Interval": 5 * 10**9,
                "Timeout": 7 * 10**9,
                "StartPeriod": 10**9,
                "StartInterval": 10**9,
                "Retries": 9,
            }
        },
    ),
    "times beside no health check": (
        {"health": {"test": "NONE"}},
        {"Config__Healthcheck": {"Test": ["NONE"], "Interval": 10**9, "Retries": 9}},
    ),
    "capabilities with their prefix": ({"cap_add": ["chown"]}, {"HostConfig__CapAdd": ["CAP_CHOWN"], "HostConfig__CapDrop": ["CAP_ALL"]}),
    "no new privileges": ({}, {"HostConfig__SecurityOpt": ["no-new-privileges:true"]}),
    "all capabilities alone": ({"cap_add": ["ALL", "CHOWN"]}, {"HostConfig__CapAdd": ["ALL"]}),
    "volumes as binds": (
        {"volumes": [{"name": "one", "target": "/one"}, {"name": "two", "target": "/two", "read_only": True}]},
        {"HostConfig__Mounts": None, "HostConfig__Binds": ["one:/one:rw", "two:/two/:ro,z"]},
    ),
    "volumes as binds without options": (
        {"volumes": [{"name": "one", "target": "/one"}]},
        {"HostConfig__Mounts": [], "HostConfig__Binds": ["one:/one"]},
    ),
    "security options with colons": (
        {"security_opt": ["seccomp=unconfined"]},
        {"HostConfig__SecurityOpt": ["no-new-privileges=true", "seccomp:unconfined"]},
    ),
    "GPUs without what is not asked for": (
        {"gpus": "all"},
        {"HostConfig__DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]},
    ),
    "bind mounts as binds": (
        {"binds": [{"source": "/srv", "target": "/srv"}, {"source": "/a", "target": "/b", "read_only": False}]},
        {"HostConfig__Mounts": None, "HostConfig__Binds": ["/srv:/srv:ro,rprivate", "/a:/b/:rw"]},
    ),
    "extra hosts with an equals sign": (
        {"extra_hosts": {"peer": "10.9.0.99", "peer6": "fd00::1"}},
        {"HostConfig__ExtraHosts": ["peer=10.9.0.99", "peer6=[fd00::1]"]},
    ),
    "fields that newer Engines add or leave out": (
        {"memory": "1g"},
        {
            "HostConfig__ConsoleSize": [0, 0],
            "HostConfig__CgroupnsMode": "private",
            "HostConfig__OomKillDisable": None,
            "HostConfig__CapAdd": None,
            "HostConfig__ExtraHosts": None,
            "HostConfig__Ulimits": [],
            "HostConfig__Sysctls": {},
            "HostConfig__PidsLimit": 0,
            "Config__Cmd": None,
            "Config__Healthcheck": None,
        },
    ),
}
