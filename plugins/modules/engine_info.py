#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module engine_info: whether a Docker Engine answers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: Tell whether a Docker Engine answers, and what is needed to bring one up
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Asks the Docker Engine for its version, and looks at what runs services on the machine and which distribution it is.
  - An Engine that does not answer is no failure; see RV(answers) and RV(reason).
extends_documentation_fragment:
  - gravity.cluster.engine
  - gravity.cluster.info_module
options:
  wait:
    description:
      - Seconds to wait for an answer. V(0) asks once.
      - The wait ends early when no process C(dockerd) runs.
    type: float
    default: 0
  quick:
    description:
      - First ask a local Engine without the Docker SDK, which takes a twentieth of the time. When it answers, only RV(answers), RV(reason),
        RV(error), RV(url), RV(version), RV(api_version) and RV(os) are returned.
    type: bool
    default: false
  log:
    description: File of which the last lines are returned in RV(log_lines) when no Engine answers.
    type: path
"""

EXAMPLES = r"""
- name: See whether an Engine answers
  gravity.cluster.engine_info:
  register: engine

- name: Stop with what is wrong
  ansible.builtin.fail:
    msg: "{{ engine.error }}"
  when: not engine.answers
"""

RETURN = r"""
answers:
  description: Whether an Engine answers at RV(url), to the user that the module runs as.
  returned: always
  type: bool
reason:
  description:
    - Why none answers. V(sdk) means that the Docker SDK for Python is missing, V(permission) that the user may not use the
      Engine's socket, V(unreachable) anything else.
  returned: always
  type: str
  choices: [sdk, permission, unreachable]
error:
  description: What is wrong, on one line; null when an Engine answers.
  returned: always
  type: str
url:
  description: The address that was asked.
  returned: always
  type: str
version:
  description: The Engine's version.
  returned: always
  type: str
  sample: 20.10.24
api_version:
  description: Version of the Engine's API.
  returned: always
  type: str
  sample: '1.41'
os:
  description: Operating system of the Engine.
  returned: always
  type: str
  sample: linux
architecture:
  description: Architecture of the Engine, in its own words.
  returned: always
  type: str
  sample: amd64
init:
  description: V(systemd) where it manages services, otherwise the name of process 1.
  returned: always
  type: str
distribution:
  description: The machine's distribution, from C(/etc/os-release).
  returned: always
  type: dict
  contains:
    id:
      description: Its short name.
      type: str
      sample: debian
    like:
      description: Short names of distributions that it descends from.
      type: list
      elements: str
    version:
      description: Its version.
      type: str
      sample: '12'
    name:
      description: What it calls itself.
      type: str
      sample: Debian GNU/Linux 12 (bookworm)
dockerd:
  description: Where the Engine's daemon is installed; null when it is not.
  returned: always
  type: str
  sample: /usr/sbin/dockerd
running:
  description: Whether a process C(dockerd) runs on the machine, answering or not.
  returned: always
  type: bool
python:
  description: The Python that the module runs on, which needs the Docker SDK.
  returned: always
  type: str
  sample: /usr/bin/python3.11
uid:
  description: Number of the user that the module runs as.
  returned: always
  type: int
user:
  description: Name of the user that the module runs as.
  returned: always
  type: str
log_lines:
  description: Last lines of O(log), when no Engine answers.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gravity.cluster.plugins.module_utils._edge import PROGRESS_ARGUMENT
from ansible_collections.gravity.cluster.plugins.module_utils._engine import ENGINE_ARGUMENTS, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._engine_info import engine_info
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress


def main() -> None:
    """Ask, and tell; not by run_module, because it fails where no Engine answers."""
    own = {"quick": {"type": "bool", "default": False}, "wait": {"type": "float", "default": 0}, "log": {"type": "path"}}
    module = AnsibleModule(argument_spec={**own, **ENGINE_ARGUMENTS, **PROGRESS_ARGUMENT}, supports_check_mode=True)
    progress = Progress(module.params["progress_path"])
    try:
        result = engine_info(options_from(module.params), module.params["wait"], module.params["log"], progress)
    finally:
        progress.close()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
