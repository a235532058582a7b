# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils._diagnosis import broken, diagnose, last_seen
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer, Container, Scene, Sight, chain_of, inspected, listed
from ansible_collections.gravity.cluster.plugins.module_utils._targets import parse_targets

NOW = 100.0
RPC = {"rpc": {"type": "eth", "url": "http://127.0.0.1:8545"}}
CHAIN = (
    {"is": "chain_id", "value": 1337},
    {"is": "height_at_least", "value": 2},
    {"is": "advancing"},
    {"is": "not_syncing"},
    {"is": "peers_at_least", "value": 2},
)
RUNNING = Container("id", "c0", "running")


def sight(
    answer: t.Any = None,
    container: t.Any = RUNNING,
    *,
    crash_loop: t.Any = None,
    name: str = "node_0",
    conditions: t.Any = CHAIN,
    probes: t.Any = None,
    **more: t.Any,
) -> Sight:
    probes = RPC if probes is None else probes
    target = parse_targets([{"name": name, "container": "c0", "probes": probes, "conditions": conditions, "crash_loop": crash_loop}])[0]
    answers = {next(iter(probes)): Answer(NOW, **answer)} if answer is not None else {}
    chain = chain_of(target, answers)
    return Sight(target, container, answers, chain, **{"first_height": chain.height, "looked": True, **more})


def scene(*sights: Sight, powers: t.Optional[t.Mapping[str, int]] = None) -> Scene:
    return Scene(NOW, 0.0, {one.target.name: one for one in sights}, powers or {})


def cause(seen: Sight, *others: Sight, powers: t.Optional[t.Mapping[str, int]] = None, log: str = "") -> t.Tuple[str, str]:
    found = diagnose(seen, scene(seen, *others, powers=powers), log)
    return found.kind, found.text


OK = {"chain_id": 1337, "height": 5, "peers": 3, "syncing": False}


@pytest.mark.parametrize(
    ("container", "kind", "text"),
    [
        (Container("i", "c0", "exited", exit_code=3), "exited", "exited with code 3"),
        (Container("i", "c0", "exited", exit_code=0), "exited", "exited with code 0"),
        (Container("i", "c0", "exited", exit_code=139), "exited", "exited with code 139 (SIGSEGV)"),
        (Container("i", "c0", "exited", exit_code=255), "exited", "exited with code 255"),
        (Container("i", "c0", "exited", exit_code=137), "exited", "exited with code 137 (SIGKILL: by somebody, or out of memory)"),
        (Container("i", "c0", "exited", exit_code=137, oom_killed=True, memory=67108864), "oom", "killed: out of memory, limit 64m"),
        (Container("i", "c0", "exited", exit_code=137, oom_killed=True), "oom", "killed: out of memory"),
        (
            Container("i", "c0", "restarting", exit_code=1, restarts=4, short_run=True, restarting_since=NOW - 10),
            "restart_loop",
            "restarts in a loop (4 restarts, exited with code 1)",
        ),
        (Container("i", "c0", "created", error="exec: not found"), "start_failed", "could not be started: exec: not found"),
        (Container("i", "c0", "created"), "not_started", "was created but never started"),
    ],
)
def test_a_broken_container_ends_the_wait_and_is_the_cause(container: t.Any, kind: str, text: str) -> None:
    seen = sight(container=container)
    found = broken(seen, scene(seen))
    assert found is not None
    assert (found.kind, found.text) == (kind, text)
    assert cause(seen) == (kind, text)


@pytest.mark.parametrize(
    "container",
    [
        RUNNING,
        Container("i", "c0", "exited", exit_code=1, since=NOW - 0.2),
        Container("i", "c0", "created", since=NOW - 1),
        Container("i", "c0", "restarting", exit_code=1, restarts=1),
        Container("i", "c0", "running", restarts=9, restarts_at_first=8),
        Container("i", "c0", "restarting", restarts=9, restarts_at_first=9, short_run=False),
        Container("i", "c0", "paused"),
    ],
)
def test_what_may_still_come_right_is_waited_for(container: t.Any) -> None:
    seen = sight(container=container)
    assert broken(seen, scene(seen)) is None


@pytest.mark.parametrize(
    ("restarts", "lasts", "patience", "given_up"),
    [(8, 10.1, None, True), (8, 9.9, None, False), (7, 60.0, None, False), (8, 30.0, 60, False), (8, 0.0, 0, True), (8, 61.0, "60", True)],
)
def test_restarts_are_a_crash_loop_when_there_are_three_for_long_enough(
    restarts: int, lasts: float, patience: t.Any, given_up: bool
) -> None:
    container = Container("i", "c0", "running", exit_code=0, restarts=restarts, restarts_at_first=5, restarting_since=NOW - lasts)
    seen = sight(container=container, crash_loop=patience)
    found = broken(seen, scene(seen))
    assert (found is not None) is given_up
    # When the time is over for another reason, that is what is wrong.
    assert (cause(seen)[0] == "restart_loop") is (restarts == 8)


def test_a_container_that_is_absent_is_given_a_moment() -> None:
    gone = sight(container=None, absent_since=NOW - 0.5)
    assert broken(gone, scene(gone)) is None
    gone = replace(gone, absent_since=NOW - 1.5)
    assert broken(gone, scene(gone)).text == "container c0 does not exist"


