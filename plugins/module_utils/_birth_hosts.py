# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one genesis on several Docker hosts, in phases; every host has done one before any begins the next.

1. look: tell what is there. Nothing is changed.
2. make: make the nodes of this host in its birth container. Their keys stay in it; what the others need is public and is returned.
3. share: one host puts the document together from the public parts of all, and makes the files that all nodes share.
4. fill: fill the volumes of this host. From then on the birth container carries the digest in its name.
5. commit: remove the birth container, which makes the volumes valid.

A run that is killed leaves birth containers. One that carries the digest of a genesis that is valid on any host belongs to it, and its
volumes become valid too: all hosts were filled when the first one committed. Any other is discarded, with the volumes that it lists.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._birth import (
    Made,
    check_names,
    give_up,
    open_birth,
    read_shared,
    result_of,
    write_volumes,
)
from ansible_collections.gravity.cluster.plugins.module_utils._birth_check import check_volumes, marks_without_labels
from ansible_collections.gravity.cluster.plugins.module_utils._birth_tool import Maker
from ansible_collections.gravity.cluster.plugins.module_utils._births import (
    Leftover,
    discard,
    filled_name,
    find_births,
    is_held,
    remove_container,
    writer_name,
)
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import BirthFailed, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._genesis import (
    Node,
    Plan,
    Shared,
    Spec,
    Volume,
    check_distinct,
    digest_of,
    part_of,
    plan,
    spec_from,
    volume_from,
)
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

Data = t.Dict[str, t.Any]
Params = t.Mapping[str, t.Any]


def look(params: Params, engine: Engine, _progress: Progress, check_mode: bool) -> Data:
    """``valid``: the volumes of a valid genesis; ``filled``: digest -> those of a birth that was only not committed. With their labels.

    ``keys``: by node, the marks of keys that no label names.
    """
    births = find_births(engine, params["cluster"])
    with engine.translating("listing volumes"):
        items = engine.api.volumes(filters=labels.select(params["cluster"], "volume")).get("Volumes") or []
    found = {item["Name"]: {"Name": item["Name"], "Labels": item.get("Labels") or {}} for item in items}
    pending = {name for birth in births for name in birth.volumes}
    filled = {birth.digest: [found[name] for name in birth.volumes if name in found] for birth in births if birth.digest}
    valid = [found[name] for name in sorted(found) if name not in pending]
    spec = spec_from(params)
    keys = marks_without_labels(engine, spec, _volumes(spec, {"": valid}), check_mode)
    return {"changed": False, "valid": valid, "filled": filled, "keys": {node: sorted(marks) for node, marks in keys.items()}}


def make(params: Params, engine: Engine, progress: Progress, check_mode: bool) -> Data:
    """Clean up after a run that was killed; make this host's new nodes. ``hosts`` holds what every host said to ``look``.

    Returns ``valid`` (the volumes of this host that are valid now) and what the others need to know: ``identities``, ``parts`` by node, the
    files that are ``shared`` in a genesis that nodes join. When nothing is to be made on any host, the module's whole result is there too.
    """
    looks = params["hosts"]
    spec = spec_from(params, looks)
    valid = settled(looks)
    decided = plan(spec, _volumes(spec, valid))
    cleaned = check_mode or _clean(engine, spec, _digests(looks))
    here = _volumes(spec, {params["host"]: valid[params["host"]]})
    repaired = check_volumes(engine, spec, here, check_mode, _keys_elsewhere(spec, params["host"], valid, looks))
    own = _own(params, decided)
    newborn = [node.name for node in decided.newborn]
    result: Data = {"newborn": newborn, "valid": valid[params["host"]], "identities": {}, "parts": {}, "shared": {}}
    if check_mode or not decided.newborn:
        return {**result, **result_of(spec, decided, None, bool(cleaned) and not check_mode, repaired)}
    if decided.source and decided.source.host == params["host"]:
        result["shared"] = _texts(read_shared(engine, spec, decided.source))
    if own:
        result.update(_make_nodes(engine, spec, own, progress))
    return {**result, "changed": True}


