#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_copy
short_description: Copy an image from one Docker host to others
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - With V(saved), fetches an image of a Docker host into an archive on the controller. With V(loaded), brings the image of such an
    archive to a Docker host.
  - Nothing is sent where it is not needed. The id of the image decides, not its name.
  - The archive travels from file to file over the connection that Ansible has; it is never in memory as a whole. It needs room for
    one copy in the temporary folder of the Docker host, which is removed at the end.
extends_documentation_fragment:
  - gravity.cluster.engine
options:
  name:
    description: Name of the image, C(repository:tag).
    type: str
    required: true
  id:
    description: Id that the image must have. The archive is not read where it is there. For O(state=loaded).
    type: str
  archive:
    description: File on the controller, as C(docker save) makes it.
    type: path
    required: true
  state:
    description: Whether the archive, or the Docker host, must have the image.
    type: str
    choices: [loaded, saved]
    default: loaded
  path:
    description: Where the archive is on the Docker host. Set by the action plugin.
    type: path
attributes:
  check_mode:
    support: full
    description: Says whether the image would be sent.
  diff_mode:
    support: none
    description: The result says it all.
  idempotent:
    support: full
    description: An image that is there is not sent again.
"""

EXAMPLES = r"""
- name: Fetch the image from the Docker host that has built it
  gravity.cluster.image_copy:
    name: node:1.0
    archive: ~/.cache/node.tar
    state: saved

- name: Bring it to the others
  gravity.cluster.image_copy:
    name: node:1.0
    archive: ~/.cache/node.tar
"""

RETURN = r"""
name:
  description: Name of the image with its tag.
  returned: success
  type: str
  sample: node:1.0
id:
  description: Id of the image; of the one that would be there in check mode.
  returned: success
  type: str
  sample: sha256:2f4b0f8a1e5d6c1f4c2a
present:
  description: Whether it was there, so that nothing had to be sent.
  returned: success
  type: bool
  sample: false
sent:
  description: Bytes that went over the connection.
  returned: success
  type: int
  sample: 249000000
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._image_copy import copy

ARGUMENTS: t.Dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "id": {"type": "str"},
    "archive": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["loaded", "saved"], "default": "loaded"},
    "path": {"type": "path"},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, copy)


if __name__ == "__main__":
    main()
