# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by every module that talks to a Docker Engine."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of ENGINE_ARGUMENTS and PROGRESS_ARGUMENT."""

    DOCUMENTATION = r"""
options:
  engine_url:
    description:
      - Address of the Docker Engine, C(unix://), C(tcp://), C(http://), C(https://) or C(ssh://), as seen from the Docker host on which the
        module runs. C(ssh://) needs the Python package paramiko and the command C(docker) on the other machine.
      - When it is not set, the Engine is that of the command C(docker). The environment variable E(DOCKER_HOST) counts (with
        E(DOCKER_TLS_VERIFY) and E(DOCKER_CERT_PATH)), then the Docker context that E(DOCKER_CONTEXT) names or that is in use, then
        V(unix:///var/run/docker.sock).
    type: str
  engine_timeout:
    description: Seconds after which one request to the Engine is given up.
    type: int
    default: 60
  engine_ca:
    description: Certificate authority with which a C(tcp://) Engine is verified.
    type: path
  engine_cert:
    description: Client certificate for a C(tcp://) Engine.
    type: path
  engine_key:
    description: Private key of O(engine_cert).
    type: path
  progress_path:
    description:
      - File to which the module appends progress lines. The action plugin of the same name sets it and shows the lines;
        leave it alone.
    type: path
requirements:
  - docker (Docker SDK for Python) >= 7.0 on the Docker host
"""
