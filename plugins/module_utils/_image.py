# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make sure that an image is on a Docker host, in one of five ways: assemble, pull, build, load or present."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._context import Context
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, explain
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, EngineError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

with contextlib.suppress(ImportError):  # Engine() reports it
    import docker.errors
    from docker.utils import parse_repository_tag

# JSON: what an image was made from, part by part, so that a rebuild can name what changed.
PARTS = labels.PREFIX + "parts"
# sha256 of the tar that an image was assembled from.
CONTENT = labels.PREFIX + "content"

Stream = t.Iterator[t.Dict[str, t.Any]]


class ImageFailed(ClusterError):
    """The image could not be made or fetched; nothing is under its name that was not there before."""


@dataclass(frozen=True)
class Wanted:
    """The image that should be there. ``parts``: name -> short text, empty where only the name counts; ``ids``: accepted image ids."""

    name: str
    source: str
    parts: t.Mapping[str, str] = field(default_factory=dict)
    ids: t.FrozenSet[str] = frozenset()
    always: bool = False

    @property
    def inputs(self) -> t.Optional[str]:
        """sha256 over the parts, or None when only the name counts."""
        if not self.parts:
            return None
        return hashlib.sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Seen:
    """The image that is there. ``own``: made by us; ``inputs`` and ``parts`` are its labels."""

    id: str
    own: bool = False
    inputs: t.Optional[str] = None
    parts: t.Mapping[str, str] = field(default_factory=dict)
    content: t.Optional[str] = None


@dataclass(frozen=True)
class Plan:
    """What to do: ``none``, ``assemble``, ``pull``, ``build``, ``load`` or ``tag`` (give its name to the image ``spare``), and why."""

    action: str
    reasons: t.Tuple[str, ...] = ()
    spare: t.Optional[str] = None


def plan(wanted: Wanted, seen: t.Optional[Seen], spare: t.Optional[str] = None) -> Plan:
    """Decide; ``spare`` is the id of a complete image of the same inputs that carries no name (a run was killed before it named it)."""
    if wanted.source == "present":
        if seen is None:
            raise Refused(
                f"image {wanted.name}: is not on this Docker host, and its source is present: load, pull or build it there, "
                "or choose another source (pull, build, load, assemble)"
            )
        return Plan("none")
    making = {"assemble": "assemble", "build": "build"}.get(wanted.source)
    if making and seen and not seen.own:
        raise Refused(
            f"image {wanted.name}: exists and was not made by gravity.cluster; it will not be replaced: "
            "choose another name, remove it (docker image rm), or use it as it is with source present"
        )
    reasons = _reasons(wanted, seen)
    if not reasons:
        return Plan("none")
    if making and spare and not wanted.always:
        return Plan("tag", tuple(reasons), spare)
    return Plan(wanted.source, tuple(reasons))


def _reasons(wanted: Wanted, seen: t.Optional[Seen]) -> t.List[str]:
    if seen is None:
        return ["absent"]
    reasons = []
    if wanted.ids and seen.id not in wanted.ids:
        reasons.append(f"image id {_short(seen.id)} -> {_short(min(wanted.ids))}")
    if wanted.inputs and seen.inputs != wanted.inputs:
        for key in sorted({*wanted.parts, *seen.parts}):
            before, after = seen.parts.get(key), wanted.parts.get(key)
            if before != after:
                reasons.append(f"{key}: {before or 'none'} -> {after or 'none'}")
        reasons = reasons or ["inputs changed"]
    if not reasons and wanted.always and wanted.source != "load":
        reasons.append("always")
    return reasons


def _short(identifier: str) -> str:
    return identifier.replace("sha256:", "")[:12]


