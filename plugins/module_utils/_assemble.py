# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an image without a registry: files of a pinned wheel and programs of the Docker host, with the libraries that they need.

The result is one tar, the same bytes for the same inputs, which the Engine imports as an image.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import typing as t
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

# Part of every recipe's digest: raise it when the same recipe starts to give another image.
FORMAT = 1
CHUNK = 1024 * 1024
BLOCK = tarfile.BLOCKSIZE
# Where wheels and scratch files stay.
DEFAULT_CACHE = "~/.cache/gravity-cluster"

# The Engine's names of architectures -> those of the kernel (and of wheels).
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


class AssembleFailed(ClusterError):
    """The image could not be assembled; nothing was imported."""


@dataclass(frozen=True)
class Wheel:
    """A pinned wheel of a Python package index. ``hashes`` is keyed by architecture (``x86_64``) and holds sha256 digests in hex."""

    package: str
    version: str
    hashes: t.Mapping[str, str]

    @property
    def title(self) -> str:
        """Name for messages."""
        return f"{self.package} {self.version}"


@dataclass(frozen=True)
class Member:
    """A file of the wheel. ``member`` and ``archive`` are glob patterns; with ``archive`` the file lies in a tar inside the wheel.

    A ``path`` that ends in ``/`` is the folder in the image into which every match goes under its own name.
    """

    member: str
    path: str
    archive: t.Optional[str] = None
    mode: int = 0o644


@dataclass(frozen=True)
class Entry:
    """One file (``source`` or ``content``) or folder (neither) of the image."""

    mode: int
    uid: int = 0
    gid: int = 0
    source: t.Optional[Path] = None
    content: t.Optional[bytes] = None


@dataclass(frozen=True)
class Recipe:
    """What an image is assembled from, and the settings of the image.

    ``programs`` are found on the Docker host's PATH and land in /bin. ``files``: path -> (content, mode).
    ``folders``: path -> (mode, uid, gid).
    """

    wheel: t.Optional[Wheel] = None
    members: t.Tuple[Member, ...] = ()
    programs: t.Tuple[str, ...] = ()
    files: t.Mapping[str, t.Tuple[str, int]] = field(default_factory=dict)
    folders: t.Mapping[str, t.Tuple[int, int, int]] = field(default_factory=dict)
    user: t.Optional[str] = None
    env: t.Mapping[str, str] = field(default_factory=dict)
    workdir: t.Optional[str] = None
    entrypoint: t.Tuple[str, ...] = ()
    command: t.Tuple[str, ...] = ()
    labels: t.Mapping[str, str] = field(default_factory=dict)


def recipe_from(data: t.Mapping[str, t.Any]) -> Recipe:
    """A recipe from the module's option ``assemble``; raises :class:`Refused` on values that cannot be meant."""
    wheel = data.get("wheel")
    if data.get("members") and not wheel:
        raise Refused("assemble.members: they are files of a wheel, and assemble.wheel is not set: name its package, version and hashes")
    return Recipe(
        wheel=Wheel(wheel["package"], wheel["version"], {key: str(value).lower() for key, value in wheel["hashes"].items()})
        if wheel
        else None,
        members=tuple(
            Member(item["member"], _absolute(item["path"], "assemble.members"), item.get("archive"), mode_from(item.get("mode"), 0o644))
            for item in data.get("members") or []
        ),
        programs=tuple(data.get("programs") or []),
        files={
            _absolute(item["path"], "assemble.files"): (item["content"], mode_from(item.get("mode"), 0o644))
            for item in data.get("files") or []
        },
        folders={
            _absolute(item["path"], "assemble.folders"): (mode_from(item.get("mode"), 0o755), *owner_from(item.get("owner") or "0:0"))
            for item in data.get("folders") or []
        },
        user=data.get("user"),
        env={key: str(value) for key, value in (data.get("env") or {}).items()},
        workdir=data.get("workdir"),
        entrypoint=tuple(data.get("entrypoint") or []),
        command=tuple(data.get("command") or []),
        labels={key: str(value) for key, value in (data.get("labels") or {}).items()},
    )


def _absolute(path: str, where: str) -> str:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise Refused(f"{where}: the path {path} must be absolute and without ..: write it as seen in the image, for example /usr/bin/node")
    return path


def mode_from(text: t.Optional[str], default: int) -> int:
    """File permissions from octal text such as ``0755``."""
    if not text:
        return default
    try:
        return int(str(text), 8)
    except ValueError:
        raise Refused(f"mode {text}: not a file mode: write it in octal and in quotes, for example '0755'") from None


def owner_from(text: str) -> t.Tuple[int, int]:
    """``(uid, gid)`` from ``uid`` or ``uid:gid``. Names are refused: what they mean depends on the image."""
    match = re.fullmatch(r"(\d+)(?::(\d+))?", str(text))
    if not match:
        raise Refused(f"user {text}: must be numeric, uid or uid:gid, for example 10001:10001")
    return int(match[1]), int(match[2] or match[1])


