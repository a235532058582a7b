# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers are a cluster's own."""

from __future__ import annotations

import pytest

from ansible_collections.gravity.cluster.plugins.module_utils import _labels as labels
from ansible_collections.gravity.cluster.plugins.module_utils._ownership import is_ours, name_of, strangers

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


def marked(node: str, origin: str = "") -> dict[str, str]:
    """Labels of a node's container or volume."""
    return labels.own("demo", "node", node=node, **({"origin": origin} if origin else {}))


@pytest.mark.parametrize(
    ("carried", "known", "found"),
    [
        # Another spec, also where both have a node of one name.
        ([marked("api_0", "other"), marked("api_1", "other")], ["web_0"], ["api_0", "api_1"]),
        ([marked("api_0", "other"), marked("web_0", "mine")], ["web_0"], ["api_0"]),
        ([marked("api_0", "other"), marked("web_0")], ["web_0"], ["api_0"]),
        # A spec that was edited.
        ([marked("api_0", "mine"), marked("api_1", "mine")], ["web_0"], []),
        # A spec that was moved, or another controller.
        ([marked("web_0", "other")], ["web_0"], []),
        # Objects of older versions.
        ([marked("api_0"), marked("web_0")], ["web_0"], []),
        ([marked("api_0"), marked("api_1")], ["web_0"], ["api_0", "api_1"]),
        ([labels.own("demo", "oneoff")], ["web_0"], []),
    ],
)
def test_nodes_that_another_spec_made(carried: list[dict[str, str]], known: list[str], found: list[str]) -> None:
    assert strangers(carried, known, "mine") == found
