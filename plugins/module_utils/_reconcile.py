# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile the containers of one Docker host: observe, plan, check, then apply or (in check mode) only tell."""

from __future__ import annotations

import tarfile
import typing as t
from dataclasses import replace

from ansible_collections.gravity.cluster.plugins.module_utils._apply import Applied, Outcome, apply
from ansible_collections.gravity.cluster.plugins.module_utils._aspects import file_digests
from ansible_collections.gravity.cluster.plugins.module_utils._before_start import without_drift
from ansible_collections.gravity.cluster.plugins.module_utils._births import discard_unfinished
from ansible_collections.gravity.cluster.plugins.module_utils._definition import readable_by_all
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ApplyFailed, ClusterError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._image_volumes import left_behind, with_image_volumes
from ansible_collections.gravity.cluster.plugins.module_utils._observed import ABSENT, observe
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems, parse_containers, parse_network
from ansible_collections.gravity.cluster.plugins.module_utils._plan import DEFINING, NONE, STATES, Plan, Request, Step, plan
from ansible_collections.gravity.cluster.plugins.module_utils._preflight import check, check_images, look_around
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

Options = t.Dict[str, t.Dict[str, t.Any]]

PORT: Options = {
    "container": {"type": "int", "required": True},
    "host": {"type": "int"},
    "address": {"type": "str", "default": "127.0.0.1"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "default": "tcp"},
}
VOLUME: Options = {
    "name": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
    "read_only": {"type": "bool", "default": False},
}
BIND: Options = {
    "source": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
    "read_only": {"type": "bool", "default": True},
}
FILE: Options = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str"},
    "secret": {"type": "bool", "default": False},
}
HEALTH: Options = {
    "test": {"type": "raw", "required": True},
    "interval": {"type": "str"},
    "timeout": {"type": "str"},
    "retries": {"type": "int"},
    "start_period": {"type": "str"},
}
LOG: Options = {"max_size": {"type": "str", "default": "10m"}, "max_file": {"type": "int", "default": 3}}
CONTAINER: Options = {
    "name": {"type": "str", "required": True},
    "node": {"type": "str"},
    "role": {"type": "str"},
    "flavor": {"type": "str"},
    "image": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str"},
    "entrypoint": {"type": "list", "elements": "str"},
    "env": {"type": "dict", "default": {}},
    "user": {"type": "str"},
    "hostname": {"type": "str"},
    "network_ip": {"type": "str"},
    "aliases": {"type": "list", "elements": "str", "default": []},
    "ports": {"type": "list", "elements": "dict", "default": [], "options": PORT},
    "volumes": {"type": "list", "elements": "dict", "default": [], "options": VOLUME},
    "tmpfs": {"type": "list", "elements": "str"},
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
    "labels": {"type": "dict", "default": {}},
    "cpus": {"type": "float"},
    "memory": {"type": "str"},
    "pids": {"type": "int"},
    "cap_add": {"type": "list", "elements": "str", "default": []},
    "read_only": {"type": "bool", "default": True},
    "init": {"type": "bool", "default": True},
    "restart": {"type": "str", "default": "unless-stopped"},
    "stop_grace": {"type": "int", "default": 30},
    "stop_signal": {"type": "str"},
    "health": {"type": "dict", "options": HEALTH},
    "log": {"type": "dict", "options": LOG},
    "ulimits": {"type": "dict", "default": {}},
    "sysctls": {"type": "dict", "default": {}},
    "extra_hosts": {"type": "dict", "default": {}},
    "working_dir": {"type": "str"},
    "shm_size": {"type": "str"},
    "group_add": {"type": "list", "elements": "str", "default": []},
    "security_opt": {"type": "list", "elements": "str", "default": []},
    "devices": {"type": "list", "elements": "str", "default": []},
    "gpus": {"type": "str"},
    "binds": {"type": "list", "elements": "dict", "default": [], "options": BIND},
    "genesis": {"type": "str"},
}
NETWORK: Options = {
    "name": {"type": "str", "required": True},
    "subnet": {"type": "str"},
    "gateway": {"type": "str"},
    "driver": {"type": "str", "default": "bridge"},
    "internal": {"type": "bool", "default": False},
    "attachable": {"type": "bool", "default": False},
    "options": {"type": "dict", "default": {}},
    "external": {"type": "bool", "default": False},
    "id": {"type": "str"},
}
# The module's argument spec; its documentation says what each option means.
ARGUMENTS: Options = {
    "cluster": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "default": "started"},
    "network": {"type": "dict", "options": NETWORK},
    "containers": {"type": "list", "elements": "dict", "options": CONTAINER},
    "nodes": {"type": "list", "elements": "str"},
    "prune": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
    "rollback": {"type": "bool", "default": False},
    "adopt_volumes": {"type": "list", "elements": "str", "default": []},
    "concurrency": {"type": "int", "default": 8},
    "stop_grace": {"type": "int"},
    "keep_running": {"type": "list", "elements": "str", "default": []},
    "keep_roles": {"type": "list", "elements": "str", "default": []},
    "origin": {"type": "str", "default": ""},
    "known": {"type": "list", "elements": "str", "default": []},
    "takeover": {"type": "bool", "default": False},
}

