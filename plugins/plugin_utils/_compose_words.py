# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compose file calls otherwise than a cluster spec, and what the spec says instead."""

from __future__ import annotations

import typing as t

_LEAVE_OUT = "there is no such thing here; leave it out"

# Model of the spec -> key of compose -> what to do about it.
COMPOSE_WORDS: t.Mapping[str, t.Mapping[str, str]] = {
    "Spec": {
        "services": "the services of a compose file are nodes here; write them under nodes",
        "networks": "a cluster has one network; write it under network",
        "volumes": "volumes belong to nodes; write them under nodes.<name>.volumes",
        "configs": "files belong to nodes; write them under nodes.<name>.files",
        "secrets": "files belong to nodes; write them under nodes.<name>.files",
        "name": "write it as cluster_name",
        "version": _LEAVE_OUT,
    },
    "Node": {
        "blkio_config": _LEAVE_OUT,
        "build": "write it as image: {source: build, context: ...}",
        "cap_drop": "all capabilities are dropped; name those to keep under cap_add",
        "cgroup_parent": _LEAVE_OUT,
        "configs": "write them under files",
        "cpu_count": "write it as resources: {cpus: 2}",
        "cpu_quota": "write it as resources: {cpus: 0.5}",
        "cpu_shares": "write a limit as resources: {cpus: 0.5}",
        "cpus": "write it as resources: {cpus: 0.5}",
        "cpuset": "containers are not bound to single CPUs here; write a limit as resources: {cpus: 0.5}",
        "depends_on": "all nodes start together; ready says when one counts as ready",
        "deploy": "write limits under resources, and several nodes as node_[0:2]",
        "device_requests": "write GPUs as gpus: all",
        "dns": _LEAVE_OUT,
        "domainname": "write it as a part of hostname",
        "env_file": "write the variables under env",
        "environment": "write it as env",
        "expose": "write it under ports, with host: null",
        "group": "write it as user: '<uid>:<gid>', and more groups under group_add",
        "healthcheck": "write it as health",
        "ipc": _LEAVE_OUT,
        "ipv4_address": "write it as network_ip",
        "links": "nodes find one another by name; write more names under aliases",
        "log_driver": "write the rotation as log: {max_size: 10m, max_file: 3}",
        "log_opt": "write it as log: {max_size: 10m, max_file: 3}",
        "logging": "write it as log: {max_size: 10m, max_file: 3}",
        "mem_limit": "write it as resources: {memory: 512m}",
        "mem_reservation": "write a limit as resources: {memory: 512m}",
        "mem_swappiness": "write a limit as resources: {memory: 512m}",
        "memory": "write it as resources: {memory: 512m}",
        "memswap_limit": "write a limit as resources: {memory: 512m}",
        "mounts": "write folders of the Docker host under binds, and volumes under volumes",
        "network_mode": "a cluster has one network; write it under network",
        "networks": "a cluster has one network; write it under network, and more names in it under aliases",
        "oom_kill_disable": _LEAVE_OUT,
        "oom_score_adj": _LEAVE_OUT,
        "pid": _LEAVE_OUT,
        "pids": "write it as resources: {pids: 256}",
        "pids_limit": "write it as resources: {pids: 256}",
        "platform": _LEAVE_OUT,
        "privileged": "name what it needs, under cap_add, devices and security_opt",
        "profiles": "choose nodes with --limit",
        "replicas": "write several nodes as node_[0:2]",
        "runtime": "write GPUs as gpus: all",
        "scale": "write several nodes as node_[0:2]",
        "secrets": "write them under files",
        "stdin_open": _LEAVE_OUT,
        "stop_grace_period": "write it as stop_grace",
        "stop_timeout": "write it as stop_grace",
        "storage_opt": _LEAVE_OUT,
        "tty": _LEAVE_OUT,
        "userns_mode": _LEAVE_OUT,
        "volumes_from": "write the volumes under volumes",
        "workdir": "write it as working_dir",
    },
    "PortEntry": {
        "host_ip": "write it as address",
        "published": "write it as host",
        "target": "write it as container",
    },
    "Volume": {"source": "write it as name; a folder of the Docker host goes under binds", "type": "leave it out; it is a volume"},
    "Bind": {"type": "leave it out; it is a bind mount"},
    "Health": {"disable": "write it as test: NONE"},
    "Resources": {
        "limits": "write cpus, memory and pids here",
        "mem_limit": "write it as memory",
        "pids_limit": "write it as pids",
        "reservations": "write limits, as cpus, memory and pids",
    },
    "Log": {
        "driver": "logs are files that the Engine rotates; leave it out",
        "max-file": "write it as max_file",
        "max-size": "write it as max_size",
        "options": "write max_size and max_file here",
    },
}


def in_our_words(models: t.Iterable[str], key: str) -> t.Optional[str]:
    """What to write instead of ``key`` in the first of ``models`` that has a word for it."""
    return next((COMPOSE_WORDS[model][key] for model in models if key in COMPOSE_WORDS.get(model, {})), None)
