# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory must know of a flavor: the static facts in ``meta/flavor.yml`` of its role."""

from __future__ import annotations

import functools
import os
import typing as t

import yaml

ROLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "roles")
PREFIX = "flavor_"

# Flavors that specs name already although their role is still to come: such a spec parses, a deploy refuses it.
PLANNED: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "gravity": {
        "default_role": "validator",
        "ports": {
            "rpc": {"container": 8545, "host": 8545},
            "metrics": {"container": 9001, "host": 9001},
            "p2p": {"container": 2024},
            "inspection": {"container": 10000, "host": 10000},
        },
    }
}


def known() -> t.List[str]:
    """Names of the flavors that a spec may use."""
    names = {name[len(PREFIX) :] for name in os.listdir(ROLES) if name.startswith(PREFIX)}
    return sorted(names | set(PLANNED))


def facts_file(flavor: str) -> str:
    """The file with the static facts of ``flavor``."""
    return os.path.join(ROLES, PREFIX + flavor, "meta", "flavor.yml")


@functools.cache
def facts(flavor: str) -> t.Mapping[str, t.Any]:
    """Static facts of ``flavor``; empty for one that has none. docs/flavors.md has the keys."""
    try:
        with open(facts_file(flavor), encoding="utf-8") as stream:
            return yaml.safe_load(stream) or {}
    except FileNotFoundError:
        return PLANNED.get(flavor, {})
