# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a Docker Engine, and the few things that every user of it needs.

The low-level client of the Docker SDK is used on purpose: its objects are the Engine's own JSON, and it spends
the fewest requests.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import tarfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._engine_address import DEFAULT_URL, find
from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineError, EngineUnreachable
from ansible_collections.gravity.cluster.plugins.module_utils._frames import Frames

try:
    import docker
    import docker.errors
    import docker.tls
    import requests
    import requests.exceptions
    import urllib3.exceptions
except ImportError as exc:  # pragma: no cover - the edge reports it
    DOCKER_IMPORT_ERROR: t.Optional[ImportError] = exc
else:
    DOCKER_IMPORT_ERROR = None

    # The published types of the low-level client lack the methods that its own calls are made of.
    _SdkClient: t.Any = docker.APIClient

    class _Client(_SdkClient):  # type: ignore[misc]
        """The low-level client, where the SDK's own does not do what the Engine offers."""

        def merge_environment_settings(self, url: t.Any, proxies: t.Any, stream: t.Any, verify: t.Any, cert: t.Any) -> t.Any:
            """The authority that was asked for counts; ``requests`` would let ``REQUESTS_CA_BUNDLE`` win over it."""
            return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)

        def exec_output(self, exec_id: str) -> t.Iterator[bytes]:
            """What a command puts out, in frames (:class:`Frames`), as it comes.

            ``exec_start`` asks for an upgraded connection and passes over what has come together with the answer's head (docker-py
            issue 2042).
            """
            address = self._url("/exec/{0}/start", exec_id)
            with self._post_json(address, data={"Tty": False, "Detach": False}, timeout=None, stream=True) as answer:
                self._raise_for_status(answer)
                yield from answer.iter_content(PIECE)

        def head_archive(self, container: str, path: str) -> t.Any:
            """The answer that says what ``path`` is; ``get_archive`` only has it together with the whole content."""
            return self.head(self._url("/containers/{0}/archive", container), params={"path": path}, timeout=self.timeout)


# How much of a command's output is read at once, and kept of each stream unless more is asked for (bytes).
PIECE = 64 * 1024
LONGEST_OUTPUT = 1024 * 1024
# Seconds to wait for the exit code of a command whose output has ended.
EXEC_PATIENCE = 10.0

# Schemes of a local socket.
UNIX = ("unix:", "http+unix:")

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


@dataclass(frozen=True)
class EngineOptions:
    """How to reach an Engine. ``timeout`` is in seconds and holds for one request.

    With ``tls`` it is asked over TLS, also without certificates. ``problem`` says why it is not known which Engine is meant.
    """

    url: str = DEFAULT_URL
    timeout: int = 60
    ca: t.Optional[str] = None
    cert: t.Optional[str] = None
    key: t.Optional[str] = None
    tls: bool = False
    problem: t.Optional[str] = None


# The argument spec shared by all modules that talk to an Engine; documented in doc_fragments/engine.py.
ENGINE_ARGUMENTS: t.Dict[str, t.Dict[str, t.Any]] = {
    "engine_url": {"type": "str"},
    "engine_timeout": {"type": "int", "default": 60},
    "engine_ca": {"type": "path"},
    "engine_cert": {"type": "path"},
    "engine_key": {"type": "path", "no_log": False},
}


def options_from(params: t.Mapping[str, t.Any], environ: t.Optional[t.Mapping[str, str]] = None) -> EngineOptions:
    """Engine options from module parameters. What they leave open is found as the docker command finds it.

    It never fails: an Engine that cannot be named is a ``problem``, which whoever connects is told.
    """
    url, timeout = params.get("engine_url"), params.get("engine_timeout") or 60
    ca, cert, key = params.get("engine_ca"), params.get("engine_cert"), params.get("engine_key")
    if url:
        return EngineOptions(url, timeout, ca, cert, key)
    found = find(os.environ if environ is None else environ)
    if ca or cert:
        return EngineOptions(found.url, timeout, ca, cert, key)
    return EngineOptions(found.url, timeout, found.ca, found.cert, found.key, found.tls, found.problem)


