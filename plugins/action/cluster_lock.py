# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the lock of a cluster on one Docker host, and gives it back; see the module gravity.cluster.cluster_lock."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gravity.cluster.plugins.module_utils import _engine_address
from ansible_collections.gravity.cluster.plugins.module_utils import _lock as lock
from ansible_collections.gravity.cluster.plugins.plugin_utils._operation import Verdict, holder_of, judge, printed
from ansible_collections.gravity.cluster.plugins.plugin_utils._standalone import command, source

# Seconds between two looks whether the lock is free, and between two lines that say so.
POLL = 1.0
EVERY = 10.0

Data = dict[str, t.Any]


class ActionModule(ActionBase):
    """Judges on the controller, where the holder can be seen; the lock itself is taken by the Docker host's Python."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[Data] = None) -> Data:
        """Take the lock, or give it back. ``refusal`` in the result says why it was not taken."""
        result: Data = super().run(tmp, task_vars)
        _valid, given = self.validate_argument_spec(
            {
                "cluster": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["held", "free"], "default": "held"},
                "operation": {"type": "str", "default": ""},
                "lease": {"type": "int", "default": 7200},
                "timeout": {"type": "int", "default": 0},
                "force": {"type": "bool", "default": False},
                "engine_url": {"type": "str"},
                "engine_timeout": {"type": "int"},
                "engine_ca": {"type": "str"},
                "engine_cert": {"type": "str"},
                "engine_key": {"type": "str", "no_log": False},
            }
        )
        result.update(changed=False, held=False, refusal="", note="")
        if not self._task.check_mode:
            # Tasks run in children of the process that the user has started.
            holder = holder_of(given["operation"], given["lease"], os.getppid())
            result.update(self._work(given, holder, self._python(task_vars or {})))
        return result

    def _work(self, given: Data, holder: Data, python: str) -> Data:
        """The result of all that has to be asked until the lock is taken, or refused."""
        begin, said = time.monotonic(), -EVERY
        replaces = ""
        while True:
            answer = self._ask(given, holder, python, replaces)
            if "error" in answer:
                return self._in_trouble(given, answer["error"])
            if answer["held"] or "absent" in answer or given["state"] == "free":
                return {"held": answer["held"], "note": answer.get("absent", "")}
            verdict = judge(given["cluster"], answer["holder"], answer["now"], given["force"])
            replaces = answer["holder"]["token"] if verdict.replace else ""
            waited = time.monotonic() - begin
            if not verdict.replace and waited >= given["timeout"]:
                return {"refusal": verdict.text}
            if verdict.replace or waited - said >= EVERY:
                self._say(verdict, waited)
                said = waited
            if not verdict.replace:
                time.sleep(POLL)

    def _in_trouble(self, given: Data, error: str) -> Data:
        """A lock that cannot be taken is no lock; one that cannot be given back ends with its process."""
        about = f"{given['cluster']}: whether another operation works on it is not known ({printed_line(error)})"
        if given["force"] or given["state"] == "free":
            Display().warning(about)
            return {"note": about}
        return {"refusal": f"{about}: correct this first, or go on without a lock with -e lock_force=true. Nothing was changed"}

    def _say(self, verdict: Verdict, waited: float) -> None:
        text = verdict.text if verdict.replace else f"waiting ({int(waited)} s): {verdict.text.partition(': wait for it to end')[0]}"
        Display().display(f"    {text}", color="bright gray")

    def _ask(self, given: Data, holder: Data, python: str, replaces: str) -> Data:
        """Have the lock's own file run on the Docker host."""
        engine = {key: given[f"engine_{key}"] or "" for key in ("url", "ca", "cert", "key")}
        asked = {"state": given["state"], "cluster": given["cluster"], "holder": holder, "replaces": replaces, "engine": engine}
        line = command(python, source(lock), json.dumps(asked), needs=[_engine_address])
        said = self._low_level_execute_command(line, executable="/bin/sh")
        try:
            answer: Data = json.loads(said["stdout"].strip().splitlines()[-1])
        except (ValueError, IndexError):
            lines = (said.get("stderr") or said["stdout"]).strip().splitlines()
            return {"held": False, "error": f"{python}: {lines[-1] if lines else 'no answer'}"}
        return answer

    def _python(self, task_vars: Data) -> str:
        """The Python of the host that the task goes to."""
        theirs = (task_vars.get("ansible_delegated_vars") or {}).get(self._task.delegate_to, task_vars)
        named = str(self._templar.template(theirs.get("ansible_python_interpreter") or ""))
        found = (theirs.get("ansible_facts") or {}).get("discovered_interpreter_python")
        return str(found or "python3") if not named or named.startswith("auto") else named


def printed_line(text: str) -> str:
    """What another machine said, on one line and without control characters."""
    return printed(" ".join(text.split()))
