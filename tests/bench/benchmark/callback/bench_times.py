# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible callback of the benchmark: writes down when each task began and ended, and what readiness waits answered."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: bench_times
type: aggregate
short_description: Write the times of all tasks into a file
description:
  - One JSON object per line goes to the file that E(BENCH_TIMES) names; without it, nothing happens.
"""

# Results of these modules are kept: the wait lag is computed from them.
KEPT = ("gravity.cluster.rpc_ready",)


class CallbackModule(CallbackBase):
    """Lines are ``{event, at, task, action, result}``; ``at`` is in seconds of the monotonic clock."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_times"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, event: str, task: t.Any = None, result: t.Any = None) -> None:
        path = os.environ.get("BENCH_TIMES")
        if not path:
            return
        line: t.Dict[str, t.Any] = {"event": event, "at": time.monotonic()}
        if task is not None:
            line.update(task=task.get_name(), action=task.action)
            if result is not None and task.action in KEPT:
                line["result"] = result
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=str) + "\n")

    def v2_playbook_on_start(self, _playbook: t.Any) -> None:
        """The inventory is parsed, the playbook is read."""
        self._write("playbook")

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:  # noqa: ARG002 - as Ansible calls it
        """A task begins."""
        self._write("start", task)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A host ended a task."""
        self._write("end", result._task, result._result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - as Ansible calls it
        """A host failed a task."""
        self._write("end", result._task, result._result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A host skipped a task."""
        self._write("end", result._task)

    def v2_playbook_on_stats(self, _stats: t.Any) -> None:
        """Everything ended."""
        self._write("stats")
