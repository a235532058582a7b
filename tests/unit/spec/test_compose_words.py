# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a compose file that a spec does not have."""

from __future__ import annotations

import pytest

from ansible_collections.gravity.cluster.plugins.plugin_utils import _spec_model as model
from ansible_collections.gravity.cluster.plugins.plugin_utils._compose_words import COMPOSE_WORDS

MODELS = [
    (name, one) for name in COMPOSE_WORDS for one in ([model.NodeEntry, model.RoleFields] if name == "Node" else [getattr(model, name)])
]


@pytest.mark.parametrize(("name", "of"), MODELS)
def test_no_key_of_the_spec_is_called_a_word_of_compose(name: str, of: type[model.Model]) -> None:
    assert not set(COMPOSE_WORDS[name]) & set(of.model_fields)
