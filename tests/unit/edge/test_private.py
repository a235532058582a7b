# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says of its arguments: to the system log, and in its result."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gravity.cluster.plugins.module_utils import _edge
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import ARGUMENTS as CONTAINERS
from ansible_collections.gravity.cluster.plugins.modules import genesis, image

# Of several lines: ansible-core looks for the text itself, and a log or a result has its representation.
CANARY = "canary one\ncanary 'two'\n"

NODE = {"name": "n", "role": "validator", "volume": "v", "files": [{"content": CANARY, "path": "key"}]}
CALLS: t.List[t.Tuple[t.Mapping[str, t.Any], t.Dict[str, t.Any]]] = [
    (
        CONTAINERS,
        {
            "cluster": "demo",
            "containers": [{"name": "n", "image": "i:1", "env": {"TOKEN": CANARY}, "files": [{"path": "/data/x", "content": CANARY}]}],
        },
    ),
    (
        genesis.ARGUMENTS,
        {
            "cluster": "demo",
            "image": "i:1",
            "chain_id": 1,
            "nodes": [NODE],
            "document": {"given": [{"path": "p", "content": CANARY}]},
        },
    ),
    (image.ARGUMENTS, {"name": "i:1", "source": "build", "context": "/c", "args": {"TOKEN": CANARY}}),
]


@pytest.mark.parametrize(("arguments", "given"), CALLS, ids=["containers", "genesis", "image"])
@pytest.mark.parametrize("end", ["success", "failure", "wrong argument"])
def test_no_private_value_is_logged_or_returned(
    arguments: t.Mapping[str, t.Any],
    given: t.Dict[str, t.Any],
    end: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logged: t.List[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    seen: t.List[str] = []

    def work(params: t.Mapping[str, t.Any], *_others: t.Any) -> t.Dict[str, t.Any]:
        seen.append(str(params))
        if end == "failure":
            raise Refused("no (nothing was changed)")
        return {"changed": False}

    more = {"unknown": 1} if end == "wrong argument" else {}
    with patch_module_args({**given, **more}), pytest.raises(SystemExit):
        _edge.run_module(arguments, work)
    # The work itself has it.
    assert end == "wrong argument" or "canary one" in seen[0]
    printed = capsys.readouterr().out
    result = json.loads(printed)
    assert result["invocation"]["module_args"]
    assert "canary" not in printed
    assert "canary" not in "".join(logged)
    assert bool(result.get("failed")) == (end != "success")
