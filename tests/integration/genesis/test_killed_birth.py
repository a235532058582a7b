# SPDX-License-Identifier: GPL-3.0-or-later
"""A birth that is killed at any moment, and two births at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _births as births
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine

from .conftest import Stored, document_of, toy_node, with_nodes

Run = Callable[..., dict[str, Any]]
Start = Callable[..., subprocess.Popen[str]]
Objects = Callable[[str], dict[str, Any]]

# Runs the module in a process that kills itself right after its n-th request that changes something (of calls of the chain's tool,
# only the first counts). The state of the Engine after one such request is the state before the next, so this covers every moment.
KILLER = """
import json, os, signal, sys, threading
import docker
from ansible_collections.gravity.cluster.plugins.module_utils._birth import ensure
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress

options, fatal = json.loads(sys.argv[1]), int(sys.argv[2])
send, count, calls, lock = docker.APIClient.send, 0, 0, threading.Lock()

def counted(self, request, **kwargs):
    global count, calls
    if request.method == "GET":
        return send(self, request, **kwargs)
    with lock:
        if "/exec" not in request.url or not calls:
            count += 1
            calls += "/exec" in request.url
            print(count, request.method, request.path_url.split("?")[0], flush=True)
        answer = send(self, request, **kwargs)
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

docker.APIClient.send = counted
ensure(options, Engine(options_from({})), Progress(), False)
print("done")
"""

COLLECTIONS = Path(__file__).resolve().parents[3] / ".venv" / "collections"


def complete(options: dict[str, Any]) -> dict[str, Any]:
    """Options with the defaults that the module's edge would set."""
    document = {"merge": {}, **options["document"]}
    defaults = {"user": "10001:10001", "hold": ["sleep", "{lease}"], "lease": 60, "concurrency": 1}
    return {**defaults, **options, "document": document}


