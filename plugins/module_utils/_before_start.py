# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a node starts: its config files are put back when somebody changed them; with other keys it does not start."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.gravity.cluster.plugins.module_utils._drift import CONFIG, KEY, KINDS, Drift, drift_of, is_failing
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, each
from ansible_collections.gravity.cluster.plugins.module_utils._observed import Observed
from ansible_collections.gravity.cluster.plugins.module_utils._parse import Problems
from ansible_collections.gravity.cluster.plugins.module_utils._plan import DEFINING, NONE, RECREATE, RESTART, Plan, Request, Step

PUT_BACK = "as deployed"


def without_drift(
    engine: Engine, request: Request, observed: Observed, steps: Plan, check_mode: bool, problems: Problems
) -> t.Tuple[Plan, t.List[str]]:
    """The plan with what a look at the files of nodes adds to it, and what is to be said of nodes that are left alone.

    Files that only a person can restore are added to ``problems``. A node that runs well is not taken down because of a file that it may
    have written itself.
    """
    if request.state not in DEFINING:
        return steps, []
    looked = [step for step in steps.steps if step.observed is not None and not step.deferred and (step.start or step.definition)]
    found = dict(zip([step.container for step in looked], each(looked, lambda step: look(engine, observed, step), request.concurrency)))
    settled: t.List[Step] = []
    notes: t.List[str] = []
    for step in steps.steps:
        drifts = found.get(step.container, [])
        settled.append(settle(step, drifts, check_mode, problems) if drifts else step)
        notes += [f"{step.node}: {drift.text} since it was deployed: {remedy(step)}" for drift in drifts if is_left(step, drift)]
    return replace(steps, steps=tuple(settled)), notes


def starts(step: Step) -> bool:
    """Whether a process of the node is about to start, by us or by the Engine."""
    return step.comes_up or (step.start and step.observed is not None and is_failing(step.observed.inspect))


def look(engine: Engine, observed: Observed, step: Step) -> t.List[Drift]:
    """What of a step's node is not what we wrote."""
    if step.observed is None:
        return []
    if starts(step):
        # A container that is new, or never ran, gets its config files in any case.
        fresh = step.action == RECREATE or step.observed.never_started
        return drift_of(engine, step.observed, observed.volumes, KINDS - {CONFIG} if fresh else KINDS)
    return drift_of(engine, step.observed, observed.volumes, {CONFIG}, quick=True) if step.observed.running else []


def is_left(step: Step, drift: Drift) -> bool:
    """Whether a changed config file stays as it is for now."""
    return drift.kind == CONFIG and (step.definition is None or not starts(step))


def remedy(step: Step) -> str:
    """What the user can do about a config file that is left as it is."""
    if step.definition is None:
        return f"deploy {step.node} to put it back"
    return f"it runs and is left alone; the file is put back when {step.node} is stopped and deployed again"


def settle(step: Step, drifts: t.Sequence[Drift], check_mode: bool, problems: Problems) -> Step:
    """The step with what its drifts ask for."""
    for drift in drifts:
        if drift.kind == KEY:
            problems.add(
                f"{step.node}: {drift.text} in volume {drift.volume}, and two nodes that sign with one key halt or fork a chain: "
                "restore the file from a backup"
            )
        elif drift.kind != CONFIG and step.definition is None:
            problems.add(f"{step.node}: {drift.text} in volume {drift.volume}: deploy {step.node} to put it back")
        elif drift.kind != CONFIG and not check_mode:
            problems.add(f"{step.node}: {drift.text} in volume {drift.volume}: restore the file from a backup")
    changed = [drift for drift in drifts if drift.kind == CONFIG]
    if not changed or step.definition is None or not starts(step):
        return step
    reasons = [f"{drift.text} since it was deployed" for drift in changed]
    changes = {f"file {drift.path}": (None if drift.gone else "changed", PUT_BACK) for drift in changed}
    action = RESTART if step.action == NONE else step.action
    return replace(step, action=action, refresh=True, reasons=(*reasons, *step.reasons), changes={**step.changes, **changes})