# A config file that is longer than this is shown by its digests only (bytes).
LONGEST_SHOWN = 256 * 1024


def reconcile(params: t.Mapping[str, t.Any], engine: Engine, progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The work of module ``containers``; see its documentation for ``params`` and the result.

    Raises :class:`Refused` with nothing changed, or :class:`ApplyFailed` after some of the plan failed; both carry the result.
    """
    problems = Problems()
    request = parse_request(params, problems)
    refuse(problems)
    images = [one.image for one in request.containers] if request.state in DEFINING else []
    volumes = request.purge or request.state in DEFINING
    names = [one.name for one in request.containers]
    observed = observe(engine, request.cluster, images, volumes, request.concurrency, names)
    request = with_image_volumes(request, observed)
    steps = plan(request, observed)
    around = look_around(engine, request.cluster, observed, steps)
    steps, notes = without_drift(engine, request, observed, steps, check_mode, problems)
    check(request, observed, steps, around, problems)
    # In check mode nothing made the images that an earlier task of the same run would have made.
    doubts = Problems()
    check_images(observed, steps, around, doubts if check_mode else problems)
    refuse(problems)
    diff = differences_of(steps, contents(engine, steps) if params.get("diff_mode") else {})
    if check_mode or not steps.changed:
        applied = Applied([Outcome(step, final=step.observed) for step in steps.steps], changed=steps.changed)
    else:
        if request.state == "absent" and request.whole:
            # Without its birth container a half-made genesis would look like a whole one.
            discard_unfinished(engine, request.cluster, request.purge)
        applied = apply(engine, request, observed, steps, progress)
    result = report(steps, applied, diff)
    if applied.failed or applied.failures:
        raise ApplyFailed(failure(request, applied), **result)
    return {**result, "warnings": [*doubts.lines, *notes, *left_behind(steps, request), *applied.warnings]}


def parse_request(params: t.Mapping[str, t.Any], problems: Problems) -> Request:
    """The request in ``params``; mistakes go to ``problems``."""
    items = params.get("containers") or []
    nodes = params.get("nodes")
    state = params.get("state") or "started"
    definitions = parse_containers(items, problems)
    if nodes is not None and items:
        # Names pick from the definitions. A name without one can still be stopped or removed.
        unknown = sorted(set(nodes) - {one.node for one in definitions})
        if unknown and state in DEFINING and not problems.lines:
            problems.add(f"{', '.join(unknown)}: named in `nodes` but not defined in `containers`: correct the name, or add the definition")
        definitions = [one for one in definitions if one.node in nodes]
    if state in ("present", "recreated") and nodes and not items:
        problems.add(f"state {state} needs complete definitions: give `containers`, not only `nodes`")
    if params.get("purge") and state != "absent":
        problems.add("purge removes data and goes only with state absent: leave it out, or set state: absent")
    if params.get("prune") and (nodes is not None or params.get("containers") is None or state not in DEFINING):
        problems.add("prune needs the whole list of `containers`: leave out `nodes`, and stop or remove nodes in a call of its own")
    if params.get("concurrency") is not None and params["concurrency"] < 1:
        problems.add("concurrency: choose at least 1")
    return Request(
        cluster=params["cluster"],
        state=state,
        network=parse_network(params.get("network"), problems),
        containers=tuple(replace(one, origin=params.get("origin") or None) for one in definitions),
        # An empty list names nothing. Only leaving both out means the whole cluster.
        nodes=None if nodes is None and params.get("containers") is None else tuple(nodes or ()),
        prune=bool(params.get("prune")),
        purge=bool(params.get("purge")),
        rollback=bool(params.get("rollback")),
        adopt_volumes=frozenset(params.get("adopt_volumes") or ()),
        concurrency=params.get("concurrency") or 8,
        stop_grace=params.get("stop_grace"),
        keep_running=frozenset(params.get("keep_running") or ()),
        keep_roles=frozenset(params.get("keep_roles") or ()),
        origin=params.get("origin") or "",
        known=frozenset(params.get("known") or ()),
        takeover=bool(params.get("takeover")),
    )


def refuse(problems: Problems) -> None:
    """Raise :class:`Refused` with all problems in one line, if there are any."""
    lines = problems.lines
    if len(lines) == 1:
        raise Refused(f"{lines[0]} (nothing was changed)", problems=lines)
    if lines:
        numbered = "; ".join(f"({number}) {line}" for number, line in enumerate(lines, 1))
        raise Refused(f"{len(lines)} problems, nothing was changed: {numbered}", problems=lines)


def report(steps: Plan, applied: Applied, diff: t.List[t.Dict[str, t.Any]]) -> t.Dict[str, t.Any]:
    """The module's result."""
    network = next(iter(steps.networks), None)
    return {
        "changed": applied.changed,
        "nodes": [line(outcome) for outcome in applied.outcomes],
        "deferred": list(dict.fromkeys(step.node for step in steps.steps if step.deferred)),
        "network": None
        if network is None
        else {
            "name": network.name,
            "action": network.action,
            "reasons": list(network.reasons),
            "error": applied.failures.get(("network", network.name)),
        },
        "volumes": [
            {"name": step.name, "action": step.action, "node": step.node, "error": applied.failures.get(("volume", step.name))}
            for step in steps.volumes
        ],
        "rolled_back": applied.rolled_back,
        "diff": diff,
    }


def line(outcome: Outcome) -> t.Dict[str, t.Any]:
    """One node in the result."""
    step = outcome.step
    return {
        "name": step.node,
        "container": step.container or None,
        "action": step.action,
        "reasons": list(step.reasons),
        "state": ABSENT if outcome.final is None else outcome.final.state,
        "ok": outcome.error is None,
        "error": outcome.error,
        "files": {} if outcome.final is None else file_digests(outcome.final.labels),
    }


def failure(request: Request, applied: Applied) -> str:
    """What failed, what became of the rest, and what to do; one line."""
    parts = []
    failed = applied.failed
    if failed:
        causes: t.Dict[str, t.List[str]] = {}
        for outcome in failed:
            causes.setdefault(str(outcome.error), []).append(outcome.step.node)
        count = f"{len(failed)} of {len(applied.outcomes)} nodes failed"
        parts.append(f"{count}: " + "; ".join(f"{', '.join(nodes)}: {cause}" for cause, nodes in causes.items()))
    parts += [message for _thing, message in sorted(applied.failures.items())]
    if applied.leftovers:
        parts.append("could not be rolled back: " + ", ".join(applied.leftovers))
    if applied.rolled_back:
        parts.append(f"rolled back: {', '.join(sorted(applied.rolled_back))}; fix it and run again")
        return "; ".join(parts)
    fine = [outcome.step.node for outcome in applied.outcomes if outcome.error is None and outcome.step.action != "remove"]
    if request.state in DEFINING and fine:
        verb = "is there" if len(fine) == 1 else "are there"
        if request.state != "present":
            verb = "runs" if len(fine) == 1 else "run"
        parts.append(f"{', '.join(fine)} {verb} and {'is' if len(fine) == 1 else 'are'} left alone")
    hint = ", or add deploy_rollback=true to remove what a run created" if request.state in DEFINING and not request.rollback else ""
    parts.append(f"fix it and run again to continue{hint}")
    return "; ".join(parts)


def contents(engine: Engine, steps: Plan) -> t.Dict[t.Tuple[str, str], str]:
    """(container, path) -> what is in the config files that change and that everybody in their containers may read."""
    found = {}
    for step in steps.steps:
        if step.observed is None:
            continue
        for name in step.changes:
            if not name.startswith("file "):
                continue
            path = name[len("file ") :]
            try:
                files = engine.get(step.observed.id, path)
            except (ClusterError, tarfile.TarError, OSError):
                # It was removed by hand, or lies where the Engine cannot read now.
                continue
            if files and readable_by_all(files[0].mode) and len(files[0].content) <= LONGEST_SHOWN:
                found[step.container, path] = files[0].content.decode("utf-8", "replace")
    return found


def differences_of(steps: Plan, old: t.Mapping[t.Tuple[str, str], str]) -> t.List[t.Dict[str, t.Any]]:
    """Ansible diffs: one per network, volume, container and config file that changes; ``old`` has what files contain now."""
    found: t.List[t.Dict[str, t.Any]] = []
    for thing in (*steps.networks, *steps.volumes):
        if thing.action == NONE:
            continue
        before: t.Dict[str, t.Any] = {name: change[0] for name, change in thing.changes.items()}
        after: t.Dict[str, t.Any] = {name: change[1] for name, change in thing.changes.items()}
        before["exists"], after["exists"] = thing.action != "create", thing.action != "remove"
        if thing.network is not None and thing.action == "create":
            after.update({"subnet": thing.network.subnet, "gateway": thing.network.gateway, "driver": thing.network.driver})
        found.append(headed(f"{thing.kind} {thing.name}", before, after))
    for step in steps.steps:
        if step.action != NONE:
            found.append(container_difference(step))
            found += file_differences(step, old)
    return found


def container_difference(step: Step) -> t.Dict[str, t.Any]:
    """The diff of one container: what changes, and its process."""
    before: t.Dict[str, t.Any] = {"exists": step.observed is not None, "runs": step.observed is not None and step.observed.running}
    after: t.Dict[str, t.Any] = {"exists": step.action != "remove", "runs": step.start}
    if step.action == "create" and step.definition is not None:
        one = step.definition
        after.update({"image": one.image, "address": one.network_ip, "ports": [port.published for port in one.ports if port.host]})
        after.update({f"file {file.path}": "(new)" for file in one.files})
    if step.action == "restart":
        after["restarts"] = True
    for name, (was, becomes) in step.changes.items():
        private = name.startswith(("environment variable ", "file "))
        before[name] = "(set)" if private and was is not None else was
        after[name] = "(changed)" if private and becomes is not None else becomes
    if step.action == "recreate":
        before["container"], after["container"] = str(step.observed.id)[:12] if step.observed else None, "(new)"
    return headed(f"container {step.container}", before, after)


def file_differences(step: Step, old: t.Mapping[t.Tuple[str, str], str]) -> t.List[t.Dict[str, t.Any]]:
    """Text diffs of the config files of a step whose old content is known."""
    files = step.definition.files if step.definition else ()
    known = [file for file in files if file.shown and (step.container, file.path) in old]
    return [headed(f"{step.container}:{file.path}", old[step.container, file.path], file.content) for file in known]


def headed(title: str, before: t.Any, after: t.Any) -> t.Dict[str, t.Any]:
    """One entry of Ansible's diff."""
    return {"before_header": title, "after_header": title, "before": before, "after": after}