def machine() -> str:
    """The Docker host's architecture as wheels name it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def parts_of(recipe: Recipe, architecture: str) -> t.Dict[str, str]:
    """The recipe as short, comparable parts: name -> text. Two recipes with equal parts give the same image.

    What the Docker host contributes counts by name only: an update of its C library must not replace running nodes.
    """
    parts = {
        "format": str(FORMAT),
        "architecture": architecture,
        "members": _short([[m.archive, m.member, m.path, m.mode] for m in recipe.members]),
        "programs": _short(sorted(recipe.programs)),
        "files": _short(sorted((path, *rest) for path, rest in recipe.files.items())),
        "folders": _short(sorted((path, *rest) for path, rest in recipe.folders.items())),
        "settings": _short(
            [recipe.user, sorted(recipe.env.items()), recipe.workdir, recipe.entrypoint, recipe.command, sorted(recipe.labels.items())]
        ),
    }
    if recipe.wheel:
        wanted = recipe.wheel.hashes.get(architecture)
        if not wanted:
            known = ", ".join(sorted(recipe.wheel.hashes)) or "none"
            raise Refused(
                f"{recipe.wheel.title}: no wheel is pinned for architecture {architecture} (pinned: {known}): "
                "add its sha256, or bring an image with source pull, build or load"
            )
        parts["wheel"] = f"{recipe.wheel.title} ({wanted[:12]})"
    return parts


def _short(value: t.Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def changes_of(recipe: Recipe, labels: t.Mapping[str, str]) -> t.List[str]:
    """The image's settings as the Dockerfile instructions that the Engine applies while importing."""
    changes = []
    if recipe.user:
        changes.append(f"USER {recipe.user}")
    if recipe.workdir:
        changes.append(f"WORKDIR {recipe.workdir}")
    changes += [f"ENV {key}={_quoted(value)}" for key, value in sorted(recipe.env.items())]
    changes += [f"LABEL {_quoted(key)}={_quoted(value)}" for key, value in sorted({**recipe.labels, **labels}.items())]
    if recipe.entrypoint:
        changes.append(f"ENTRYPOINT {json.dumps(list(recipe.entrypoint))}")
    if recipe.command:
        changes.append(f"CMD {json.dumps(list(recipe.command))}")
    return changes


def _quoted(text: str) -> str:
    if "\n" in text:
        raise Refused(f"{text.splitlines()[0]}...: a value with a line break cannot be set on an image: use one line")
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'


# ---------------------------------------------------------------------------------------------------------------------------------
# The wheel


def wheel_file(wheel: Wheel, cache: Path, work: Path, progress: Progress) -> Path:
    """The verified wheel in ``cache``, downloaded by the Docker host's own pip when it is not there (or damaged)."""
    wanted = wheel.hashes[machine()]
    pattern = f"{re.sub(r'[-_.]+', '_', wheel.package)}-{wheel.version}-*.whl"
    for candidate in sorted(cache.glob(pattern)):
        if sha256_of(candidate) == wanted:
            return candidate
    fetched = download(wheel, work, progress)
    found = sha256_of(fetched)
    if found != wanted:
        raise AssembleFailed(
            f"{fetched.name}: its sha256 is {found}, pinned is {wanted}: the index gave another file than the pinned one; "
            "check the index, or pin the version and hash that you trust"
        )
    kept = cache / fetched.name
    os.replace(str(fetched), str(kept))
    return kept


def download(wheel: Wheel, work: Path, progress: Progress) -> Path:
    """Let pip fetch the wheel into ``work``: so the user's index, proxy and certificate settings count."""
    title = wheel.title
    progress.say(f"downloading {title}")
    target, scratch = work / "download", work / "tmp"
    target.mkdir()
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet", "--no-deps"]
    command += ["--no-cache-dir", "--only-binary", ":all:", "--dest", str(target), f"{wheel.package}=={wheel.version}"]
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(2.0):
            size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
            progress.say(f"downloading {title}: {size / 1e6:.0f} MB so far")

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        done = subprocess.run(  # the interpreter that runs us, fixed arguments
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(scratch)}
        )
    finally:
        ended.set()
        reporter.join()
    found = sorted(target.glob("*.whl"))
    if done.returncode == 0 and found:
        return found[0]
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"exit code {done.returncode}"]
    if "No module named pip" in done.stderr:
        raise AssembleFailed(
            f"{title}: {sys.executable} has no pip to download it with: install pip for it (Debian: apt-get install python3-pip), "
            "or put the wheel into the folder that the option cache names"
        )
    raise AssembleFailed(
        f"{title}: could not be downloaded by pip ({errors[-1]}): check the package index and proxy settings of pip on the Docker host, "
        "or put the wheel into the folder that the option cache names"
    )


