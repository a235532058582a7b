# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables a user can give to a playbook, found by reading it and the roles that it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "gravity.cluster."

# The default of a role's option that takes a variable: "{{ ready_timeout | default(120) }}".
TAKES = re.compile(r"^\{\{ (?P<name>\w+) \| default\((?P<value>.*?)\) \}\}$")


def playbooks() -> dict[str, Path]:
    return {path.stem: path for path in sorted((ROOT / "playbooks").glob("*.yml"))}


def options(verb: str) -> dict[str, str]:
    """Variable -> its default as it is written, of everything that the playbook ``verb`` runs."""
    found: dict[str, str] = {}
    for play in _load(playbooks()[verb]):
        for role in play.get("roles", []):
            found.update({**_of_role(role["role"], "main"), **_of_locked(role)})
        found.update(_of_tasks(play.get("tasks", []), playbooks()[verb].parent))
    return found


def _of_role(name: str, entry: str) -> dict[str, str]:
    """Of one entry point of a role, and of the roles that it includes."""
    role = ROOT / "roles" / name.removeprefix(PREFIX)
    if not role.is_dir():
        return {}  # the name of a flavor is known only at run time; flavors take no such variables
    described = _load(role / "meta" / "argument_specs.yml")["argument_specs"][entry].get("options") or {}
    values = role / "defaults" / "main.yml"
    defaults = _load(values) if values.exists() else {}
    matches = (TAKES.match(str(defaults.get(option, ""))) for option in described)
    found = {match["name"]: match["value"] for match in matches if match}
    tasks = role / "tasks"
    return {**found, **_of_tasks(_load(tasks / f"{entry}.yml"), tasks)}


def _of_locked(variables: dict[str, Any]) -> dict[str, str]:
    """Of the role that ``cluster_lock`` is told to include."""
    role = variables.get("cluster_lock_role")
    return _of_role(role, variables.get("cluster_lock_tasks", "main")) if role else {}


def _of_tasks(tasks: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for task in tasks:
        for part in ("block", "rescue", "always"):
            found.update(_of_tasks(task.get(part, []), folder))
        role = task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role")
        if role:
            found.update({**_of_role(role["name"], role.get("tasks_from", "main")), **_of_locked(task.get("vars", {}))})
        more = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks")
        if more and (folder / more).is_file():
            found.update(_of_tasks(_load(folder / more), folder))
    return found


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
