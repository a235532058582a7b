# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Engine is meant when nothing names one: the one that the docker command would talk to."""

from __future__ import annotations

import json
import os.path
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.gravity.cluster.plugins.module_utils._errors import EngineUnreachable

DEFAULT_URL = "unix:///var/run/docker.sock"
# Schemes of an Engine that is asked over the network.
REMOTE = ("tcp", "http", "https", "ssh")
# Names by which a machine calls itself.
SELF = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Found:
    """Where an Engine is, and the files that prove the two to each other. With ``tls`` and no ``ca``, the Engine is not checked."""

    url: str = DEFAULT_URL
    ca: t.Optional[str] = None
    cert: t.Optional[str] = None
    key: t.Optional[str] = None
    tls: bool = False


def find(environ: t.Mapping[str, str]) -> Found:
    """The Engine of ``DOCKER_HOST``, else of the context that ``DOCKER_CONTEXT`` names or that is in use, else the local one.

    Raises:
        EngineUnreachable: The context is not there, or cannot be read.
    """
    url = environ.get("DOCKER_HOST")
    if url:
        return _over_tls(url, environ) if urllib.parse.urlsplit(url).scheme in REMOTE else Found(url)
    return _of_context(environ)


def machine(url: str) -> t.Optional[str]:
    """The other machine that the Engine at ``url`` runs on, by name or address; None for an Engine of this machine."""
    parts = urllib.parse.urlsplit(url)
    name = parts.hostname if parts.scheme in REMOTE else None
    return None if name in SELF else name


def _over_tls(url: str, environ: t.Mapping[str, str]) -> Found:
    """``url`` with the files of ``DOCKER_CERT_PATH``, where ``DOCKER_TLS_VERIFY`` or ``DOCKER_TLS`` asks for them. SSH needs none."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if url.startswith("ssh:") or not (verify or environ.get("DOCKER_TLS")):
        return Found(url)
    folder = environ.get("DOCKER_CERT_PATH") or _config_folder(environ)
    ca, cert, key = (os.path.join(folder, f"{name}.pem") for name in ("ca", "cert", "key"))
    if verify and not os.path.isfile(ca):
        what = f"DOCKER_TLS_VERIFY is set, and there is no {ca}"
        raise EngineUnreachable(f"{what}: put it there, or name its folder with DOCKER_CERT_PATH")
    both = os.path.isfile(cert) and os.path.isfile(key)
    return Found(url, ca if verify else None, cert if both else None, key if both else None, tls=True)


def _of_context(environ: t.Mapping[str, str]) -> Found:
    name = environ.get("DOCKER_CONTEXT") or _context_in_use(environ)
    if name == "default":
        return Found()
    try:
        # Few machines have a context, and the SDK takes a while to import.
        from docker.context import ContextAPI  # noqa: PLC0415
    except ImportError:  # whoever connects is told
        return Found()
    # The SDK raises whatever the files of a context make it raise.
    try:
        context: t.Any = ContextAPI.get_context(name)
    except Exception as exc:
        raise EngineUnreachable(f"the Docker context {name} cannot be read ({exc}): see docker context inspect {name}") from exc
    if context is None or not context.Host:
        raise EngineUnreachable(
            f"the Docker context {name} is not there: see docker context ls, or name the Engine with engine_url or DOCKER_HOST"
        )
    tls = context.TLSConfig
    if tls is None:
        return Found(str(context.Host))
    cert, key = tls.cert
    return Found(str(context.Host), tls.ca_cert if tls.verify else None, cert, key, tls=True)


def _context_in_use(environ: t.Mapping[str, str]) -> str:
    """Name of the context that ``docker context use`` chose. A file that cannot be read chooses none, as for the docker command."""
    try:
        with open(os.path.join(_config_folder(environ), "config.json"), encoding="utf-8") as file:
            return str(json.load(file).get("currentContext") or "default")
    except (OSError, ValueError, AttributeError):
        return "default"


def _config_folder(environ: t.Mapping[str, str]) -> str:
    return environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
