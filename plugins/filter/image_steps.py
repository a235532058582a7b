# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter plugin image_steps."""

from __future__ import annotations

import os
import typing as t

Data = t.Mapping[str, t.Any]

# Images of these sources are made on one Docker host for all of the same architecture.
MADE = ("assemble", "build")


def image_steps(
    images: t.Sequence[Data], here: t.Sequence[Data], leads: t.Sequence[str], me: str, architectures: t.Sequence[str], local: bool = False
) -> t.List[t.Dict[str, t.Any]]:
    """Each image that concerns the Docker host for which ``me`` acts, with a ``step``.

    ``images`` are those of all Docker hosts, ``here`` those of this one, ``leads`` act for the Docker hosts, whose ``architectures`` are
    given. ``bring``: pull, make, load; ``look``: another one makes it; ``send``: its archive lies on the controller and the Docker host is
    elsewhere (not ``local``). Steps are shown, so build arguments, which may be secret, are left out; ``number`` tells
    which of ``images`` it is.
    """
    shares = len(leads) > 1 and len(set(architectures)) == 1
    found = []
    for number, image in enumerate(images):
        for_all = shares and image["source"] in MADE
        step = "bring"
        if for_all and me != leads[0]:
            step = "look"
        elif image["source"] == "load" and not local and os.path.isfile(os.path.expanduser(image["archive"])):
            step = "send"
        if image in here or (for_all and step == "bring"):
            found.append({**{key: value for key, value in image.items() if key != "args"}, "step": step, "number": number})
    return found


class FilterModule:
    """Offers the filter to Ansible."""

    def filters(self) -> t.Dict[str, t.Callable[..., t.Any]]:
        """Name to function."""
        return {"image_steps": image_steps}
