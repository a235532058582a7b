# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as users run it: from a playbook, with Ansible's check mode, diff and display."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def play(demo: Any, tmp_path: Path) -> Any:
    """Run the module as the one task of a play."""

    def run(*options: str, **args: Any) -> subprocess.CompletedProcess[str]:
        args = {"cluster": demo.name, **args}
        task = {"name": "Reconcile the containers", "gravity.cluster.containers": args}
        book = tmp_path / "play.yml"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        return subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", *options, str(book)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "ANSIBLE_NOCOLOR": "1",
            },
        )

    return run


def recap(done: subprocess.CompletedProcess[str]) -> str:
    return next(line for line in done.stdout.splitlines() if line.startswith("localhost "))


def test_check_diff_apply_and_apply_again(demo: Any, play: Any) -> None:
    files = [{"path": "/data/app.toml", "content": "x = 1\n"}]
    one = demo.node(volumes=[demo.volume()], files=files)
    given = {"network": demo.cluster.network, "containers": [one]}

    checked = play("--check", "--diff", **given)
    assert "changed=1" in recap(checked), checked.stdout + checked.stderr
    assert f"+++ after: container {demo.name}_0" in checked.stdout
    assert demo.everything() == {"containers": {}, "networks": [], "volumes": []}

    assert "changed=1" in recap(play(**given))
    assert "changed=0" in recap(play(**given))

    one["files"] = [{"path": "/data/app.toml", "content": "x = 2\n"}]
    changed = play("--diff", **given)
    assert f"--- before: {demo.name}_0:/data/app.toml" in changed.stdout
    assert "-x = 1\n+x = 2\n" in changed.stdout


def test_nothing_that_may_be_secret_gets_out(demo: Any, play: Any) -> None:
    """Not with -vvv and --diff, nor into labels or temporary files, though Ansible is not told to pipeline."""
    first, second = "canary 'one'\nof two lines\n", "canary 'two'\nof two lines\n"
    files = [{"path": "/data/key", "content": first, "secret": True}, {"path": "/data/own", "content": first, "mode": "0600"}]
    one = demo.node(volumes=[demo.volume()], files=files, env={"TOKEN": first})
    given = {"network": demo.cluster.network, "containers": [one]}
    said = [play("-vvv", "--check", "--diff", **given), play("-vvv", "--diff", **given)]
    assert "changed=0" in recap(play(**given))
    for file in files:
        file["content"] = second
    one["env"] = {"TOKEN": second}
    said.append(play("-vvv", "--diff", **given))
    for done in said:
        assert "changed=1" in recap(done), done.stdout + done.stderr
        assert "canary" not in done.stdout + done.stderr
        # A module that is not piped lies in the temporary folder, with all its arguments.
        assert "AnsiballZ_containers" not in done.stdout
    assert "file /data/key" in said[2].stdout
    labels = json.dumps(demo.api.inspect_container(f"{demo.name}_0")["Config"]["Labels"])
    assert "canary" not in labels
    for text in (first, second):
        for mode in ("400", "600"):
            assert hashlib.sha256(f"{mode}\n{text}".encode()).hexdigest() not in labels
    assert demo.shell("stat -c '%a %n' /data/key /data/own") == "400 /data/key\n600 /data/own\n"


def test_a_failure_is_one_line(demo: Any, play: Any) -> None:
    done = play(containers=[demo.node(image="no/such:image")])
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert "node_0: image no/such:image is not on this Docker host" in done.stdout + done.stderr


def test_long_runs_show_what_they_do(demo: Any, play: Any) -> None:
    # Three containers that need two seconds each to stop, one after the other.
    slow = ["sh", "-c", "trap 'sleep 2; exit 0' TERM; while :; do sleep 0.05; done"]
    demo.up(*demo.nodes(3, command=slow))
    done = play(state="stopped", concurrency=1)
    assert "changed=1" in recap(done)
    assert "1 of 3 containers stopped" in done.stdout
    assert "progress_path" not in done.stdout
