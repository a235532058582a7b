# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of Ansible said, from the events of ansible-runner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ERROR = "[ERROR]: "
FAILED = ("runner_on_failed", "runner_on_unreachable")


class Transcript:
    """Collects the events of a run, in their order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.begun = False
        self._results: list[tuple[str, str, Mapping[str, Any]]] = []
        self._reasons: dict[str, str] = {}
        self._lost: set[str] | None = None

    def hear(self, event: Mapping[str, Any]) -> list[str]:
        """Take in one event; the lines that it printed."""
        kind, data = event.get("event"), event.get("event_data") or {}
        if kind == "playbook_on_play_start":
            self.begun = True
        elif kind == "playbook_on_stats":
            self._lost = {*(data.get("failures") or {}), *(data.get("dark") or {})}
        elif kind in (*FAILED, "runner_on_ok"):
            self._task(kind, data)
        lines = [COLOUR.sub("", line).rstrip() for line in str(event.get("stdout") or "").splitlines()]
        self.lines += lines
        return lines

    def _task(self, kind: str, data: Mapping[str, Any]) -> None:
        host, result = str(data.get("host")), data.get("res") or {}
        self._results.append((str(data.get("resolved_action") or data.get("task_action")), host, result))
        if kind in FAILED and not data.get("ignore_errors"):
            self._reasons[host] = reason(result)

    @property
    def stdout(self) -> str:
        """All that was printed, warnings and errors too."""
        return "\n".join(self.lines)

    @property
    def failures(self) -> dict[str, str]:
        """Why it failed, by inventory host. A host that a ``rescue`` saved is not among them."""
        return {host: text for host, text in self._reasons.items() if self._lost is None or host in self._lost}

    @property
    def errors(self) -> list[str]:
        """Ansible's own error lines, without their mark and each once."""
        return list(dict.fromkeys(line.removeprefix(ERROR).strip() for line in self.lines if line.startswith(ERROR)))

    def results(self, action: str) -> list[Mapping[str, Any]]:
        """The results of all tasks of a module (its full name), failed ones too."""
        return [result for name, _host, result in self._results if name == action]

    def summary(self, rc: int | None) -> str:
        """One line that says why the run failed."""
        failures = self.failures
        if len(set(failures.values())) > 1:
            return " -- ".join(f"{host}: {text}" for host, text in failures.items())
        return next(iter(failures.values()), "") or "; ".join(self.errors) or self._last_words(rc)

    def _last_words(self, rc: int | None) -> str:
        said = [line for line in self.lines if line.strip()]
        ended = "was killed" if rc is None else f"ended with code {rc}"
        return f"{ended} ({said[-1].strip()})" if said else ended


def reason(result: Mapping[str, Any]) -> str:
    """One line from the result of a failed task; from those of its items when it has a loop."""
    items = [reason(item) for item in _mappings(result.get("results")) if item.get("failed") or item.get("unreachable")]
    text = "; ".join(dict.fromkeys(items)) or result.get("msg") or result.get("stderr") or "failed and gives no reason"
    return " ".join(str(text).split())


def _mappings(values: Any) -> Iterable[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []
