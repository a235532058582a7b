# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a genesis is made from, whether the one that is there still fits, and how its document is put together. No Engine here."""

from __future__ import annotations

import copy
import hashlib
import json
import typing as t
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._assemble import mode_from, owner_from
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._held import Held, held_from, is_key, key_marks, twins

# The folder of the one-off container in which the tool works.
WORK = "/birth"
DOCUMENT = f"{WORK}/genesis.json"

# What check mode says in place of things that do not exist yet.
UNBORN = "made-at-birth"

Data = t.Dict[str, t.Any]
# The files that all nodes share, by their path in the volumes.
Shared = t.Mapping[str, bytes]


@dataclass(frozen=True)
class Command:
    """A call of the chain's tool. ``quiet``: its output may hold secrets and is never shown."""

    argv: t.Tuple[str, ...]
    quiet: bool = False


@dataclass(frozen=True)
class Take:
    """A file (or, with a ``source`` that ends in ``/``, a folder of files) that goes from the birth into the node's volume.

    With ``content`` it is one that the user brings; it may be a secret.
    """

    source: str
    path: str
    mode: int
    content: t.Optional[bytes] = field(default=None, repr=False)

    @property
    def is_key(self) -> bool:
        """Whether it is a key that the user supplies."""
        return self.content is not None and is_key(self.mode)


@dataclass(frozen=True)
class Node:
    """A node to be born. ``power`` is 0 for a node that does not vote; ``host`` its Docker host, empty when there is only one.

    ``identity`` is the command that tells its public identity; ``known_as`` is that identity when the user brings the keys.
    ``needs_keys``: a genesis that is brought names its keys, so that new ones would be of no use.
    """

    name: str
    role: str
    volume: str
    power: int
    commands: t.Tuple[Command, ...]
    identity: t.Tuple[str, ...]
    files: t.Tuple[Take, ...]
    host: str = ""
    known_as: str = ""
    needs_keys: bool = False

    @property
    def votes(self) -> bool:
        """Whether the node is part of the genesis."""
        return self.power > 0


@dataclass(frozen=True)
class Given:
    """A public file that the user brings for all nodes."""

    path: str
    content: bytes
    mode: int = 0o444


@dataclass(frozen=True)
class Product:
    """A public file for all nodes that a command makes, in the one-off container or in one of another ``image``."""

    argv: t.Tuple[str, ...]
    source: str
    path: str
    mode: int = 0o444
    image: str = ""


@dataclass(frozen=True)
class Recipe:
    """How the document is made, and what else all nodes share.

    The paths hold ``{node}`` for the name of each voting node. See the module's documentation.
    """

    base: str
    path: str
    mode: int = 0o444
    append: t.Tuple[str, ...] = ()
    collect: t.Tuple[t.Tuple[str, str], ...] = ()
    merge: t.Mapping[str, t.Any] = field(default_factory=dict)
    validate: t.Tuple[str, ...] = ()
    start: t.Optional[t.Mapping[str, t.Any]] = None
    given: t.Tuple[Given, ...] = ()
    products: t.Tuple[Product, ...] = ()
    genesis: str = ""

    @property
    def assembled(self) -> bool:
        """Whether a document is put together from what the voting nodes give."""
        return bool(self.base) or self.start is not None

    @property
    def locked(self) -> str:
        """The path of the file whose digest locks the genesis."""
        return self.genesis or self.path

    @property
    def shared(self) -> t.Dict[str, int]:
        """The mode of every file that all nodes have, by its path in the volume."""
        own = {self.path: self.mode} if self.path else {}
        given = {one.path: one.mode for one in self.given}
        return {**own, **given, **{one.path: one.mode for one in self.products}}


