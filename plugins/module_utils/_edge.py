# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge between Ansible and the rest: the only place that knows AnsibleModule."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gravity.cluster.plugins.module_utils._answers import harmless
from ansible_collections.gravity.cluster.plugins.module_utils._engine import ENGINE_ARGUMENTS, Engine, options_from
from ansible_collections.gravity.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.gravity.cluster.plugins.module_utils._progress import Progress, remove_leftovers

# Options that may hold what a user keeps secret, wherever they stand in a module's arguments. They are not options of Ansible's `no_log`:
# that takes every text equal to one of their values out of the result too, and `1` or `true` are common values.
PRIVATE = frozenset({"content", "env", "args"})
HIDDEN = "(not shown)"

# Set by the action plugins, which follow the file while the module runs.
PROGRESS_ARGUMENT: t.Dict[str, t.Dict[str, t.Any]] = {"progress_path": {"type": "path"}}


class Module(AnsibleModule):
    """AnsibleModule that neither writes its arguments to the system log nor returns the private ones in its result."""

    def _log_invocation(self) -> None:
        self.log("Invoked")  # type: ignore[no-untyped-call]

    def _return_formatted(self, kwargs: t.Dict[str, t.Any]) -> None:
        # Also called for arguments that are refused before our own code runs.
        shown = {"module_args": without_private(self.params)}
        super()._return_formatted({"invocation": shown, **kwargs})  # type: ignore[no-untyped-call]


def without_private(value: t.Any) -> t.Any:
    """Arguments of a module with the values of the private ones hidden, however deep they are."""
    if isinstance(value, t.Mapping):
        return {key: HIDDEN if key in PRIVATE and item else without_private(item) for key, item in value.items()}
    return [without_private(item) for item in value] if isinstance(value, (list, tuple)) else value


def run_module(
    arguments: t.Mapping[str, t.Any],
    work: t.Callable[[t.Mapping[str, t.Any], Engine, Progress, bool], t.Dict[str, t.Any]],
    **rules: t.Any,
) -> None:
    """Run ``work(params, engine, progress, check_mode)`` as an Ansible module and exit with the result that it returns.

    ``rules`` go to :class:`AnsibleModule` (``required_if`` and the like). A :class:`ClusterError` becomes ``fail_json``
    with its message as ``msg`` and its details beside it. ``params`` also has ``diff_mode``: whether a diff is wanted.
    ``warnings`` in the result (texts) are shown as Ansible's own.
    """
    spec = {**arguments, **ENGINE_ARGUMENTS, **PROGRESS_ARGUMENT}
    module = Module(argument_spec=spec, supports_check_mode=True, **rules)  # type: ignore[no-untyped-call]
    progress = Progress(module.params["progress_path"])
    remove_leftovers(module.params["progress_path"])
    try:
        params = {**module.params, "diff_mode": module._diff}  # noqa: SLF001 - AnsibleModule tells it in no other way
        result = work(params, Engine(options_from(module.params)), progress, module.check_mode)
    except ClusterError as exc:
        if progress.trouble:
            module.warn(progress.trouble)
        # Some of it may be the words of a node or an image.
        module.fail_json(msg=harmless(exc.message), exception=exc, **exc.details)
    finally:
        progress.close()
    for warning in (*result.pop("warnings", ()), *filter(None, [progress.trouble])):
        module.warn(harmless(warning))
    module.exit_json(**result)