@dataclass(frozen=True)
class File:
    """A file to put into, or read from, a container. ``path`` is relative to the folder that is read or written."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


def _remedy(url: str, reason: str) -> str:
    """What to do about an Engine that does not answer at ``url``."""
    if "http+docker" in reason:
        versions = f"the Docker SDK {docker.__version__} is too old for requests {requests.__version__}"
        return f"{versions}: upgrade it (pip install --upgrade docker)"
    if "paramiko" in reason:
        return "the Docker SDK needs paramiko for ssh://: pip install paramiko, or give the machine as ansible_host under hosts in the spec"
    if url.startswith("ssh:"):
        return "ssh must log in there without a password, and the command docker must be there: try ssh HOST docker version"
    if "SSL" in reason or "HTTPS" in reason:
        return "it asks for TLS, and one of the two does not trust the other: check engine_ca, engine_cert and engine_key"
    return "start it (for example: systemctl start docker), or name another with engine_url or DOCKER_HOST"


class Engine:
    """A connection to one Docker Engine. Safe to use from several threads."""

    def __init__(self, options: EngineOptions) -> None:
        if DOCKER_IMPORT_ERROR is not None:
            raise EngineError(
                f"the Docker SDK for Python is missing on the Docker host ({DOCKER_IMPORT_ERROR}): "
                "install it for the Python that Ansible uses there (pip install docker)"
            )
        if options.problem:
            raise EngineUnreachable(options.problem)
        self.options = options
        try:
            tls: t.Any = None
            if options.tls or options.ca or options.cert:
                pair = (options.cert, options.key) if options.cert and options.key else None
                tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=options.ca, verify=bool(options.ca) or None)
            ssh = options.url.startswith("ssh:")
            # The published types of the low-level client are too incomplete to be of use.
            self.api: t.Any = _Client(
                base_url=options.url, version="auto", timeout=options.timeout, tls=tls or False, num_pools=32, use_ssh_client=ssh
            )
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as exc:
            reason = root_cause(exc)
            raise EngineUnreachable(f"no Docker Engine answers at {options.url} ({reason}): {_remedy(options.url, reason)}") from exc
        if options.url.startswith(UNIX):
            # No proxy and no password file of the environment concerns a socket; looking for them costs more than the answer.
            self.api.trust_env = False

    @contextlib.contextmanager
    def translating(self, what: str) -> t.Iterator[None]:
        """Turn the SDK's exceptions into an :class:`EngineError` that starts with ``what`` was being done."""
        try:
            yield
        except docker.errors.DockerException as exc:
            raise EngineError(f"{what}: {explain(exc)}") from exc
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError) as exc:
            gone = f"the Docker Engine at {self.options.url} went away ({root_cause(exc)})"
            raise EngineUnreachable(f"{what}: {gone}: start it and run again") from exc
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise EngineError(f"{what}: the Docker Engine did not answer within {self.options.timeout} s; raise engine_timeout") from exc

    def inspect(self, container: str) -> t.Optional[t.Dict[str, t.Any]]:
        """The Engine's inspection of a container; None when there is none of that name or id."""
        with self.translating(f"inspecting container {container}"):
            try:
                found: t.Dict[str, t.Any] = self.api.inspect_container(container)
            except docker.errors.NotFound:
                return None
            return found

    def image_id(self, image: str) -> t.Optional[str]:
        """Id of the image; None when it is not on this Docker host."""
        found = self.image(image)
        return None if found is None else str(found["Id"])

    def image(self, image: str) -> t.Optional[t.Dict[str, t.Any]]:
        """What the Engine says of the image; None when it is not on this Docker host."""
        with self.translating(f"inspecting image {image}"):
            try:
                found: t.Dict[str, t.Any] = self.api.inspect_image(image)
            except docker.errors.NotFound:
                return None
        return found

    def stat(self, container: str, path: str) -> t.Optional[t.Dict[str, t.Any]]:
        """What the Engine says of ``path`` in a container, which need not run: ``size``, ``mode`` (as Go has it), ``mtime`` ...

        None when there is no such path. It costs a small part of what reading costs.
        """
        with self.translating(f"looking at {path} of {container}"):
            answer = self.api.head_archive(container, path)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
        found: t.Dict[str, t.Any] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        return found

    def mode_of(self, container: str, path: str) -> t.Optional[int]:
        """Permission bits of ``path`` in a container, which need not run; None when there is no such path."""
        found = self.stat(container, path)
        if found is None:
            return None
        mode = int(found["mode"])
        # Go keeps setuid, setgid and sticky elsewhere than Unix.
        special = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))
        return (mode & 0o777) | sum(unix for bit, unix in special if mode & bit)

    def put(self, container: str, folder: str, files: t.Iterable[File]) -> None:
        """Write ``files`` below ``folder`` of a container, which need not run.

        A :class:`File` whose path ends in ``/`` is a folder: it is made, or its owner and mode are set.
        """
        with self.translating(f"writing files into {container}"):
            self.api.put_archive(container, folder, pack(files))

    def run_in(
        self, container: str, command: t.Sequence[str], longest: int = LONGEST_OUTPUT, **options: t.Any
    ) -> t.Tuple[t.Optional[int], bytes, bytes]:
        """Run ``command`` in a running container: exit code, standard output, standard error. ``options`` go to ``exec_create``.

        Of a stream that is longer than ``longest`` bytes, its beginning and its end are kept.

        The SDK's errors are not translated: callers say what they were doing. The code is None when the Engine does not tell it in time.
        """
        call = self.api.exec_create(container, list(command), stdout=True, stderr=True, **options)["Id"]
        frames = Frames(longest)
        for piece in self.api.exec_output(call):
            frames.feed(piece)
        deadline = time.monotonic() + EXEC_PATIENCE
        # On a busy machine the output ends before the Engine has noted the exit code.
        while (code := self.api.exec_inspect(call)["ExitCode"]) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return (code, *frames.outputs())

    def get(self, container: str, path: str) -> t.List[File]:
        """Read the file or folder ``path`` of a container; paths in the result start with its last component. Nothing there: empty."""
        with self.translating(f"reading {path} of {container}"):
            try:
                stream, _stat = self.api.get_archive(container, path)
            except docker.errors.NotFound:
                return []
            return unpack(b"".join(stream))

    def get_within(self, container: str, path: str, limit: int) -> t.Optional[t.List[File]]:
        """As :meth:`get`; None when it is more than ``limit`` bytes."""
        data = bytearray()
        with self.translating(f"reading {path} of {container}"):
            try:
                stream, _stat = self.api.get_archive(container, path)
                for chunk in stream:
                    data += chunk
                    if len(data) > limit:
                        stream.close()
                        return None
            except docker.errors.NotFound:
                return []
        return unpack(bytes(data))


