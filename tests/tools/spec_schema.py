# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the JSON Schema of a cluster spec to docs/spec.schema.json; a test compares the two."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "spec.schema.json"


def text() -> str:
    """What the file must hold."""
    sys.path.insert(0, str(ROOT / ".venv" / "collections"))
    from ansible_collections.gravity.cluster.plugins.plugin_utils._schema import spec_schema  # noqa: PLC0415  (needs the path)

    return json.dumps(spec_schema(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
