# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The context of an image that is built: which files a build sees, what they come to, and all of them in one tar."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.module_utils._assemble import sha256_of
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused


class Context:
    """What a build can see: a folder without what its .dockerignore names. ``where`` says on which machine it is, for errors."""

    def __init__(self, folder: str, dockerfile: str, image: str, where: str = "the Docker host") -> None:
        self.folder, self.dockerfile = Path(folder).expanduser(), dockerfile
        if not self.folder.is_dir():
            raise Refused(f"image {image}: the context {self.folder} is not a folder on {where}: name the folder that holds the Dockerfile")
        if not (self.folder / dockerfile).is_file():
            raise Refused(
                f"image {image}: {self.folder / dockerfile} does not exist: name the Dockerfile, relative to the context, with dockerfile"
            )

    def digest(self) -> str:
        """sha256 of everything in it: paths, kinds, modes and bytes."""
        from docker.utils.build import exclude_paths  # noqa: PLC0415 -- every Ansible worker that loads this module would pay for the SDK

        digest = hashlib.sha256()
        for name in sorted(exclude_paths(str(self.folder), self._ignored(), dockerfile=self.dockerfile)):
            path = self.folder / name
            if path.is_symlink():
                what, body = "link", os.readlink(path).encode()
            elif path.is_dir():
                what, body = "folder", b""
            elif path.is_file():
                what, body = "file", bytes.fromhex(sha256_of(path))
            else:
                continue
            mode = "" if what == "link" else oct(path.stat().st_mode & 0o777)
            digest.update(json.dumps([name, what, mode]).encode() + body)
        return digest.hexdigest()

    def pack(self, target: t.IO[bytes]) -> None:
        """Write all of it into a tar."""
        from docker.utils.build import tar  # noqa: PLC0415 -- as in digest: only who builds needs the SDK

        tar(self.folder, exclude=self._ignored(), dockerfile=(self.dockerfile, None), fileobj=target)

    def _ignored(self) -> t.List[str]:
        ignore = self.folder / ".dockerignore"
        lines = (line.strip() for line in ignore.read_text(encoding="utf-8").splitlines()) if ignore.is_file() else ()
        return [line for line in lines if line and not line.startswith("#")]
