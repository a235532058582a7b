# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection is, and the settings that Ansible runs with: no ansible.cfg is needed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from .errors import ClusterError

# What Ansible searches when nobody says otherwise.
STANDARD = "~/.ansible/collections:/usr/share/ansible/collections"

# Without these, specs are not read, or a mistake in one is only warned of.
NEEDED = {
    "ANSIBLE_INVENTORY_ENABLED": "gravity.cluster.spec,host_list,auto,yaml,ini",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
    # What is printed is read, so it is plain.
    "ANSIBLE_STDOUT_CALLBACK": "default",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_NOCOWS": "true",
    # ansible-runner drops results that are larger: the logs of a node may be.
    "MAX_EVENT_RES": str(10**9),
}

# As in the repository's ansible.cfg; the caller's own environment wins.
PREFERRED = {
    "ANSIBLE_FORCE_HANDLERS": "true",
    "ANSIBLE_FORKS": "20",
    "ANSIBLE_GATHERING": "explicit",
    # ansible-runner would turn it off.
    "ANSIBLE_HOST_KEY_CHECKING": "true",
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
    "ANSIBLE_TIMEOUT": "60",
}


def environment(caller: Mapping[str, str], temporary: str, collections: str | None) -> dict[str, str]:
    """What to add to the variables of ``caller``.

    ``temporary`` is an existing folder that is removed after the run: a playbook that is ended leaves files, and so they lie in it.
    ``collections`` is searched for collections first.
    """
    found = {key: value for key, value in PREFERRED.items() if key not in caller}
    found["TMPDIR"] = found["ANSIBLE_LOCAL_TEMP"] = temporary
    # The commands of the ansible-core that is installed beside this package, also where its environment is not activated.
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), caller.get("PATH") or os.defpath]
    found["PATH"] = os.pathsep.join(dict.fromkeys(folders))
    if collections:
        found["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join([collections, caller.get("ANSIBLE_COLLECTIONS_PATH") or STANDARD])
    return {**found, **NEEDED}


def find_collection(given: str | Path | None, here: Path) -> Path | None:
    """The folder of the collection: the one that is given, else the repository around ``here``; None: the one that Ansible finds.

    Raises:
        ClusterError: What is given is not the collection.
    """
    if given is not None:
        folder = Path(given).expanduser().absolute()
        if not (folder / "playbooks" / "deploy.yml").is_file():
            raise ClusterError(f"{folder} is not the collection gravity.cluster: it has no playbooks/deploy.yml")
        return folder
    return next((folder for folder in here.resolve().parents if _is_repository(folder)), None)


def _is_repository(folder: Path) -> bool:
    try:
        lines = (folder / "galaxy.yml").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return "namespace: gravity" in lines and "name: cluster" in lines


def link(collection: Path, folder: Path) -> str:
    """Let Ansible find ``collection`` by its name: a tree of collections in ``folder``, and those that the collection brings for itself."""
    place = folder / "ansible_collections" / "gravity"
    place.mkdir(parents=True)
    (place / "cluster").symlink_to(collection, target_is_directory=True)
    # `make setup-test` puts there what clusters with an overlay network need.
    own = collection / ".venv" / "collections"
    return os.pathsep.join([str(folder), str(own)] if own.is_dir() else [str(folder)])