def test_a_node_whose_container_is_elsewhere_is_never_broken() -> None:
    target = parse_targets([{"name": "far", "probes": RPC}])[0]
    seen = Sight(target)
    assert broken(seen, scene(seen)) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"error": "port 8545 refuses connections", "cause": "refused"},
            ("port_closed", "port 8545 refuses connections (nothing listens there)"),
        ),
        (
            {"error": "port 8545 closes connections at once", "cause": "reset"},
            ("port_closed", "port 8545 closes connections at once (nothing listens there)"),
        ),
        ({"error": "port 8545 does not answer within 2 s", "cause": "timeout"}, ("no_answer", "port 8545 does not answer within 2 s")),
        ({"error": "10.0.0.1:8545 cannot be reached", "cause": "unreachable"}, ("unreachable", "10.0.0.1:8545 cannot be reached")),
        ({**OK, "chain_id": 1}, ("wrong_chain_id", "wrong chain id: got 1, expected 1337")),
        ({**OK, "peers": 0, "height": 0}, ("no_peers", "no peers at height 0")),
        ({**OK, "syncing": True, "highest": 90}, ("syncing", "still syncing at height 5 of 90")),
        ({**OK, "peers": 1, "height": 9}, ("stuck", "height stuck at 9")),
    ],
)
def test_causes_that_the_answers_show(answer: t.Any, expected: t.Any) -> None:
    assert cause(sight(answer)) == expected


def test_a_node_that_only_lacks_peers_while_its_height_grows_says_so() -> None:
    seen = sight({**OK, "peers": 1}, grew_at=NOW - 1, first_height=1)
    assert cause(seen) == ("waiting", "1 peers, waiting for peers_at_least 2")


def test_a_stuck_height_tells_of_the_quorum() -> None:
    powers = {f"node_{number}": 1 for number in range(4)}
    sights = [sight(OK, name=f"node_{number}") for number in range(2)]
    dead = [sight(container=Container("i", "c0", "exited", exit_code=1), name=f"node_{number}") for number in (2, 3)]
    assert cause(sights[0], sights[1], *dead, powers=powers) == (
        "stuck",
        "height stuck at 5: no quorum, 2 of 4 validators run (2 of 4 voting power)",
    )
    assert "no quorum" not in cause(sights[0], sights[1], powers={"node_0": 5, "node_1": 1})[1]


def test_a_growing_height_is_not_stuck() -> None:
    conditions = [{"is": "height_at_least", "value": 50}]
    assert cause(sight(OK, grew_at=NOW - 1, conditions=conditions)) == ("waiting", "height 5, waiting for height_at_least 50")


@pytest.mark.parametrize(
    "line",
    [
        "panic: genesis doc hash does not match loaded genesis: mismatch",
        "Error: database contains incompatible genesis (have 12, new 34)",
        "error validating peer: peer is on a different network. Got other-1, expected chain-1",
        "ERROR genesis hash mismatch",
    ],
)
def test_the_log_may_show_another_genesis(line: str) -> None:
    log = f"starting\n{line}\n"
    assert cause(sight({**OK, "peers": 0}), log=log)[0] == "genesis_mismatch"
    kind, text = cause(sight(container=Container("i", "c0", "exited", exit_code=1)), log=log)
    assert kind == "genesis_mismatch"
    assert text.startswith("exited with code 1: its genesis is another one (")


def test_an_ordinary_line_about_genesis_is_not_a_mismatch() -> None:
    assert cause(sight({**OK, "peers": 0}), log="loading genesis file /data/genesis.json\ngenesis time reached")[0] == "no_peers"


def test_health_http_and_exec() -> None:
    assert cause(_unhealthy())[0] == "unhealthy"
    web = {"web": {"type": "http", "url": "http://127.0.0.1/"}}
    assert cause(sight({"status": 503}, probes=web, conditions=[])) == ("http_status", "HTTP status 503, waiting for 200")
    command = {"e": {"type": "exec", "command": "false"}}
    assert cause(sight({"exit_code": 1, "output": "no"}, probes=command, conditions=[])) == ("exec_failed", "probe e ends with 1: no")


def _unhealthy() -> Sight:
    target = parse_targets([{"name": "node_0", "container": "c0"}])[0]
    return Sight(target, Container("i", "c0", "running", "unhealthy"), looked=True)


def test_what_was_seen_last_is_in_words() -> None:
    assert last_seen(sight({**OK, "syncing": True})) == "container running, height 5, 3 peers, syncing, chain id 1337"
    assert last_seen(sight({"error": "port 8545 refuses connections"})) == "container running, rpc: port 8545 refuses connections"
    assert last_seen(sight(container=None)) == "nothing"


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 seconds", None),
        ("Up 2 minutes (healthy)", "healthy"),
        ("Up 1 second (health: starting)", "starting"),
        ("Up 5 hours (unhealthy)", "unhealthy"),
    ],
)
def test_the_health_comes_from_the_engines_list(status: t.Any, health: t.Any) -> None:
    entry = {"Id": "i", "Names": ["/web/alias", "/node"], "State": "running", "Status": status, "Labels": {"gravity.cluster.node": "n"}}
    assert listed(entry) == Container("i", "node", "running", health, "n")


def test_an_inspection_tells_how_the_last_run_ended() -> None:
    state = {
        "Status": "exited",
        "ExitCode": 2,
        "OOMKilled": False,
        "Error": "a\nb",
        "StartedAt": "2026-01-01T00:00:00.5Z",
        "FinishedAt": "2026-01-01T00:00:03Z",
    }
    found = inspected(
        {
            "Id": "i",
            "Name": "/c0",
            "RestartCount": 2,
            "State": state,
            "HostConfig": {"RestartPolicy": {"Name": "always"}, "Memory": 5},
            "Config": {},
        }
    )
    assert (found.exit_code, found.error, found.restarts, found.policy, found.memory, found.short_run, found.state) == (
        2,
        "a b",
        2,
        "always",
        5,
        True,
        "error",
    )
