# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Engine is meant when nothing names one: the one that the docker command would talk to.

It stands alone, with nothing but the standard library, as the lock (``_lock.py``) has to.
"""

from __future__ import annotations

import hashlib
import json
import os.path
import typing as t
import urllib.parse
from dataclasses import dataclass

DEFAULT_URL = "unix:///var/run/docker.sock"
# Schemes of an Engine that is asked over the network.
REMOTE = ("tcp", "http", "https", "ssh")
# Names by which a machine calls itself.
SELF = ("127.0.0.1", "localhost", "::1")
OTHERWISE = "or name the Engine with engine_url or DOCKER_HOST"

Environ = t.Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """Where an Engine is, and the files that prove the two to each other. With ``tls`` and no ``ca``, the Engine is not checked.

    ``problem`` says why it is not known.
    """

    url: str = DEFAULT_URL
    ca: t.Optional[str] = None
    cert: t.Optional[str] = None
    key: t.Optional[str] = None
    tls: bool = False
    problem: t.Optional[str] = None


def find(environ: Environ) -> Found:
    """The Engine of ``DOCKER_HOST``, else of the context that ``DOCKER_CONTEXT`` names or that is in use, else the local one."""
    url = environ.get("DOCKER_HOST")
    if url:
        return _over_tls(url, environ) if urllib.parse.urlsplit(url).scheme in REMOTE else Found(url)
    name = environ.get("DOCKER_CONTEXT") or _context_in_use(environ)
    return Found() if name == "default" else _of_context(name, environ)


def machine(url: str) -> t.Optional[str]:
    """The other machine that the Engine at ``url`` runs on, by name or address; None for an Engine of this machine."""
    parts = urllib.parse.urlsplit(url)
    name = parts.hostname if parts.scheme in REMOTE else None
    return None if name in SELF else name


def _over_tls(url: str, environ: Environ) -> Found:
    """``url`` with the files of ``DOCKER_CERT_PATH``, where ``DOCKER_TLS_VERIFY`` or ``DOCKER_TLS`` asks for them. SSH needs none."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if url.startswith("ssh:") or not (verify or environ.get("DOCKER_TLS")):
        return Found(url)
    found = _with_files(url, environ.get("DOCKER_CERT_PATH") or _folder(environ), verify)
    if verify and not os.path.isfile(found.ca or ""):
        what = f"DOCKER_TLS_VERIFY is set, and there is no {found.ca}"
        return Found(url, problem=f"{what}: put it there, or name its folder with DOCKER_CERT_PATH")
    return found


def _of_context(name: str, environ: Environ) -> Found:
    """The Engine of a context, as ``docker context create`` writes it."""
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    contexts = os.path.join(_folder(environ), "contexts")
    try:
        with open(os.path.join(contexts, "meta", key, "meta.json"), encoding="utf-8") as file:
            endpoint = json.load(file)["Endpoints"]["docker"]
        url, verify = str(endpoint["Host"]), not endpoint.get("SkipTLSVerify")
    except FileNotFoundError:
        return Found(problem=f"the Docker context {name} is not there: see docker context ls, {OTHERWISE}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        return Found(problem=f"the Docker context {name} cannot be read ({exc}): see docker context inspect {name}, {OTHERWISE}")
    files = os.path.join(contexts, "tls", key, "docker")
    return _with_files(url, files, verify) if os.path.isdir(files) else Found(url)


def _with_files(url: str, folder: str, verify: bool) -> Found:
    """``url`` over TLS with the files of ``folder``, by the names that the docker command gives them."""
    ca, cert, key = (os.path.join(folder, f"{name}.pem") for name in ("ca", "cert", "key"))
    both = os.path.isfile(cert) and os.path.isfile(key)
    return Found(url, ca if verify else None, cert if both else None, key if both else None, tls=True)


def _context_in_use(environ: Environ) -> str:
    """Name of the context that ``docker context use`` chose. A file that cannot be read chooses none, as for the docker command."""
    try:
        with open(os.path.join(_folder(environ), "config.json"), encoding="utf-8") as file:
            return str(json.load(file).get("currentContext") or "default")
    except (OSError, ValueError, AttributeError):
        return "default"


def _folder(environ: Environ) -> str:
    return environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
