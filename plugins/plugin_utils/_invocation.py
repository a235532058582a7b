# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a playbook was called: options that would be passed over, and calls that would do nothing. Pure."""

from __future__ import annotations

import difflib
import typing as t

# Every variable that a user gives to a playbook with -e.
OPTIONS = frozenset(
    {
        "adopt_volumes",
        "command",
        "confirm",
        "deploy_rollback",
        "dest",
        "engine_ca",
        "engine_cert",
        "engine_key",
        "engine_url",
        "export_host",
        "grep",
        "lock_force",
        "lock_lease",
        "lock_timeout",
        "quorum_override",
        "ready_timeout",
        "since",
        "status_output",
        "tail",
        "takeover",
        "teardown_purge",
        "until",
        "upgrade_image",
    }
)
# Where Ansible puts the words of -e that are no name=value.
LOOSE = "_raw_params"
# What counts as the same word misspelt: 1 is equal.
ALIKE = 0.8


def problems(extra: t.Mapping[str, t.Any], tags: t.Sequence[str], skipped: t.Sequence[str], own_tags: t.Collection[str]) -> t.List[str]:
    """What is wrong with a call, one line each.

    ``extra`` are the variables of ``-e``; ``tags`` and ``skipped`` those of ``--tags`` and ``--skip-tags``; ``own_tags`` what the user has
    tagged the playbook with when importing it.
    """
    return [*_loose(extra), *_misspelt(extra), *_tagged(tags, skipped, own_tags)]


def _loose(extra: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    loose = extra.get(LOOSE)
    if not loose:
        return
    # The shell has eaten the quotes: -e command="ls -l" arrives as command=ls and -l.
    name = next((name for name in reversed(list(extra)) if name != LOOSE), "name")
    value = f"{extra.get(name, 'value')} {loose}"
    yield f"-e: {loose!r} belongs to no variable: put quotes around the whole, for example -e '{name}=\"{value}\"'"


def _misspelt(extra: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name in sorted(set(extra) - OPTIONS):
        meant = difflib.get_close_matches(name.lower().replace("-", "_"), sorted(OPTIONS), 1, ALIKE)
        if meant:
            yield f"-e {name}: no playbook of gravity.cluster has this option; did you mean {meant[0]}?"


def _tagged(tags: t.Sequence[str], skipped: t.Sequence[str], own_tags: t.Collection[str]) -> t.Iterator[str]:
    wanted = set(tags) - {"all"}
    if wanted and not wanted & (set(own_tags) | {"always", "tagged"} if own_tags else set()):
        yield f"--tags {','.join(sorted(wanted))}: the playbooks of gravity.cluster have no tags, and would do nothing: leave it out"
    if "untagged" in skipped or ("all" in skipped and "all" not in own_tags):
        yield f"--skip-tags {','.join(sorted(skipped))}: nothing would be left to do: leave it out"