def ensure(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The module: returns ``{changed, name, id, action, inputs, reasons, diff}``."""
    name = full_name(params["name"], params["source"])
    before = see(engine, name)
    maker = SOURCES[params["source"]](params, engine, progress, name, before)
    wanted = maker.wanted
    spare = find_spare(engine, wanted) if wanted.inputs else None
    decided = plan(wanted, before, spare)
    after, changed = before, decided.action != "none"
    if changed and not check_mode:
        if decided.action == "tag":
            tag(engine, str(decided.spare), name)
        else:
            maker.make()
        after = see(engine, name)
        if after is None:
            raise ImageFailed(
                f"image {name}: was there for a moment and is gone: something else on the Docker host removes images; run again"
            )
        changed = before is None or before.id != after.id
        if before and before.own and before.id != after.id:
            drop(engine, before.id)
    return {
        "changed": changed,
        "name": name,
        "id": after.id if after and not (changed and check_mode) else None,
        "action": decided.action if changed else "none",
        "inputs": wanted.inputs,
        "reasons": list(decided.reasons) if changed else [],
        "diff": {"before": _shown(name, before), "after": _shown(name, after, wanted if changed and check_mode else None)},
    }


def _shown(name: str, seen: t.Optional[Seen], coming: t.Optional[Wanted] = None) -> t.Dict[str, t.Any]:
    if coming:
        return {"name": name, "id": "known when it is made", "made_from": dict(coming.parts)}
    return {"name": name, "id": seen.id if seen else None, "made_from": dict(seen.parts) if seen else {}}


def full_name(name: str, source: str) -> str:
    """``name`` with its tag; refuses what cannot be a name, and a digest where an image is made."""
    if not name or name != name.strip() or any(char.isspace() for char in name):
        raise Refused(f"image name {name!r}: not a name: write it as repository:tag, for example node:1.0")
    if "@" in name:
        if source in ("assemble", "build"):
            raise Refused(f"image {name}: a digest cannot be chosen for an image that is made here: name it repository:tag")
        return name
    repository, suffix = parse_repository_tag(name)
    return f"{repository}:{suffix or 'latest'}"


def see(engine: Engine, name: str) -> t.Optional[Seen]:
    """The image under ``name``, or None."""
    with engine.translating(f"looking for image {name}"):
        try:
            found = engine.api.inspect_image(name)
        except docker.errors.ImageNotFound:
            return None
    marks = (found.get("Config") or {}).get("Labels") or {}
    parts: t.Dict[str, str] = {}
    with contextlib.suppress(ValueError):
        parts = json.loads(marks.get(PARTS) or "{}")
    return Seen(found["Id"], marks.get(labels.KIND) == "image", marks.get(labels.INPUTS), parts, marks.get(CONTENT))


def find_spare(engine: Engine, wanted: Wanted) -> t.Optional[str]:
    """An image of the same inputs, whatever its name."""
    with engine.translating("listing images"):
        found = engine.api.images(filters={"label": [f"{labels.INPUTS}={wanted.inputs}", f"{labels.KIND}=image"]})
    return str(found[0]["Id"]) if found else None


def tag(engine: Engine, identifier: str, name: str) -> None:
    """Give ``name`` to an image that is complete: the one step that makes it visible."""
    repository, suffix = parse_repository_tag(name)
    with engine.translating(f"naming the image {name}"):
        engine.api.tag(identifier, repository, suffix, force=True)


def drop(engine: Engine, identifier: str) -> None:
    """Remove an image of ours that lost its name, unless a container or another name holds it."""
    with contextlib.suppress(docker.errors.APIError):
        if not (engine.api.inspect_image(identifier).get("RepoTags") or []):
            engine.api.remove_image(identifier)


class Source:
    """One way to an image. Its birth looks and changes nothing; ``make`` ends with the image under its name or raises.

    ``before`` is the image that is under the name now, ``wanted`` the desired one.
    """

    def __init__(self, params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, name: str, before: t.Optional[Seen]) -> None:
        self.params, self.engine, self.progress, self.name, self.before = params, engine, progress, name, before
        self.wanted = self.desire()

    def desire(self) -> Wanted:
        """The desired image."""
        return Wanted(self.name, self.params["source"], always=bool(self.params.get("always")))

    def make(self) -> None:
        """Bring the image."""
        raise NotImplementedError

    def need(self, option: str) -> t.Any:
        """The value of an option that this source cannot do without."""
        value = self.params.get(option)
        if not value:
            raise Refused(f"image {self.name}: source {self.params['source']} needs the option {option}: set it")
        return value

    def marks(self, **more: str) -> t.Dict[str, str]:
        """Labels of an image that we make."""
        return {
            labels.KIND: "image",
            labels.INPUTS: str(self.wanted.inputs),
            PARTS: json.dumps(dict(self.wanted.parts), sort_keys=True, separators=(",", ":")),
            **more,
        }


class Present(Source):
    """The image must be there."""


class Pull(Source):
    """From a registry."""

    def make(self) -> None:
        """Pull with the credentials of the Docker host's own configuration."""
        remedy = (
            "check its name, the registry and the login (docker login) on the Docker host, or bring the image with source load or build"
        )
        self.progress.say(f"pulling {self.name}")
        layers: t.Dict[str, t.Tuple[int, int]] = {}
        repository, suffix = parse_repository_tag(self.name)
        try:
            stream: Stream = self.engine.api.pull(repository, suffix, stream=True, decode=True)
            for event in stream:
                if event.get("error"):
                    raise ImageFailed(f"image {self.name}: could not be pulled ({' '.join(str(event['error']).split())}): {remedy}")
                detail = event.get("progressDetail") or {}
                if event.get("status") == "Downloading" and detail.get("total"):
                    layers[str(event.get("id"))] = (int(detail["current"]), int(detail["total"]))
                    done, total = (sum(column) // 1_000_000 for column in zip(*layers.values()))
                    self.progress.say(f"pulling {self.name}: {done} of {total} MB")
        except docker.errors.APIError as exc:
            raise ImageFailed(f"image {self.name}: could not be pulled ({explain(exc)}): {remedy}") from exc


class Build(Source):
    """From a Dockerfile and its context: a folder here, or a tar of one that lies on the controller."""

    def desire(self) -> Wanted:
        """The context's content, the Dockerfile's name and the arguments count."""
        context, dockerfile = self.need("context"), self.params.get("dockerfile") or "Dockerfile"
        digest = self.params.get("context_digest") or Context(context, dockerfile, self.name).digest()
        arguments = {key: str(value) for key, value in (self.params.get("args") or {}).items()}
        parts = {
            "context": digest[:16],
            "dockerfile": dockerfile,
            "args": hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:16] if arguments else "none",
            "target": self.params.get("target") or "none",
        }
        return Wanted(self.name, "build", parts, always=bool(self.params.get("always")))

    def make(self) -> None:
        """Build, then name the result."""
        self.progress.say(f"building {self.name}")
        step, identifier = "", None
        with self._context() as context, self.engine.translating(f"image {self.name}: building"):
            stream: Stream = self.engine.api.build(
                **context,
                dockerfile=self.params.get("dockerfile") or "Dockerfile",
                buildargs={key: str(value) for key, value in (self.params.get("args") or {}).items()},
                target=self.params.get("target") or "",
                labels=self.marks(),
                pull=bool(self.params.get("always")),
                rm=True,
                forcerm=True,
                decode=True,
                timeout=None,
            )
            for event in stream:
                text = str(event.get("stream") or "").strip()
                if text.startswith("Step "):
                    step = text
                    self.progress.say(f"building {self.name}: {step}")
                if event.get("error"):
                    reason = " ".join(str(event["error"]).split())
                    raise ImageFailed(
                        f"image {self.name}: could not be built{f' at {step}' if step else ''} ({reason}): "
                        f"correct it and try: docker build {self.params['context']}"
                    )
                identifier = (event.get("aux") or {}).get("ID") or identifier
        if not identifier:
            raise ImageFailed(f"image {self.name}: the Engine ended the build without an image: try docker build {self.params['context']}")
        tag(self.engine, identifier, self.name)

    @contextlib.contextmanager
    def _context(self) -> t.Iterator[t.Dict[str, t.Any]]:
        """The SDK's options for the context."""
        archive = self.params.get("context_archive")
        if not archive:
            yield {"path": os.path.expanduser(self.params["context"])}
            return
        with open(archive, "rb") as stream:
            yield {"fileobj": stream, "custom_context": True}


class Load(Source):
    """From an archive that ``docker save`` made."""

    def desire(self) -> Wanted:
        """The archive says by itself which id the image has: so nothing is loaded twice."""
        ids = archive_ids(os.path.expanduser(self.need("archive")), self.name)
        return Wanted(self.name, "load", ids=ids)

    def make(self) -> None:
        """Load; the Engine names the image when all of it is there."""
        archive = Path(self.params["archive"]).expanduser()
        size = archive.stat().st_size // 1_000_000
        with archive.open("rb") as stream, self.engine.translating(f"image {self.name}: loading {archive}"):

            def chunks() -> t.Iterator[bytes]:
                for chunk in iter(lambda: stream.read(assemble.CHUNK), b""):
                    self.progress.say(f"loading {self.name}: {stream.tell() // 50_000_000 * 50} of {size} MB")
                    yield chunk

            for event in self.engine.api.load_image(chunks()):
                if event.get("error"):
                    raise ImageFailed(
                        f"image {self.name}: {archive} could not be loaded ({' '.join(str(event['error']).split())}): save it again"
                    )
        after = see(self.engine, self.name)
        if after is None or after.id not in self.wanted.ids:
            raise ImageFailed(
                f"image {self.name}: {archive} was loaded, but not under this name: save the image by its name (docker save {self.name})"
            )


def archive_ids(archive: str, name: str, where: str = "the Docker host") -> t.FrozenSet[str]:
    """The ids that the image ``name`` of an archive can have: by its configuration, and by its manifest where Engines use that."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            members = {}
            for entry in tar:
                if entry.name in ("manifest.json", "index.json"):
                    source = tar.extractfile(entry)
                    members[entry.name] = json.loads(source.read()) if source else None
    except FileNotFoundError:
        raise Refused(f"image {name}: the archive {archive} does not exist on {where}: name a file that docker save made") from None
    except OSError as exc:
        raise Refused(f"image {name}: {archive} cannot be read ({exc.strerror or exc}): name a file that docker save made") from exc
    except (tarfile.TarError, ValueError, EOFError) as exc:
        raise Refused(f"image {name}: {archive} is not an image archive, or a part of one: make it with docker save") from exc
    images = members.get("manifest.json") or []
    found = next((image for image in images if name in (image.get("RepoTags") or [])), None)
    if found is None:
        names = sorted(tagged for image in images for tagged in image.get("RepoTags") or [])
        raise Refused(
            f"image {name}: {archive} holds no image of this name (it holds: {', '.join(names) or 'none with a name'}): "
            "set name accordingly"
        )
    ids = {"sha256:" + os.path.basename(found["Config"]).split(".")[0]}
    for manifest in (members.get("index.json") or {}).get("manifests") or []:
        if len(images) == 1 or name in (manifest.get("annotations") or {}).values():
            ids.add(str(manifest["digest"]))
    return frozenset(ids)


class Assemble(Source):
    """From a pinned wheel and the Docker host's own programs, without any registry."""

    def desire(self) -> Wanted:
        """The recipe counts."""
        self.recipe = assemble.recipe_from(self.need("assemble"))
        return Wanted(self.name, "assemble", assemble.parts_of(self.recipe, assemble.machine()), always=bool(self.params.get("always")))

    def make(self) -> None:
        """Make the tar, let the Engine import it without a name, then name it. A kill leaves at most a complete image without a name."""
        engine_machine = self._engine_machine()
        if engine_machine != assemble.machine():
            raise Refused(
                f"image {self.name}: the Engine runs on {engine_machine} and this Docker host's programs are for {assemble.machine()}: "
                "use source pull, build or load"
            )
        cache = Path(self.params.get("cache") or assemble.DEFAULT_CACHE).expanduser()
        with assemble.workroom(cache) as work:
            entries = assemble.collect(self.recipe, cache, work, self.progress)
            digest = hashlib.sha256()
            for chunk in assemble.tar_stream(entries):
                digest.update(chunk)
            content = digest.hexdigest()
            if self.before and self.before.content == content and self.before.inputs == self.wanted.inputs:
                return
            changes = assemble.changes_of(self.recipe, self.marks(**{CONTENT: content}))
            with self.engine.translating(f"image {self.name}: importing"):
                # The SDK sends any iterable in chunks, and without a limit of time.
                answer = self.engine.api.import_image_from_data(
                    t.cast(t.Any, assemble.tar_stream(entries, self.progress)), changes=t.cast(t.Any, changes)
                )
        tag(self.engine, imported_id(answer, self.name), self.name)

    def _engine_machine(self) -> str:
        with self.engine.translating("asking the Engine for its version"):
            arch = str(self.engine.api.version()["Arch"])
        return assemble.ARCHITECTURES.get(arch, arch)


def imported_id(answer: str, name: str) -> str:
    """The image id in the Engine's answer to an import: JSON objects, one per line."""
    status = ""
    for line in answer.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("error"):
                raise EngineError(
                    f"image {name}: the Engine could not import it ({' '.join(str(event['error']).split())}): check its disk space"
                )
            status = str(event.get("status") or status)
    if not status.startswith("sha256:"):
        raise EngineError(f"image {name}: the Engine gave no id for the imported image: look into its log")
    return status


SOURCES: t.Mapping[str, t.Type[Source]] = {"assemble": Assemble, "pull": Pull, "build": Build, "load": Load, "present": Present}