def share(params: Params, engine: Engine, progress: Progress, check_mode: bool) -> Data:
    """Make the files that all nodes of a new genesis share, on the Docker host of its first node.

    ``hosts`` holds what every host returned from ``make``. Returns what this host returned from it, there with ``shared``.
    """
    made = params["hosts"]
    own = {key: made[params["host"]].get(key) for key in ("newborn", "valid", "identities", "parts", "shared")}
    spec = spec_from(params, made)
    decided = plan(spec, _volumes(spec, {host: one["valid"] for host, one in made.items()}))
    if check_mode or not decided.newborn or decided.source or params["host"] != _first(decided).host:
        return {**own, "changed": False}
    check_distinct(_identities(decided, made))
    birth = _own_birth(engine, spec, _own(params, decided))
    try:
        shared = Maker(engine, spec, birth, progress).share(
            {node: json.loads(part) for one in made.values() for node, part in one["parts"].items()}
        )
    except BaseException:
        give_up(engine, birth, writer_name(_birth_name(spec)), _own(params, decided))
        raise
    return {**own, "shared": _texts(shared), "changed": True}


def fill(params: Params, engine: Engine, progress: Progress, check_mode: bool) -> Data:
    """Fill the volumes of this host's new nodes. ``hosts`` holds what every host returned from ``share``. Returns the module's result."""
    made = params["hosts"]
    spec = spec_from(params, made)
    decided = plan(spec, _volumes(spec, {host: one["valid"] for host, one in made.items()}))
    if check_mode or not decided.newborn:
        return result_of(spec, decided, None, False)
    shared = {path: text.encode() for one in made.values() for path, text in one["shared"].items()}
    digest = digest_of(shared[spec.document.locked])
    if decided.digest not in (None, digest):
        raise BirthFailed(f"genesis of {spec.cluster}: it changed on its way between the Docker hosts: run again")
    all_made = Made(digest, _identities(decided, made), {})
    check_distinct(all_made.identities)
    own = _own(params, decided)
    if own:
        _fill_volumes(engine, spec, dataclasses.replace(decided, newborn=own), shared, all_made, progress)
    return result_of(spec, decided, all_made, False)


def commit(params: Params, engine: Engine, _progress: Progress, check_mode: bool) -> Data:
    """Make the volumes of this host valid. ``hosts`` holds what every host returned from ``fill``."""
    digests = {one["digest"] for one in params["hosts"].values()}
    if len(digests) > 1:
        raise BirthFailed(
            f"genesis of {params['cluster']}: the Docker hosts put different documents together: no genesis was made; run again"
        )
    ready = [] if check_mode else [birth for birth in find_births(engine, params["cluster"]) if _belongs(birth, digests)]
    for birth in ready:
        remove_container(engine, birth.id)
    return {"changed": bool(ready)}


def settled(looks: t.Mapping[str, Data]) -> t.Dict[str, t.List[Data]]:
    """The volumes that are valid on each host, once all births that belong to a valid genesis are committed. Pure."""
    digests = _digests(looks)
    valid = {}
    for host, one in looks.items():
        valid[host] = list(one["valid"])
        for digest, volumes in one["filled"].items():
            if _prefix_of_any(digest, digests):
                valid[host] += volumes
    return valid


def _digests(looks: t.Mapping[str, Data]) -> t.Set[str]:
    """Digests of the geneses that are valid on any host."""
    found = {volume["Labels"].get(labels.GENESIS) or "" for one in looks.values() for volume in one["valid"]}
    return found - {""}


def _prefix_of_any(prefix: str, digests: t.Collection[str]) -> bool:
    return any(digest.startswith(prefix) for digest in digests)


def _belongs(birth: Leftover, digests: t.Collection[str]) -> bool:
    return bool(birth.digest) and _prefix_of_any(birth.digest, digests)


def _volumes(spec: Spec, items: t.Mapping[str, t.Sequence[Data]]) -> t.List[Volume]:
    found = [volume_from(item, spec.flavor, host) for host, listed in items.items() for item in listed]
    return sorted((volume for volume in found if volume), key=lambda volume: (volume.host, volume.name))


