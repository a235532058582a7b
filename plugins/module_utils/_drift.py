# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read back what we wrote for a node: its keys, the files that all nodes share, its config files. Labels only say what was written.

Reading a file costs the Engine some 30 ms, a look at its size and times 2 ms. All that we write has the same, oldest time; so of a
node that runs only files with another time are read. A node that is to start has all of them read.
"""

from __future__ import annotations

import hashlib
import posixpath
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import file_digests
from ansible_collections.gravity.cluster.plugins.module_utils._definition import salt_of
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, File
from ansible_collections.gravity.cluster.plugins.module_utils._held import held_from, key_marks, mark
from ansible_collections.gravity.cluster.plugins.module_utils._observed import ObservedContainer, ObservedVolume
from ansible_collections.gravity.cluster.plugins.module_utils._sight import stamp

# What a file may have at most to be read, and a folder to be read as a whole (bytes).
LONGEST = 64 * 1024**2
LARGEST_FOLDER = 8 * 1024**2
# How the Engine writes the time of what we wrote.
WRITTEN = "1970-01-01T00:00:00"
# The Engine takes a run of more than 10 s as a good one; until then a container that it restarted is in a restart loop.
GOOD_RUN = 10.0

KEY, SHARED, CONFIG = "key", "shared", "config"
KINDS = frozenset({KEY, SHARED, CONFIG})


@dataclass(frozen=True)
class Drift:
    """A file that is not what was written: its kind, its path in the container, the volume that it is on; ``gone``: there is none."""

    kind: str
    path: str
    volume: str = ""
    gone: bool = False

    @property
    def text(self) -> str:
        """In words, without the node."""
        what = {KEY: "the key ", SHARED: "the genesis file ", CONFIG: "file "}[self.kind]
        return f"{what}{self.path} {'is gone' if self.gone else 'was changed'}"


@dataclass(frozen=True)
class Written:
    """A file that we wrote, by its path in the container; ``expected`` are its marks or, of a config file, its digest."""

    kind: str
    path: str
    expected: t.Tuple[str, ...]
    salt: str = ""
    volume: str = ""

    def judge(self, found: t.Optional[File]) -> t.Optional[Drift]:
        """How ``found`` differs from it; None when it does not."""
        if found is None:
            return Drift(self.kind, self.path, self.volume, gone=True)
        if self.kind == KEY:
            real = key_marks(found.content, self.salt)
        elif self.kind == SHARED:
            real = (mark(found.content, self.salt),)
        else:
            real = (config_digest(found, self.salt),)
        return None if real == self.expected else Drift(self.kind, self.path, self.volume)


def config_digest(file: File, salt: str) -> str:
    """The digest of a config file as :attr:`ConfigFile.digest` makes it, of what is there."""
    digest = hashlib.sha256(f"{salt}{file.mode & 0o7777:o}\n".encode() + file.content).hexdigest()
    return f"{salt}:{digest}" if salt else digest


def written_for(found: ObservedContainer, volumes: t.Mapping[str, ObservedVolume]) -> t.List[Written]:
    """What we wrote for a node, as the labels of its container and of its volumes say."""
    files = []
    for mount in _mounts(found):
        volume = volumes.get(str(mount.get("Name")))
        if volume is None:
            continue
        held, salt = held_from(volume.labels), volume.labels.get(labels.GENESIS, "")
        for kind, marks in ((KEY, held.keys), (SHARED, held.shared)):
            for path, expected in marks.items():
                files.append(Written(kind, posixpath.join(str(mount["Destination"]), path), expected, salt, volume.name))
    for path, digest in file_digests(found.labels).items():
        files.append(Written(CONFIG, path, (digest,), salt_of(digest)))
    return files


def drift_of(
    engine: Engine,
    found: ObservedContainer,
    volumes: t.Mapping[str, ObservedVolume],
    kinds: t.Container[str] = KINDS,
    quick: bool = False,
) -> t.List[Drift]:
    """What of a node's files is not what we wrote. ``quick``: only files that were written later are read."""
    files = [file for file in written_for(found, volumes) if file.kind in kinds]
    if quick:
        files = [file for file in files if is_touched(engine, found.id, file.path)]
    places = [str(mount["Destination"]) for mount in _mounts(found) if mount.get("RW")]
    real = read_files(engine, found.id, [file.path for file in files], {"/", *places})
    judged = [file.judge(real[file.path]) for file in files]
    return [one for one in judged if one is not None]


def _mounts(found: ObservedContainer) -> t.List[t.Mapping[str, t.Any]]:
    return [mount for mount in found.inspect.get("Mounts") or [] if mount.get("Type") == "volume"]


def is_touched(engine: Engine, container: str, path: str) -> bool:
    """Whether a file is gone, or was written by somebody else than us."""
    stat = engine.stat(container, path)
    return stat is None or not str(stat.get("mtime")).startswith(WRITTEN)


def read_files(engine: Engine, container: str, paths: t.Sequence[str], large: t.Container[str] = ()) -> t.Dict[str, t.Optional[File]]:
    """Regular files of a container by path; None for one that is not there, is no regular file, or is too long.

    Several of one folder are read at once, unless the folder is one of those that may be ``large``.
    """
    found: t.Dict[str, t.Optional[File]] = {}
    folders: t.Dict[str, t.List[str]] = {}
    for path in paths:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    for folder, members in folders.items():
        name = posixpath.basename(folder)
        whole = engine.get_within(container, folder, LARGEST_FOLDER) if len(members) > 1 and folder not in large else None
        known = {posixpath.join(posixpath.dirname(folder), file.path): file for file in whole or []}
        for path in members:
            # A folder that is a link gives nothing; a path through it does.
            found[path] = known[path] if path in known and name else _read_file(engine, container, path)
    return found


def _read_file(engine: Engine, container: str, path: str) -> t.Optional[File]:
    files = engine.get_within(container, path, LONGEST) or []
    return files[0] if len(files) == 1 and files[0].path == posixpath.basename(path) else None


def is_failing(inspect: t.Mapping[str, t.Any]) -> bool:
    """Whether a container is in a restart loop."""
    state = inspect.get("State") or {}
    if state.get("Restarting"):
        return True
    started = stamp(state.get("StartedAt"))
    return bool(state.get("Running") and inspect.get("RestartCount")) and started is not None and time.time() - started < GOOD_RUN