def sha256_of(path: Path) -> str:
    """Digest of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def take_members(wheel: Path, members: t.Sequence[Member], into: Path) -> t.Dict[str, Entry]:
    """Unpack what ``members`` name from the wheel into the folder ``into``; returns path in the image -> file."""
    entries: t.Dict[str, Entry] = {}
    missing = dict.fromkeys(members)
    try:
        for member, name, stream in _matches(wheel, members):
            path = member.path + PurePosixPath(name).name if member.path.endswith("/") else member.path
            # All in one folder: the loader finds the wheel's own libraries there when we ask it for those of the host.
            target = into / PurePosixPath(path).name
            with target.open("wb") as out:
                shutil.copyfileobj(stream, out, CHUNK)
            target.chmod(0o755)
            entries[path] = Entry(member.mode, source=target)
            missing.pop(member, None)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as exc:
        raise AssembleFailed(f"{wheel.name}: cannot be unpacked ({exc}): remove it from the cache and run again") from exc
    if missing:
        member = next(iter(missing))
        place = f" in {member.archive}" if member.archive else ""
        raise AssembleFailed(f"{wheel.name}: holds no {member.member}{place}: name a file of this version in assemble.members")
    return entries


def _matches(wheel: Path, members: t.Sequence[Member]) -> t.Iterator[t.Tuple[Member, str, t.IO[bytes]]]:
    """Each file of the wheel that a member means: the member, the file's name, and its content to be read before the next one."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            for member in members:
                if not member.archive and fnmatch.fnmatchcase(name, member.member):
                    with archive.open(name) as stream:
                        yield member, name, stream
            inside = [member for member in members if member.archive and fnmatch.fnmatchcase(name, member.archive)]
            if inside:
                with archive.open(name) as packed, unzstd(packed, name) as plain, tarfile.open(fileobj=plain, mode="r|*") as tar:
                    yield from _matches_inside(tar, inside)


def _matches_inside(tar: tarfile.TarFile, members: t.Sequence[Member]) -> t.Iterator[t.Tuple[Member, str, t.IO[bytes]]]:
    for entry in tar:
        # The tar is a stream, so an entry can be read once: the first member that means it has it.
        member = next((one for one in members if fnmatch.fnmatchcase(entry.name, one.member)), None)
        source = tar.extractfile(entry) if member and entry.isreg() else None
        if member and source:
            yield member, entry.name, source


def unzstd(packed: t.IO[bytes], name: str) -> t.IO[bytes]:
    """``packed`` decompressed when its ``name`` ends in ``.zst``, by the Python package or else by the program; to be closed."""
    if not name.endswith(".zst"):
        return packed
    with contextlib.suppress(ImportError):
        import zstandard  # noqa: PLC0415 -- optional: the program does as well

        return zstandard.ZstdDecompressor().stream_reader(packed)
    program = shutil.which("zstd")
    if not program:
        raise AssembleFailed(
            f"{name}: nothing on the Docker host unpacks zstd: install the Python package zstandard for {sys.executable}, "
            "or the program zstd (Debian: apt-get install zstd)"
        )
    plain = tempfile.TemporaryFile()  # noqa: SIM115 -- the caller reads and closes it
    process = subprocess.Popen([program, "-dc"], stdin=subprocess.PIPE, stdout=plain)
    with contextlib.suppress(BrokenPipeError), t.cast(t.IO[bytes], process.stdin) as feed:
        shutil.copyfileobj(packed, feed, CHUNK)
    if process.wait():
        plain.close()
        raise AssembleFailed(f"{name}: zstd could not unpack it: remove the wheel from the cache and run again")
    plain.seek(0)
    return plain


# ---------------------------------------------------------------------------------------------------------------------------------
# Programs and libraries of the Docker host


def take_programs(names: t.Sequence[str]) -> t.Dict[str, Entry]:
    """The Docker host's programs, for /bin of the image."""
    entries = {}
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin")
        if not found:
            raise AssembleFailed(
                f"program {name}: not found on the Docker host, which gives it to the image: "
                "install it, or bring an image with source pull or build"
            )
        entries[f"/bin/{name}"] = Entry(0o755, source=Path(found).resolve())
    return entries


