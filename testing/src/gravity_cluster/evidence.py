# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what a cluster says in files, for whoever looks at a failure later."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from .cluster import Cluster
from .errors import ClusterError
from .loops import run

LINES = 500


def save(cluster: Cluster, folder: Path) -> None:
    """Write the last lines of every node to ``<node>.log``, and the health to ``health.json``.

    What the cluster does not tell is missing, and ``errors.txt`` says why: a failure to look must not hide what was looked at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    try:
        health = {name: asdict(node) for name, node in run(cluster.health()).items()}
        (folder / "health.json").write_text(json.dumps(health, indent=2) + "\n", encoding="utf-8")
    except ClusterError as exc:
        errors.append(str(exc))
    try:
        for name, lines in run(cluster.all_logs(tail=LINES)).items():
            (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except ClusterError as exc:
        errors.append(str(exc))
    if errors:
        (folder / "errors.txt").write_text("".join(f"{line}\n" for line in errors), encoding="utf-8")
