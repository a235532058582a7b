# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the spec share."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read

Data = t.Dict[str, t.Any]


class Spec:
    """Specs in short: what is not given is a cluster of flavor generic."""

    base: t.ClassVar[Data] = {
        "plugin": "gravity.cluster.spec",
        "cluster_name": "x",
        "flavor": "generic",
        "image": {"source": "present", "name": "tiny:1"},
    }

    def resolved(self, **keys: t.Any) -> Data:
        """The resolved cluster of a spec with these keys."""
        return self.text(yaml.safe_dump({**self.base, **keys}, sort_keys=False))

    def text(self, text: str, file: str = "cluster.yml", older: bool = False) -> Data:
        """The resolved cluster of the file with this text."""
        return load(read(text, file), file, older)

    def node(self, given: t.Optional[Data] = None, name: str = "a_0", **keys: t.Any) -> Data:
        """The only node of a spec."""
        node: Data = self.resolved(nodes={name: given or {}}, **keys)["nodes"][name]
        return node

    def lines(self, text: str, file: str = "cluster.yml") -> t.List[str]:
        """The mistakes of a file, without its name."""
        with pytest.raises(SpecInvalid) as refused:
            self.text(text, file)
        assert all(line.startswith(f"{file}: ") for line in refused.value.lines)
        assert refused.value.message == "\n".join(refused.value.lines)
        return [line[len(file) + 2 :] for line in refused.value.lines]


@pytest.fixture(scope="session")
def spec() -> Spec:
    """See :class:`Spec`."""
    return Spec()