def take_libraries(entries: t.Mapping[str, Entry], beside: Path) -> t.Dict[str, Entry]:
    """The shared libraries that the programs among ``entries`` need and do not bring; ``beside`` holds those that they bring."""
    own = {PurePosixPath(path).name for path in entries}
    libraries: t.Dict[str, Entry] = {}
    lookup = shutil.which("ldd")
    for path, entry in entries.items():
        if entry.source is None or not is_elf(entry.source):
            continue
        if not lookup:
            raise AssembleFailed(
                f"{path}: the Docker host has no ldd to find its shared libraries: install it, or bring an image with source pull or build"
            )
        done = subprocess.run(
            [lookup, str(entry.source)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": str(beside)},
        )
        for name, where in parse_ldd(done.stdout):
            if PurePosixPath(name).name in own:
                continue
            if where is None:
                raise AssembleFailed(
                    f"{path}: needs the library {name}, which the Docker host does not have: "
                    "install it, or bring an image with source pull or build"
                )
            libraries[where] = Entry(0o755, source=Path(where).resolve())
    return libraries


def parse_ldd(text: str) -> t.List[t.Tuple[str, t.Optional[str]]]:
    """``(name, path)`` per library in the output of ldd; the path is None for one that was not found."""
    found: t.List[t.Tuple[str, t.Optional[str]]] = []
    for line in text.splitlines():
        match = re.match(r"\s+(\S+)(?: => (not found|/\S+))?", line)
        if not match:
            continue
        name, where = match[1], match[2]
        if where == "not found":
            found.append((name, None))
        elif where or name.startswith("/"):
            found.append((name, where or name))
    return found


def is_elf(path: Path) -> bool:
    """Whether a file is a native program or library."""
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


# ---------------------------------------------------------------------------------------------------------------------------------
# The whole


@contextlib.contextmanager
def workroom(cache: Path) -> t.Iterator[Path]:
    """A scratch folder below ``cache``; those of runs that were killed are removed."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(".work-*"):
            with contextlib.suppress(OSError), _locked(old):
                shutil.rmtree(str(old), ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=".work-", dir=str(cache)))
    except OSError as exc:
        raise AssembleFailed(f"{cache}: cannot be used as cache ({exc.strerror}): name a writable folder with the option cache") from exc
    try:
        with _locked(work):
            yield work
    except OSError as exc:
        raise AssembleFailed(
            f"{exc.filename or work}: {exc.strerror or exc}: free some space there, or name another folder with the option cache"
        ) from exc
    finally:
        shutil.rmtree(str(work), ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> t.Iterator[None]:
    # The kernel drops the lock when its holder dies, however it dies.
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def collect(recipe: Recipe, cache: Path, work: Path, progress: Progress) -> t.Dict[str, Entry]:
    """Everything that goes into the image: path -> entry. ``work`` must outlive the entries."""
    unpacked = work / "members"
    unpacked.mkdir()
    entries: t.Dict[str, Entry] = {}
    if recipe.wheel:
        wheel = wheel_file(recipe.wheel, cache, work, progress)
        progress.say(f"unpacking {wheel.name}")
        entries.update(take_members(wheel, recipe.members, unpacked))
    entries.update(take_programs(recipe.programs))
    entries.update(take_libraries(entries, unpacked))
    entries.update({path: Entry(mode, content=content.encode()) for path, (content, mode) in recipe.files.items()})
    entries.update({path.rstrip("/"): Entry(mode, uid, gid) for path, (mode, uid, gid) in recipe.folders.items()})
    return entries


def with_parents(entries: t.Mapping[str, Entry]) -> t.Dict[str, Entry]:
    """``entries`` and every folder above them, in the order of their paths."""
    full = dict(entries)
    for path in entries:
        for parent in PurePosixPath(path).parents:
            if str(parent) != "/":
                full.setdefault(str(parent), Entry(0o755))
    return dict(sorted(full.items()))


def tar_stream(entries: t.Mapping[str, Entry], progress: t.Optional[Progress] = None) -> t.Iterator[bytes]:
    """The tar, piece by piece. Sorted, without times: the same entries give the same bytes."""
    sent = 0
    for path, entry in with_parents(entries).items():
        info = tarfile.TarInfo(path.lstrip("/"))
        info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
        source: t.IO[bytes]
        if entry.source is None and entry.content is None:
            info.type = tarfile.DIRTYPE
            yield info.tobuf(tarfile.GNU_FORMAT)
            continue
        if entry.source is not None:
            source = entry.source.open("rb")
            info.size = os.fstat(source.fileno()).st_size
        else:
            source = io.BytesIO(entry.content or b"")
            info.size = len(entry.content or b"")
        with source:
            yield info.tobuf(tarfile.GNU_FORMAT)
            left = info.size
            while left:
                chunk = source.read(min(CHUNK, left))
                if not chunk:
                    raise AssembleFailed(f"{path}: {entry.source} became shorter while it was read: run again")
                left -= len(chunk)
                sent += len(chunk)
                yield chunk
                if progress:
                    progress.say(f"importing the image: {sent // 50_000_000 * 50} MB")
            yield b"\0" * (-info.size % BLOCK)
    yield b"\0" * (2 * BLOCK)
