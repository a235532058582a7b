# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in nodes: the module ``node_exec``."""

from __future__ import annotations

import functools
import shlex
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _labels
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError, Refused
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import Owner, name_of
from ansible_collections.gravity.cluster.plugins.module_utils._probes import at_once
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress


def execute(params: t.Mapping[str, t.Any], engine: Engine, _progress: Progress, check_mode: bool) -> t.Dict[str, t.Any]:
    """The module ``node_exec``."""
    command = parse_command(params["command"])
    if params["timeout"] <= 0:
        raise Refused(f"timeout {params['timeout']} is not a time: give more than 0 seconds")
    entries = find_nodes(engine, params["cluster"], params["nodes"])
    if check_mode:
        return {"changed": False, "skipped": True, "msg": "check mode: the command was not run", "nodes": {}}
    for name, entry in entries.items():
        if entry is None:
            raise Refused(f"{name} has no container in cluster {params['cluster']}: deploy it first")
        if entry["State"] != "running":
            raise Refused(f"{name} does not run (its container is {entry['State']}): start it first")
    works = {
        name: functools.partial(run_command, engine, name, entry["Id"], command, params["user"])
        for name, entry in entries.items()
        if entry is not None
    }
    done = at_once(works, params["timeout"])
    # at_once leaves out what did not end in time.
    late = f"did not end within {params['timeout']} s and may still run in the container"
    results = {name: done.get(name, {"rc": None, "stdout": "", "stderr": "", "error": late}) for name in works}
    failed = {name: result for name, result in results.items() if result["rc"] != 0}
    if failed:
        raise ClusterError(failure(failed, command), changed=True, nodes=results)
    return {"changed": True, "nodes": results}


def failure(failed: t.Mapping[str, t.Mapping[str, t.Any]], command: t.Sequence[str]) -> str:
    """One line that says in which nodes ``command`` failed and how."""
    parts = []
    for name, result in failed.items():
        said = (result["stderr"].strip() or result["stdout"].strip()).splitlines()
        last = f" ({said[-1][:200]})" if said else ""
        parts.append(f"{name}: {result['error']}" if result["error"] else f"{name}: ended with {result['rc']}{last}")
    return f"{shlex.join(command)[:200]} failed: {'; '.join(parts)}"


def run_command(engine: Engine, node: str, container: str, command: t.Sequence[str], user: t.Optional[str]) -> t.Dict[str, t.Any]:
    """Run ``command`` in a container: ``{rc, stdout, stderr, error}``; ``error`` says why there is no exit code, else it is None."""
    try:
        with engine.translating(f"running a command in {node}"):
            code, stdout, stderr = engine.run_in(container, command, user=user or "")
    except ClusterError as exc:
        return {"rc": None, "stdout": "", "stderr": "", "error": exc.message}
    error = "the Engine does not tell its exit code" if code is None else None
    return {"rc": code, "stdout": stdout.decode("utf-8", "replace"), "stderr": stderr.decode("utf-8", "replace"), "error": error}


def find_nodes(engine: Engine, cluster: str, names: t.Optional[t.Sequence[str]]) -> t.Dict[str, t.Optional[t.Mapping[str, t.Any]]]:
    """The Engine's list entries of the nodes ``names`` (None: of all nodes that have a container); None for one without container."""
    # A killed run leaves two containers of a node; the one that has the node's own place counts.
    entries = sorted(Owner(engine, cluster).list("node"), key=lambda entry: len(name_of(entry)), reverse=True)
    found = {str(entry["Labels"].get(_labels.NODE, name_of(entry))): entry for entry in entries}
    wanted = sorted(found) if names is None else list(dict.fromkeys(names))
    return {name: found.get(name) for name in wanted}


def parse_command(raw: t.Any) -> t.List[str]:
    """The words of a command that is given as a list, or as a string with the quoting of a shell."""
    try:
        words = shlex.split(raw) if isinstance(raw, str) else [str(word) for word in raw]
    except (ValueError, TypeError) as exc:
        raise Refused(f"command {raw!r} cannot be split into words ({exc}): close its quotes, or give a list") from None
    if not words or not words[0]:
        raise Refused("command is empty: give a list of words, or a string")
    return words