@dataclass(frozen=True)
class Spec:
    """Everything that a birth depends on. ``hosts``: the Docker hosts that take part, empty when there is only one."""

    cluster: str
    flavor: str
    image: str
    uid: int
    gid: int
    chain_id: int
    nodes: t.Tuple[Node, ...]
    document: Recipe
    hold: t.Tuple[str, ...]
    lease: int
    concurrency: int
    hosts: t.Tuple[str, ...] = ()
    # The label of the spec file; empty when nobody says.
    origin: str = ""

    def reaches(self, node: Node) -> bool:
        """Whether the node's Docker host takes part."""
        return not self.hosts or node.host in self.hosts

    @property
    def powers(self) -> t.Dict[str, int]:
        """Voting power by node, validators only."""
        return {node.name: node.power for node in self.nodes if node.votes}


@dataclass(frozen=True)
class Volume:
    """A volume that carries a genesis. ``identities`` are those of the validators, ``host`` is the Docker host that it is on."""

    name: str
    node: str
    role: str
    digest: str
    identity: str
    chain_id: int
    powers: t.Mapping[str, int]
    identities: t.Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    held: Held = field(default_factory=Held)


@dataclass(frozen=True)
class Plan:
    """``newborn``: the nodes to be made; ``digest`` and ``source``: the genesis that they join, None for a new one.

    ``secrets`` are the marks of the keys that are there, by node.
    """

    newborn: t.Tuple[Node, ...] = ()
    digest: t.Optional[str] = None
    source: t.Optional[Volume] = None
    powers: t.Mapping[str, int] = field(default_factory=dict)
    identities: t.Mapping[str, str] = field(default_factory=dict)
    warnings: t.Tuple[str, ...] = ()
    secrets: t.Mapping[str, t.AbstractSet[str]] = field(default_factory=dict)


def spec_from(params: t.Mapping[str, t.Any], hosts: t.Collection[str] = ()) -> Spec:
    """The module's options as a spec; raises :class:`Refused` when they cannot be meant. ``hosts`` are those that take part."""
    uid, gid = owner_from(params["user"])
    nodes = tuple(_node_from(item, bool(hosts)) for item in params["nodes"])
    for what, values in (("node", [node.name for node in nodes]), ("volume", [node.volume for node in nodes])):
        for value in values:
            if values.count(value) > 1:
                raise Refused(f"genesis of {params['cluster']}: {what} {value} is listed twice: list it once")
    supplied = {node.name: {one for file in node.files if file.is_key for one in key_marks(file.content or b"", "")} for node in nodes}
    check_twins(supplied)
    document = _recipe_from(params["document"])
    if document.locked not in document.shared:
        raise Refused(
            f"genesis of {params['cluster']}: nothing makes {document.locked or 'a document'}: give document.path, or name in "
            "document.genesis the path of a file in document.given or document.products"
        )
    if document.assembled and not any(node.votes for node in nodes):
        raise Refused(
            f"genesis of {params['cluster']}: no node votes, and a chain without a validator makes no blocks: "
            "give the spec at least one validator"
        )
    return Spec(
        cluster=params["cluster"],
        flavor=params.get("flavor") or "",
        image=params["image"],
        uid=uid,
        gid=gid,
        chain_id=params["chain_id"],
        nodes=nodes,
        document=document,
        hold=tuple(params["hold"]),
        lease=params["lease"],
        concurrency=params["concurrency"],
        hosts=tuple(sorted(hosts)),
        origin=params.get("origin") or "",
    )


def _recipe_from(given: t.Mapping[str, t.Any]) -> Recipe:
    return Recipe(
        base=given.get("base") or "",
        path=_inside(given.get("path") or ""),
        mode=mode_from(given.get("mode"), 0o444),
        append=tuple(given.get("append") or []),
        collect=tuple((item["source"], item["into"]) for item in given.get("collect") or []),
        merge=given.get("merge") or {},
        validate=tuple(given.get("validate") or []),
        start=given.get("start"),
        given=tuple(
            Given(_inside(item["path"]), item["content"].encode(), mode_from(item.get("mode"), 0o444)) for item in given.get("given") or []
        ),
        products=tuple(
            Product(tuple(item["argv"]), item["source"], _inside(item["path"]), mode_from(item.get("mode"), 0o444), item.get("image") or "")
            for item in given.get("products") or []
        ),
        genesis=_inside(given.get("genesis") or ""),
    )


