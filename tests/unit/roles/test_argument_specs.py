# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes, and means it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(path: Path) -> Any:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def specs(role: Path) -> dict[str, Any]:
    """Entry point -> what it says about itself."""
    return dict(load(role / "meta" / "argument_specs.yml").get("argument_specs", {}))


def options(role: Path) -> dict[str, Any]:
    """All options of all entry points."""
    return {name: option for spec in specs(role).values() for name, option in spec.get("options", {}).items()}


each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


@each_role
def test_every_entry_point_is_described_and_exists(role: Path) -> None:
    files = {path.stem for path in (role / "tasks").glob("*.yml")}
    assert specs(role), "no meta/argument_specs.yml"
    assert set(specs(role)) <= files
    for name, spec in specs(role).items():
        assert spec.get("short_description"), name
        assert all(option.get("description") and option.get("type") for option in spec.get("options", {}).values()), name


@each_role
def test_defaults_are_options_and_options_have_their_default(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml")
    known = options(role)
    assert not set(defaults) - set(known), "defaults that no entry point mentions"
    for name, option in known.items():
        if option.get("required"):
            assert name not in defaults
        elif "default" in option:
            assert name in defaults, f"{name} has a default in its description only"
            # A default that follows another variable is computed.
            if "{{" not in str(defaults[name]):
                assert defaults[name] == option["default"], name


@each_role
def test_variables_carry_the_name_of_their_role(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") for name in load(role / "defaults" / "main.yml"))
    assert all(name.startswith((f"__{role.name}_", f"{role.name}_")) for name in load(role / "vars" / "main.yml"))
