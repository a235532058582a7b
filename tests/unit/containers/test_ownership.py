# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are a cluster's own."""

from __future__ import annotations

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import is_ours, name_of

OLD = labels.own("demo", "node", node="web_0")
NEW = {**OLD, labels.CONTAINER: "demo_web_0"}
PLAIN: dict[str, str] = {}


@pytest.mark.parametrize(
    ("name", "marks", "image", "expected", "ours"),
    [
        ("demo_web_0", NEW, PLAIN, (), True),
        ("demo_web_0", NEW, NEW, (), True),
        ("demo_web_0-next", NEW, PLAIN, (), True),
        ("demo_web_0-next-2", NEW, PLAIN, (), True),
        ("demo_web_0-next", NEW, NEW, (), False),
        ("a-copy", NEW, NEW, (), False),
        ("renamed", NEW, PLAIN, (), False),
        ("demo_web_0-nextdoor", NEW, PLAIN, (), False),
        ("demo_web_0", OLD, PLAIN, (), True),
        ("a-copy", OLD, OLD, (), False),
        ("demo_web_0", OLD, OLD, ("demo_web_0",), True),
        # Upgraded to an image that was made from another node.
        ("demo_web_0", OLD, {**OLD, labels.NODE: "web_1"}, (), True),
        ("demo_web_0", labels.own("other", "node"), PLAIN, ("demo_web_0",), False),
        ("demo_web_0", None, PLAIN, ("demo_web_0",), False),
    ],
)
def test_whose_a_container_is(
    name: str, marks: dict[str, str] | None, image: dict[str, str], expected: tuple[str, ...], ours: bool
) -> None:
    assert is_ours(name, marks, lambda: image, "demo", expected) is ours


def test_a_name_of_the_container_itself_and_not_of_a_link() -> None:
    assert name_of({"Names": ["/other/alias", "/demo_web_0"]}) == "demo_web_0"
    assert name_of({}) == "?"