def each(items: t.Sequence[Item], work: t.Callable[[Item], Result], concurrency: int = 8) -> t.List[Result]:
    """``work`` on every item, ``concurrency`` at a time; results in the order of ``items``. The first error is raised when all ended."""
    if len(items) < 2 or concurrency < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(concurrency, len(items))) as pool:
        return [future.result() for future in [pool.submit(work, item) for item in items]]


def pack(files: t.Iterable[File]) -> bytes:
    """A tar of ``files``, the same bytes for the same files. Missing parent folders are left to the Engine (root, 0755)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/") or ".")
            entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
            if file.path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(file.content)
                archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def unpack(data: bytes) -> t.List[File]:
    """The regular files of a tar."""
    files = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r") as archive:
        for entry in archive:
            source = archive.extractfile(entry) if entry.isreg() else None
            if source is not None:
                files.append(File(entry.name, source.read(), entry.mode, entry.uid, entry.gid))
    return files


def explain(exc: BaseException) -> str:
    """The Engine's own words, on one line."""
    text = getattr(exc, "explanation", None) or str(exc)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return " ".join(str(text).split())


def root_cause(exc: BaseException) -> str:
    """The innermost reason of a chain of connection errors, such as ``No such file or directory``."""
    seen: t.Set[int] = set()
    current: t.Optional[BaseException] = exc
    reason = str(exc)
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, OSError) and current.strerror:
            reason = current.strerror
        following = current.__cause__ or current.__context__
        if following is None:
            following = next((arg for arg in current.args if isinstance(arg, BaseException)), None)
        current = following
    return " ".join(reason.split())