def killed_at(options: dict[str, Any], request: int) -> tuple[bool, str]:
    """Run until the given request; whether the run was killed, and the requests that it made."""
    done = subprocess.run(
        [sys.executable, "-c", KILLER, json.dumps(complete(options)), str(request)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0, done.stdout


def check_whole(options: dict[str, Any], result: dict[str, Any], look: Callable[[str], dict[str, Stored]], objects: Objects) -> None:
    """Everything of one genesis is there, and nothing else."""
    assert not result.get("failed"), result
    assert objects(options["cluster"])["containers"] == []
    assert set(objects(options["cluster"])["volumes"]) == set(result["volumes"].values())
    stored = [look(volume) for volume in result["volumes"].values()]
    assert len({one["config/genesis.json"] for one in stored}) == 1
    assert document_of(stored[0])["accounts"] == ["node_0", "node_1"]
    assert len({one["config/key"] for one in stored}) == len(stored)


def test_killed_after_any_request(run_module: Run, chain: dict[str, Any], look: Any, objects: Objects, engine: Engine) -> None:
    _killed, requests = killed_at(chain, 0)
    total = len(requests.splitlines()) - 1
    assert total >= 10, requests
    for number in range(1, total + 1):
        for volume in objects(chain["cluster"])["volumes"]:
            engine.api.remove_volume(volume)
        killed, requests = killed_at(chain, number)
        assert killed, requests
        result = run_module("genesis", chain)
        # The last request removes the record of the birth: after it, all is there.
        assert result["changed"] == (number < total)
        check_whole(chain, result, look, objects)


def test_killed_while_another_image_makes_a_file(
    run_module: Run, chain: dict[str, Any], look: Any, objects: Objects, engine: Engine, tiny_image: str
) -> None:
    argv = ["sh", "-c", "sleep 0.2; cp {document} {output}"]
    chain["document"]["products"] = [{"image": tiny_image, "argv": argv, "source": "/birth/copy", "path": "config/copy"}]
    _killed, requests = killed_at(chain, 0)
    numbered = [line.split() for line in requests.splitlines()[:-1]]
    creations = [int(number) for number, _method, path in numbered if path.endswith("/containers/create")]
    # The birth container is the first, the maker the second, the writer of the volumes the third.
    assert len(creations) == 3
    for number in range(creations[1], creations[2]):
        for volume in objects(chain["cluster"])["volumes"]:
            engine.api.remove_volume(volume)
        killed, requests = killed_at(chain, number)
        assert killed, requests
        assert any(name.endswith("-birth") for name in objects(chain["cluster"])["containers"])
        check_whole(chain, run_module("genesis", chain), look, objects)


def test_killed_while_a_full_node_joins(run_module: Run, chain: dict[str, Any], look: Any, objects: Objects) -> None:
    first = run_module("genesis", chain)
    more = with_nodes(chain, *chain["nodes"], toy_node(chain["cluster"], "full_1"))
    for number in (1, 4, 7, 9):
        killed, requests = killed_at(more, number)
        assert killed, requests
        # What lives is not touched: the others go on without the newcomer.
        again = run_module("genesis", chain)
        assert again["digest"] == first["digest"]
        check_whole(chain, again, look, objects)
    joined = run_module("genesis", more)
    assert joined["digest"] == first["digest"]
    check_whole(more, joined, look, objects)


@pytest.mark.parametrize("purge", [False, True])
def test_teardown_after_a_kill_leaves_no_half_genesis(
    run_module: Run, chain: dict[str, Any], look: Any, objects: Objects, purge: bool
) -> None:
    _killed, requests = killed_at(chain, 7)
    assert "/volumes/create" in requests
    assert objects(chain["cluster"])["volumes"] != {}
    result = run_module("containers", {"cluster": chain["cluster"], "state": "absent", "purge": purge})
    assert not result.get("failed"), result
    assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}
    check_whole(chain, run_module("genesis", chain), look, objects)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(start_module: Start, run_module: Run, chain: dict[str, Any], look: Any, objects: Objects, number: int) -> None:
    slow = with_nodes(chain, *chain["nodes"])
    slow["nodes"][0]["commands"].append({"argv": ["sleep", "20"]})
    process = start_module("genesis", slow)
    wait_until(lambda: objects(chain["cluster"])["containers"] != [])
    time.sleep(0.3)
    process.send_signal(number)
    process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert objects(chain["cluster"]) == {"volumes": {}, "containers": []}
    check_whole(chain, run_module("genesis", chain), look, objects)


def test_second_run_waits_for_the_first(start_module: Start, run_module: Run, chain: dict[str, Any], look: Any, objects: Objects) -> None:
    slow = with_nodes(chain, *chain["nodes"])
    slow["nodes"][0]["commands"].append({"argv": ["sleep", "3"]})
    first = start_module("genesis", slow)
    wait_until(lambda: objects(chain["cluster"])["containers"] != [])
    begin = time.monotonic()
    second = run_module("genesis", chain)
    assert time.monotonic() - begin > 1
    stdout, stderr = first.communicate(timeout=60)
    assert first.returncode == 0, stderr
    assert '"changed": true' in stdout
    assert not second["changed"]
    check_whole(chain, second, look, objects)


def test_two_runs_begin_at_once(start_module: Start, run_module: Run, chain: dict[str, Any], look: Any, objects: Objects) -> None:
    runs = [start_module("genesis", chain) for _number in range(3)]
    results = [process.communicate(timeout=120)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0], results
    assert sum('"changed": true' in result for result in results) == 1
    check_whole(chain, run_module("genesis", chain), look, objects)


def test_discard_refuses_while_somebody_works(start_module: Start, engine: Engine, chain: dict[str, Any], objects: Objects) -> None:
    slow = with_nodes(chain, *chain["nodes"])
    slow["nodes"][0]["commands"].append({"argv": ["sleep", "2"]})
    process = start_module("genesis", slow)
    wait_until(lambda: objects(chain["cluster"])["containers"] != [])
    with pytest.raises(births.Refused, match="another run is making the genesis"):
        births.discard_unfinished(engine, chain["cluster"], purge=False)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert births.discard_unfinished(engine, chain["cluster"], purge=False) == []
    assert len(objects(chain["cluster"])["volumes"]) == 3


def test_a_copy_of_a_record_says_nothing_of_volumes(
    run_module: Run, engine: Engine, chain: dict[str, Any], objects: Objects, look: Any
) -> None:
    killed, _requests = killed_at(chain, 1)
    assert killed
    (record,) = objects(chain["cluster"])["containers"]
    image = engine.api.commit(record, repository=f"{chain['cluster']}-copy", tag="1")["Id"]
    made = engine.api.create_container_from_config({"Image": image}, f"{chain['cluster']}-copy")["Id"]
    try:
        result = run_module("genesis", chain)
        assert [one.name for one in births.find_births(engine, chain["cluster"])] == []
        assert births.discard_unfinished(engine, chain["cluster"], purge=True) == []
        assert not run_module("genesis", chain)["changed"]
        assert engine.inspect(made) is not None
    finally:
        engine.api.remove_container(made, force=True)
        engine.api.remove_image(f"{chain['cluster']}-copy:1", force=True)
    check_whole(chain, {**result, "changed": False}, look, objects)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
