# SPDX-License-Identifier: GPL-3.0-or-later
"""An Engine that is reached over TCP with TLS, and verified in both directions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLACE = "tcp://127.0.0.1:2376"
# The Engine has a network namespace of its own, so that its bridge and its port are nobody else's.
START = "ip link set lo up && exec dockerd --host {place} --tlsverify {files} --bridge none --iptables=false --ip6tables=false {folders}"


@dataclass
class Remote:
    """An Engine in a network namespace of its own, and the folder with the certificates."""

    pid: int
    folder: Path

    def info(self, **options: str) -> dict[str, Any]:
        """What the module engine_info says of it."""
        files = {key: str(self.folder / name) for key, name in options.items()}
        return self.ask({"engine_url": PLACE, **files})

    def ask(self, options: dict[str, str], **environment: str) -> dict[str, Any]:
        """What the module engine_info says with these options in this environment."""
        given = {"ANSIBLE_MODULE_ARGS": {"engine_timeout": 20, **options}}
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self.pid}/ns/net", sys.executable]
            + ["-m", "ansible_collections.gravity.cluster.plugins.modules.engine_info"],
            input=json.dumps(given),
            # What the environment says of authorities is for others.
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / ".venv" / "collections"),
                "REQUESTS_CA_BUNDLE": str(self.folder / "another.pem"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certify(folder: Path, authority: str, *names: str) -> None:
    """A certificate authority, and certificates from it: NAME.pem with NAME-key.pem."""
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(folder, *new, "-x509", "-keyout", f"{authority}-key.pem", "-out", f"{authority}.pem", "-subj", f"/CN={authority}")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    for name in names:
        openssl(folder, *new, "-keyout", f"{name}-key.pem", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signer = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}-key.pem", "-CAcreateserial")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signer, "-days", "2", "-extfile", "names", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp("tls")
    certify(folder, "ca", "server", "client")
    certify(folder, "another", "stranger")
    files = "--tlscacert ca.pem --tlscert server.pem --tlskey server-key.pem"
    folders = f"--pidfile {folder}/pid --data-root {folder}/data --exec-root {folder}/run"
    command = START.format(place=PLACE, files=files, folders=folders)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        found = Remote(process.pid, folder)
        deadline = time.monotonic() + 60
        while not found.info(engine_ca="ca.pem", engine_cert="client.pem", engine_key="client-key.pem")["answers"]:
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.5)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_who_is_verified_is_answered(remote: Remote) -> None:
    found = remote.info(engine_ca="ca.pem", engine_cert="client.pem", engine_key="client-key.pem")
    assert found["answers"] is True
    assert found["url"] == PLACE


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("another", "client"), "certificate verify failed"),
        (("ca", "stranger"), "certificate"),
        (("ca",), "certificate"),
        ((), "HTTPS"),
    ],
    ids=["another authority", "a certificate of another authority", "no certificate", "no TLS"],
)
def test_anybody_else_is_refused(remote: Remote, names: tuple[str, ...], reason: str) -> None:
    files = {"engine_ca": f"{names[0]}.pem"} if names else {}
    if len(names) > 1:
        files.update(engine_cert=f"{names[1]}.pem", engine_key=f"{names[1]}-key.pem")
    found = remote.info(**files)
    assert found["answers"] is False
    assert f"no Docker Engine answers at {PLACE}" in found["error"]
    assert reason in found["error"]
    assert found["error"].endswith("check engine_ca, engine_cert and engine_key")


def test_the_environment_names_it_as_for_the_docker_command(remote: Remote) -> None:
    keys = remote.folder / "keys"
    keys.mkdir()
    for name, file in {"ca": "ca", "cert": "client", "key": "client-key"}.items():
        (keys / f"{name}.pem").write_bytes((remote.folder / f"{file}.pem").read_bytes())
    there = {"DOCKER_HOST": PLACE, "DOCKER_TLS_VERIFY": "1"}
    found = remote.ask({}, **there, DOCKER_CERT_PATH=str(keys))
    assert (found["answers"], found["url"]) == (True, PLACE)
    # Without TLS_VERIFY, no TLS is asked for.
    assert remote.ask({}, DOCKER_HOST=PLACE, DOCKER_CERT_PATH=str(keys))["answers"] is False
    (keys / "ca.pem").write_bytes((remote.folder / "another.pem").read_bytes())
    assert "certificate verify failed" in remote.ask({}, **there, DOCKER_CERT_PATH=str(keys))["error"]
    found = remote.ask({}, **there, DOCKER_CERT_PATH=str(remote.folder / "none"))
    assert found["answers"] is False
    assert found["error"].endswith("none/ca.pem: put it there, or name its folder with DOCKER_CERT_PATH")
