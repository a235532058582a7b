# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what the module engine_info waits for, and spares it where a bare question is enough."""

from __future__ import annotations

import json
import shlex
import typing as t

from ansible_collections.gravity.cluster.plugins.plugin_utils._followed import FollowedModule

# Asks a local Engine for its version with nothing but the standard library: a twentieth of what a module costs. Where another Engine is
# meant (module_utils/_engine_address.py says which), the module is asked.
QUESTION = """
import http.client, json, os, socket, sys
url = sys.argv[1] or os.environ.get("DOCKER_HOST")
if not url:
    context = os.environ.get("DOCKER_CONTEXT")
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(os.path.join(folder, "config.json")) as config:
            context = context or json.load(config).get("currentContext")
    except (OSError, ValueError):
        pass
    url = "unix:///var/run/docker.sock" if context in (None, "", "default") else ""
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
        command = " ".join(shlex.quote(word) for word in (python, "-c", QUESTION, url))
        said = self._low_level_execute_command(command, executable="/bin/sh")
        try:
            asked, answer = said["stdout"].strip().split("\n", 1)
            version = json.loads(answer)
            return {"url": asked, "version": version["Version"], "api_version": version["ApiVersion"], "os": version["Os"]}
        except (ValueError, KeyError):
            return None
