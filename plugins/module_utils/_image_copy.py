# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker host's part in copying an image from one host to others: save it into a file, and load it from one."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._image import ImageFailed, Load, full_name
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

Data = t.Dict[str, t.Any]


def copy(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, _check_mode: bool) -> Data:
    """What the action plugin asks for: ``{id, name, size}``. Without a ``path`` it only tells which image is there."""
    name = full_name(params["name"], "present")
    if not params["path"]:
        return {"changed": False, "name": name, "id": engine.image_id(name)}
    if params["state"] == "saved":
        return _save(engine, name, params["path"], progress)
    Load({"source": "load", "archive": params["path"]}, engine, progress, name, None).make()
    return {"changed": True, "name": name, "id": engine.image_id(name)}


def _save(engine: Engine, name: str, path: str, progress: Progress) -> Data:
    identifier = engine.image_id(name)
    if identifier is None:
        raise Refused(f"image {name}: is not on this Docker host, from which others should get it: run again")
    size = 0
    try:
        with open(path, "wb") as target, engine.translating(f"saving image {name}"):
            for chunk in engine.api.get_image(name):
                size += target.write(chunk)
                progress.say(f"saving {name}: {size // 50_000_000 * 50} MB")
        # The user who logs in fetches it, whoever the module runs as; the folder is that user's own.
        os.chmod(path, 0o644)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise ImageFailed(f"image {name}: cannot be saved into {os.path.dirname(path)} ({exc.strerror or exc}): make room there") from exc
    return {"changed": False, "name": name, "id": identifier, "size": size}
