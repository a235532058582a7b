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


def known() -> t.List[str]:
    """Names of the flavors that a spec may use."""
    return sorted(name[len(PREFIX) :] for name in os.listdir(ROLES) if name.startswith(PREFIX))


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
        return {}


@functools.cache
def facts_of(flavor: str, role: str) -> t.Mapping[str, t.Any]:
    """Static facts of ``flavor`` as they hold for its nodes of ``role``: what stands in ``by_role`` wins, entry by entry."""
    general = facts(flavor)
    special = (general.get("by_role") or {}).get(role) or {}
    merged = dict(general)
    for key, value in special.items():
        below = merged.get(key)
        merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