def _keys_elsewhere(spec: Spec, host: str, valid: t.Mapping[str, t.Sequence[Data]], looks: t.Mapping[str, Data]) -> t.Dict[str, t.Set[str]]:
    """The marks of the keys on the other Docker hosts by node: those that labels name, and those that were read."""
    keys: t.Dict[str, t.Set[str]] = {}
    others = _volumes(spec, {other: listed for other, listed in valid.items() if other != host})
    for volume in others:
        keys[volume.node] = set(volume.held.secrets)
    for other, one in looks.items():
        for node, marks in one.get("keys", {}).items() if other != host else ():
            keys.setdefault(node, set()).update(marks)
    return keys


def _first(decided: Plan) -> Node:
    """The node on whose Docker host the shared files of a new genesis are made."""
    return next((node for node in decided.newborn if node.votes), decided.newborn[0])


def _identities(decided: Plan, made: t.Mapping[str, Data]) -> t.Dict[str, str]:
    identities = dict(decided.identities)
    for one in made.values():
        identities.update(one["identities"])
    return identities


def _texts(shared: t.Mapping[str, bytes]) -> t.Dict[str, str]:
    return {path: content.decode() for path, content in shared.items()}


def _own(params: Params, decided: Plan) -> t.Tuple[Node, ...]:
    return tuple(node for node in decided.newborn if node.host == params["host"])


def _clean(engine: Engine, spec: Spec, digests: t.Collection[str]) -> bool:
    """Commit or discard what a run that was killed has left; whether there was any."""
    births = find_births(engine, spec.cluster)
    for birth in births:
        if _belongs(birth, digests):
            remove_container(engine, birth.id)
        elif is_held(birth):
            raise Refused(f"{birth.name}: another run is making the genesis of {spec.cluster}: wait until it ends")
        else:
            discard(engine, birth)
    return bool(births)


def _make_nodes(engine: Engine, spec: Spec, own: t.Sequence[Node], progress: Progress) -> Data:
    check_names(engine, own)
    name = _birth_name(spec)
    birth = open_birth(engine, spec, name, own)
    if birth is None:
        raise Refused(f"{name}: another run is making the genesis of {spec.cluster}: wait until it ends")
    try:
        maker = Maker(engine, spec, birth, progress)
        maker.start()
        identities = maker.nodes(own)
        work = maker.look()
        # As text: what lies between the hosts must not change a byte of it.
        parts = {node.name: json.dumps(part_of(spec, node, work.read)) for node in own if maker.contributes(node)}
    except BaseException:
        give_up(engine, birth, writer_name(name), own)
        raise
    return {"identities": identities, "parts": parts}


def _birth_name(spec: Spec) -> str:
    return f"{spec.cluster}-birth"


def _own_birth(engine: Engine, spec: Spec, own: t.Sequence[Node]) -> str:
    """The id of the birth container that makes the nodes ``own``."""
    name, wanted = _birth_name(spec), {node.volume for node in own}
    birth = next((one for one in find_births(engine, spec.cluster) if one.name == name and set(one.volumes) == wanted), None)
    if birth is None:
        raise BirthFailed(
            f"{name}: is gone: another run has begun to make the genesis of {spec.cluster}; wait until it ends, and run again"
        )
    return birth.id


def _fill_volumes(engine: Engine, spec: Spec, decided: Plan, shared: Shared, made: Made, progress: Progress) -> None:
    name = _birth_name(spec)
    birth = _own_birth(engine, spec, decided.newborn)
    try:
        files = Maker(engine, spec, birth, progress).look().files(spec, decided.newborn, shared)
        progress.say(f"writing {len(decided.newborn)} volumes")
        write_volumes(engine, spec, decided, dataclasses.replace(made, files=files), writer_name(name))
        with engine.translating(f"renaming {name}"):
            engine.api.rename(birth, filled_name(name, made.digest))
    except BaseException:
        give_up(engine, birth, writer_name(name), decided.newborn)
        raise


PHASES: t.Mapping[str, t.Callable[[Params, Engine, Progress, bool], Data]] = {
    "look": look,
    "make": make,
    "share": share,
    "fill": fill,
    "commit": commit,
}
