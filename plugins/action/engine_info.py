# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what the module engine_info waits for, and spares it where a bare question is enough."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _engine_address
from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule
from ansible_collections.gravity.cluster.plugins.plugin_utils._standalone import command

# Asks a local Engine for its version with nothing but the standard library: a twentieth of what a module costs. For another Engine, the
# module is asked.
QUESTION = """
import http.client, os, socket, sys
from ansible_collections.gravity.cluster.plugins.module_utils._engine_address import Found, find
found = Found(sys.argv[1]) if sys.argv[1] else find(os.environ)
url = "" if found.problem else found.url
if not url.startswith("unix://"):
    sys.exit(1)
engine = http.client.HTTPConnection("engine", timeout=10)
engine.sock = socket.socket(socket.AF_UNIX)
engine.sock.settimeout(10)
engine.sock.connect(url[len("unix://"):])
engine.request("GET", "/version")
print(url)
print(engine.getresponse().read().decode())
"""


class ActionModule(FollowedModule):
    """Runs the module of the same name, unless O(quick) is set and a local Engine answers a bare question."""

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """Ask; the result is the module's, or its first values."""
        if self._task.args.get("quick"):
            answer = self._ask(str(self._task.args.get("engine_url") or ""), task_vars or {})
            if answer:
                return {"changed": False, "answers": True, "reason": None, "error": None, **answer}
        return super().run(tmp, task_vars)

    def _ask(self, url: str, task_vars: t.Mapping[str, t.Any]) -> t.Optional[t.Dict[str, t.Any]]:
        python = str(task_vars.get("ansible_python_interpreter") or "python3")
        line = command(python, QUESTION, url, needs=[_engine_address])
        said = self._low_level_execute_command(line, executable="/bin/sh")
        try:
            asked, answer = said["stdout"].strip().split("\n", 1)
            version = json.loads(answer)
            return {"url": asked, "version": version["Version"], "api_version": version["ApiVersion"], "os": version["Os"]}
        except (ValueError, KeyError):
            return None