def _node_from(item: t.Mapping[str, t.Any], hosted: bool) -> Node:
    power = item.get("voting_power") or 0
    if power < 0:
        raise Refused(f"{item['name']}: voting power {power} is negative: use 0 for a node that does not vote")
    return Node(
        name=item["name"],
        role=item["role"],
        volume=item["volume"],
        power=power,
        commands=tuple(Command(tuple(command["argv"]), bool(command.get("quiet"))) for command in item.get("commands") or []),
        identity=tuple(item.get("identity") or []),
        files=tuple(_take_from(file) for file in item.get("files") or []),
        host=item.get("host") or "" if hosted else "",
        known_as=item.get("known_as") or "",
        needs_keys=bool(item.get("needs_keys")),
    )


def _take_from(item: t.Mapping[str, t.Any]) -> Take:
    content = item.get("content")
    return Take(
        item.get("source") or "", _inside(item["path"]), mode_from(item.get("mode"), 0o400), None if content is None else content.encode()
    )


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise Refused(
            f"genesis: the path {path} must be relative to the root of the volume, without ..: write for example config/genesis.json"
        )
    return path


def volume_from(item: t.Mapping[str, t.Any], flavor: str, host: str = "") -> t.Optional[Volume]:
    """A volume of the Engine's list as a volume with a genesis, None when it carries none (of this flavor).

    Other volumes of a node only name the genesis that they belong to.
    """
    marks = item.get("Labels") or {}
    if not marks.get(labels.GENESIS) or labels.BIRTH not in marks or marks.get(labels.FLAVOR, "") != flavor:
        return None
    try:
        birth = json.loads(marks[labels.BIRTH])
        return Volume(
            name=item["Name"],
            node=marks[labels.NODE],
            role=marks[labels.ROLE],
            digest=marks[labels.GENESIS],
            identity=marks.get(labels.IDENTITY, ""),
            chain_id=int(birth["chain_id"]),
            powers={str(name): int(power) for name, power in birth["validators"].items()},
            identities={str(name): str(identity) for name, identity in (birth.get("identities") or {}).items()},
            host=host,
            held=held_from(marks),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused(
            f"volume {item['Name']}: its labels of a genesis are damaged: look at them (docker volume inspect {item['Name']}) "
            "and restore the volume with its labels from a backup; it may hold keys"
        ) from None


def plan(spec: Spec, volumes: t.Sequence[Volume]) -> Plan:
    """What is to be made so that every node of ``spec`` has a volume of one genesis; raises :class:`Refused` where that cannot be."""
    away = [node for node in spec.nodes if not spec.reaches(node)]
    if not volumes:
        if away:
            raise Refused(
                f"genesis of {spec.cluster}: it is made on all Docker hosts at once, and those of {_names(away)} are not in this run: "
                "deploy once without --limit"
            )
        lacking = [node for node in spec.nodes if node.needs_keys and not node.known_as]
        if lacking:
            raise Refused(
                f"{_names(lacking)}: the genesis that is brought names the keys of its validators, and theirs are not brought: "
                "bring them too, or let the genesis be made"
            )
        return Plan(newborn=spec.nodes, powers=spec.powers)
    purge = f"or purge the cluster to start a new chain (teardown with -e teardown_purge=true -e confirm={spec.cluster})"
    _one_genesis(volumes, purge)
    born = volumes[0]
    present = {volume.node: volume for volume in volumes}
    if born.chain_id != spec.chain_id:
        raise Refused(
            f"chain_id {spec.chain_id}: the genesis of {spec.cluster} was made for {born.chain_id}, and a chain keeps its id: "
            f"set chain_id back to {born.chain_id}, {purge}"
        )
    for node in spec.nodes:
        _fits(node, born, present.get(node.name), purge, spec.reaches(node))
    gone = {name: power for name, power in born.powers.items() if name not in spec.powers}
    warnings = []
    if gone:
        names = ", ".join(sorted(gone))
        left, total = sum(born.powers.values()) - sum(gone.values()), sum(born.powers.values())
        if 3 * left <= 2 * total:
            raise Refused(
                f"{names}: validators of the genesis that the spec lacks; the others hold {left} of {total} voting power and the chain "
                f"needs more than two thirds: put them back into the spec, {purge}"
            )
        warnings.append(
            f"{names}: still validators of the genesis, though not in the spec; "
            f"the chain counts their voting power ({total - left} of {total}) as absent"
        )
    identities = {**born.identities, **{node.name: present[node.name].identity for node in spec.nodes if node.name in present}}
    strangers = [node for node in away if node.votes and node.name not in identities]
    if strangers:
        raise Refused(
            f"{_names(strangers)}: validators on Docker hosts that are not in this run, and the volumes that are do not name their "
            "identities: run without --limit"
        )
    return Plan(
        newborn=tuple(node for node in spec.nodes if node.name not in present and spec.reaches(node)),
        digest=born.digest,
        source=born,
        powers=born.powers,
        identities={node.name: identities[node.name] for node in spec.nodes if node.name in identities},
        warnings=tuple(warnings),
        secrets={volume.node: volume.held.secrets for volume in volumes},
    )


def _names(nodes: t.Sequence[Node]) -> str:
    return ", ".join(node.name for node in nodes)


def _one_genesis(volumes: t.Sequence[Volume], purge: str) -> None:
    by_digest: t.Dict[str, t.List[str]] = {}
    for volume in volumes:
        by_digest.setdefault(volume.digest, []).append(volume.name)
    if len(by_digest) > 1:
        listed = "; ".join(f"{digest[:12]}: {', '.join(sorted(names))}" for digest, names in sorted(by_digest.items()))
        raise Refused(
            f"volumes of {len(by_digest)} different geneses ({listed}): keep one: back the others' volumes up and move them away, {purge}"
        )


def _fits(node: Node, born: Volume, present: t.Optional[Volume], purge: str, reached: bool) -> None:
    power = born.powers.get(node.name)
    if present and present.host != node.host:
        raise Refused(
            f"{node.name}: its data are on the Docker host {present.host}, the spec puts it on {node.host}, and data do not move: "
            f"set its host back to {present.host}, {purge}"
        )
    if present and present.name != node.volume:
        raise Refused(
            f"{node.name}: its data are in volume {present.name}, the spec asks for {node.volume}: "
            f"set container_name back so that the names agree, {purge}"
        )
    if present and node.known_as and present.identity != node.known_as:
        raise Refused(
            f"{node.name}: the keys that are brought for it ({node.known_as[:18]}...) are not those in its volume "
            f"({present.identity[:18]}...), and a node keeps its keys: bring the old ones, {purge}"
        )
    if node.votes and power is None:
        raise Refused(
            f"{node.name}: is a validator in the spec and not in the genesis of {born.digest[:12]}: validators are chosen at birth: "
            f"make it a fullnode, {purge}"
        )
    if not node.votes and power is not None:
        raise Refused(
            f"{node.name}: is a validator of the genesis and has another role ({node.role}) in the spec: make it a validator again, {purge}"
        )
    if node.votes and power != node.power:
        raise Refused(
            f"{node.name}: voting power {node.power} in the spec, {power} in the genesis: set it back to {power} "
            f"(a running chain changes it by its own transactions), {purge}"
        )
    if node.votes and reached and present is None:
        raise Refused(
            f"{node.name}: its volume {node.volume} is gone, and its validator key with it: restore the volume from a backup "
            f"with its labels, or leave {node.name} out of the spec while the others hold more than two thirds of the voting power, {purge}"
        )


# ---------------------------------------------------------------------------------------------------------------------------------
# The document


def part_of(spec: Spec, node: Node, read: t.Callable[[str], bytes]) -> Data:
    """What a voting node gives to the genesis document, all of it public. ``read`` gives a file of the birth by its absolute path."""
    recipe = spec.document
    own = _json(recipe.base, node.name, read) if recipe.base else dict(recipe.start or {})
    first = next(one for one in spec.nodes if one.votes)
    return {
        "base": own if node.name == first.name else None,
        "append": {path: _list(own, path) for path in recipe.append},
        "collect": [_json(source, node.name, read) for source, _into in recipe.collect],
    }


def assemble_document(spec: Spec, parts: t.Mapping[str, Data]) -> bytes:
    """The genesis document of all voting nodes; ``parts`` are those of :func:`part_of` by node. The same parts give the same bytes."""
    recipe = spec.document
    voters = [node.name for node in spec.nodes if node.votes]
    document = copy.deepcopy(parts[voters[0]]["base"])
    for name in voters[1:]:
        for path in recipe.append:
            _list(document, path).extend(parts[name]["append"][path])
    for number, (_source, into) in enumerate(recipe.collect):
        _list(document, into).extend(parts[name]["collect"][number] for name in voters)
    return (json.dumps(merged(document, recipe.merge), indent=1, ensure_ascii=False) + "\n").encode()


def _json(template: str, node: str, read: t.Callable[[str], bytes]) -> Data:
    path = template.replace("{node}", node)
    try:
        value = json.loads(read(path))
    except ValueError as exc:
        raise BirthFailed(f"{node}: {path} is not JSON ({exc}): the tool of this image makes another kind of genesis") from exc
    if not isinstance(value, dict):
        raise BirthFailed(f"{node}: {path} is not a JSON object: the tool of this image makes another kind of genesis")
    return value


def _list(document: Data, path: str) -> t.List[t.Any]:
    current: t.Any = document
    for key in path.split("."):
        current = current.get(key) if isinstance(current, dict) else None
    if not isinstance(current, list):
        raise BirthFailed(f"genesis: {path} is not a list in the document: the tool of this image makes another kind of genesis")
    return current


def check_distinct(identities: t.Mapping[str, str]) -> None:
    """Raise :class:`Refused` when two nodes have the same identity: each would take the other's place in the network."""
    owners: t.Dict[str, str] = {}
    for name, identity in identities.items():
        other = owners.setdefault(identity, name) if identity else name
        if other != name:
            raise Refused(f"{name}: has the identity of {other} ({identity[:18]}...): give each node keys of its own; no genesis was made")


def check_twins(keys: t.Mapping[str, t.AbstractSet[str]]) -> None:
    """Raise :class:`Refused` when two nodes have a key in common; ``keys`` are the marks of each node's."""
    for one, other in twins(keys):
        raise Refused(
            f"{one} and {other}: have a key in common, and two nodes that sign with one key halt or fork a chain: "
            "give each node keys of its own; no genesis was made"
        )


def merged(base: t.Mapping[str, t.Any], more: t.Mapping[str, t.Any]) -> Data:
    """``base`` with ``more`` laid over it: objects are merged, everything else is replaced."""
    result = dict(base)
    for key, value in more.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, t.Mapping) else value
    return result


def digest_of(document: bytes) -> str:
    """The digest that locks a genesis: what ``sha256sum`` says of its file."""
    return hashlib.sha256(document).hexdigest()


def volume_labels(
    spec: Spec, node: Node, digest: str, identities: t.Mapping[str, str], powers: t.Mapping[str, int], held: t.Optional[Held] = None
) -> t.Dict[str, str]:
    """Labels of a node's volume: they are the genesis lock. ``identities`` are those of all nodes that are known."""
    validators = {name: identities[name] for name in powers if name in identities}
    birth = json.dumps({"chain_id": spec.chain_id, "validators": dict(powers), "identities": validators}, separators=(",", ":"))
    identity = identities[node.name]
    more = {"genesis": digest, "identity": identity, "birth": birth}
    if held:
        more["held"] = held.text()
    if spec.origin:
        more["origin"] = spec.origin
    return labels.own(spec.cluster, "volume", node=node.name, role=node.role, flavor=spec.flavor, **more)
