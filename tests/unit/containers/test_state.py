# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from unit.containers.builders import CREATED, RUNNING, exited

from ansible_collections.gravity.cluster.plugins.module_utils._observed import state_of


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (CREATED, "stopped"),
        ({**CREATED, "Error": "port is already allocated", "ExitCode": 128}, "error"),
        (RUNNING, "running"),
        ({**RUNNING, "Health": {"Status": "starting"}}, "starting"),
        ({**RUNNING, "Health": {"Status": "healthy"}}, "running"),
        ({**RUNNING, "Health": {"Status": "none"}}, "running"),
        ({**RUNNING, "Health": {"Status": "unhealthy"}}, "unhealthy"),
        ({**RUNNING, "Status": "paused", "Paused": True}, "unhealthy"),
        ({**RUNNING, "Status": "restarting", "Restarting": True, "ExitCode": 1}, "error"),
        ({"Status": "dead", "Dead": True, "ExitCode": 0}, "error"),
        ({"Status": "removing", "ExitCode": 0}, "stopped"),
        (exited(0), "stopped"),
        (exited(137), "stopped"),
        (exited(143), "stopped"),
        (exited(137, OOMKilled=True), "error"),
        (exited(1), "error"),
        (exited(130), "error"),
        (exited(255), "error"),
        # Its last health check says nothing about a container that ended.
        (exited(0, Health={"Status": "unhealthy"}), "stopped"),
    ],
)
def test_a_state_has_one_name(state: dict[str, Any], name: str) -> None:
    assert state_of({"State": state}) == name


@pytest.mark.parametrize("inspect", [None, {}])
def test_no_container_is_absent(inspect: dict[str, Any] | None) -> None:
    assert state_of(inspect) == "absent"


@pytest.mark.parametrize(("wanted", "code"), [("SIGINT", 130), ("INT", 130), ("2", 130), ("SIGQUIT", 131)])
def test_an_exit_by_the_own_stop_signal_is_ordinary(wanted: str, code: int) -> None:
    assert state_of({"State": exited(code), "Config": {"StopSignal": wanted}}) == "stopped"


def test_a_stop_signal_that_nobody_knows_changes_nothing() -> None:
    assert state_of({"State": exited(1), "Config": {"StopSignal": "SIGNONSENSE"}}) == "error"
