# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs our playbooks with the times of their tasks."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

from benchmark import commands, settings
from benchmark.settings import REPOSITORY

CALLBACKS = Path(__file__).parent / "callback"

Event = t.Dict[str, t.Any]


def environment(folder: Path, **more: str) -> t.Dict[str, str]:
    """Environment for ours: the collection of this working tree, with the settings that the others get too."""
    plugins = "gravity.cluster.spec,host_list,auto,yaml,ini"
    collections = REPOSITORY / ".venv" / "collections"
    return settings.ansible_environment(folder, collections, ANSIBLE_INVENTORY_ENABLED=plugins, **more)


def play(playbook: Path, inventory: Path, log: Path) -> t.Tuple[float, t.List[Event]]:
    """Run ``playbook``: seconds from start to end, and what the callback saw, between the events ``begin`` and ``exit``."""
    times = log.with_suffix(".times")
    times.unlink(missing_ok=True)
    env = environment(log.parent, BENCH_TIMES=str(times), ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS), ANSIBLE_CALLBACKS_ENABLED="bench_times")
    begin = time.monotonic()
    seconds = commands.run([settings.tool("ansible-playbook"), "-i", str(inventory), str(playbook)], log, env=env, cwd=REPOSITORY)
    events = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    return seconds, [{"event": "begin", "at": begin}, *events, {"event": "exit", "at": begin + seconds}]


def parts(events: t.Sequence[Event]) -> t.Dict[str, float]:
    """Seconds by task, in order; ``containers`` is the task of that module, ``(start)`` and ``(end)`` are Ansible's own.

    A task lasts until its last host has ended; what lies between that and the next task is ``(between tasks)``.
    """
    found: t.Dict[str, float] = {}
    name, since, until = "(start)", events[0]["at"], None
    for event in events[1:]:
        if event["event"] == "end":
            until = event["at"]
            continue
        ended = until if until is not None else event["at"]
        found[name] = found.get(name, 0.0) + ended - since
        if until is not None:
            found["(between tasks)"] = found.get("(between tasks)", 0.0) + event["at"] - until
        name, since, until = _name(event), event["at"], None
    return found


def _name(event: Event) -> str:
    if event["event"] == "stats":
        return "(end)"
    if event["event"] == "playbook":
        return "(first play)"
    if event.get("action") == "gravity.cluster.containers":
        return "containers"
    return str(event.get("task"))
