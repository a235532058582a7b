#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_info: what must be known of a machine before a cluster is put on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Tell what stands in the way of a cluster on a Docker host
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Returns what the filter P(gravity.cluster.preflight_problems#filter) judges by. Never changes anything, and does not fail where no
    Docker Engine answers.
  - RV(clock_offset) and RV(clock_uncertainty) are measured by the controller around the call.
extends_documentation_fragment:
  - gravity.cluster.engine
  - gravity.cluster.info_module
options:
  cluster:
    description: Name of the cluster. What carries its label is its own.
    type: str
    required: true
  encrypted:
    description: Whether the kernel is asked for what an encrypted overlay needs.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at a Docker host
  gravity.cluster.host_info:
    cluster: my-cluster
  register: host
"""

RETURN = r"""
engine:
  description: The Docker Engine, with C(answers), C(reason), C(error), C(version), C(api_version) and C(architecture) as
    M(gravity.cluster.engine_info) has them; and C(id), the Engine's own, where it answers.
  returned: always
  type: dict
installed:
  description: Whether the Engine's daemon is installed.
  returned: always
  type: bool
distribution:
  description: The machine's distribution, as M(gravity.cluster.engine_info) has it.
  returned: always
  type: dict
architecture:
  description: The machine's architecture, in the kernel's words.
  returned: always
  type: str
  sample: x86_64
python:
  description: The Python that the module runs on.
  returned: always
  type: str
uid:
  description: Number of the user that the module runs as.
  returned: always
  type: int
user:
  description: Name of the user that the module runs as.
  returned: always
  type: str
disk:
  description: Where the Engine keeps its data; C(path), C(free) and C(total), in bytes.
  returned: always
  type: dict
sockets:
  description: The ports that are held, each with C(address), C(port), C(protocol), C(container) and C(own).
  returned: always
  type: list
  elements: dict
networks:
  description: The Engine's networks, each with C(name), C(subnets) and C(own).
  returned: always
  type: list
  elements: dict
nodes:
  description: The nodes of the cluster that have a container here, running or not.
  returned: always
  type: list
  elements: str
routes:
  description: The IPv4 routes but the default ones, each with C(subnet) and C(device).
  returned: always
  type: list
  elements: dict
mtu:
  description: Largest packet of the device that the default route takes; null without one.
  returned: always
  type: int
  sample: 1500
swarm:
  description: The Engine's place in a swarm, with C(active), C(manager), C(node) (its id there), C(managers) (ids), and C(live_restore).
  returned: always
  type: dict
encrypts:
  description: Whether the kernel has IPsec ESP; null when it was not asked, or cannot be.
  returned: always
  type: bool
time:
  description: The machine's clock, in seconds since 1970.
  returned: always
  type: float
clock_offset:
  description: How far that clock is ahead of the controller's, in seconds.
  returned: always
  type: float
clock_uncertainty:
  description: By how much RV(clock_offset) may be wrong, in seconds.
  returned: always
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gravity.cluster.plugins.module_utils._edge import PROGRESS_ARGUMENT
from ansible_collections.gravity.cluster.plugins.module_utils._engine import ENGINE_ARGUMENTS, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._host import host_info


def main() -> None:
    """Look, and tell; not by run_module, because it fails where no Engine answers."""
    own = {"cluster": {"type": "str", "required": True}, "encrypted": {"type": "bool", "default": False}}
    module = AnsibleModule(argument_spec={**own, **ENGINE_ARGUMENTS, **PROGRESS_ARGUMENT}, supports_check_mode=True)
    module.exit_json(**host_info(options_from(module.params), module.params["cluster"], module.params["encrypted"]))


if __name__ == "__main__":
    main()
