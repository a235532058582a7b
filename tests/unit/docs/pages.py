# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the Markdown pages of the repository: their links, their code, their tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

FENCE = re.compile(r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without its code blocks."""
        return FENCE.sub("", self.text)

    @cached_property
    def links(self) -> list[str]:
        return LINK.findall(SPAN.sub("", self.prose))

    @cached_property
    def anchors(self) -> set[str]:
        """What a link may name after a #."""
        return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(self.prose)}

    def blocks(self, *languages: str) -> list[str]:
        return [found["text"] for found in FENCE.finditer(self.text) if found["language"] in languages]

    @cached_property
    def commands(self) -> list[str]:
        """What a reader is to type: lines after a prompt, and code within a sentence."""
        typed = [line[2:] for block in self.blocks("console", "") for line in block.splitlines() if line.startswith("$ ")]
        return [*typed, *SPAN.findall(self.prose)]

    def table(self, first: str) -> Iterator[list[str]]:
        """The rows of the table whose heading begins with ``first``."""
        inside = False
        for line in self.prose.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("|") else []
            if not cells:
                inside = False
            elif cells[0] == first:
                inside = True
            elif inside and set(line) - set("|- "):
                yield cells


def pages() -> list[Page]:
    """Every page that somebody who uses or changes the collection may read."""
    patterns = ("*.md", "docs/*.md", "roles/*/README.md", "tests/bench/README.md")
    return [Page(path) for pattern in patterns for path in sorted(ROOT.glob(pattern))]


README = Page(ROOT / "README.md")
