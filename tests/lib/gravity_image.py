# SPDX-License-Identifier: GPL-3.0-or-later
"""The test images of flavor gravity: the shape of the real one, with stand-ins for its programs, and a maker of the genesis."""

from __future__ import annotations

import hashlib
import io
import tarfile
import typing as t
from pathlib import Path

import debian_image
import docker
import docker.errors

FOLDER = Path(__file__).parent / "gravity_standin"
PACKAGES = ("bash", "curl", "jq", "python3-minimal", "python3-yaml", "tini")
BASE = "gravity-test-debian"
NODE = "gravity-test-node"
MAKER = "gravity-test-genesis"
HOOKS = (
    'chroot "$1" groupadd --gid 10001 gravity',
    'chroot "$1" useradd --uid 10001 --gid gravity --no-create-home --home-dir /gravity --shell /usr/sbin/nologin gravity',
    'mkdir -p "$1/gravity/config" "$1/gravity/data" && chown -R 10001:10001 "$1/gravity"',
)
# By the name of the image, what it has besides the base.
RECIPES = {
    NODE: """
FROM {base}
COPY gravity_cli gravity_node entrypoint /usr/local/bin/
USER 10001:10001
WORKDIR /gravity
ENV GRAVITY_CONFIG_DIR=/gravity/config GRAVITY_DATA_DIR=/gravity/data RUST_BACKTRACE=1
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/entrypoint"]
CMD ["node"]
""",
    MAKER: """
FROM {base}
COPY make_genesis /usr/local/bin/
ENTRYPOINT ["/usr/local/bin/make_genesis"]
""",
}

Api = t.Any


def base_image(api: Api) -> str:
    """Name of a small Debian with a shell and GNU find; it is made when it is not there."""
    name = f"{BASE}:{_digest(repr((PACKAGES, HOOKS)).encode())}"
    if not _is_there(api, name):
        debian_image.make(api, name, PACKAGES, HOOKS, ())
    return name


def node_image(api: Api) -> str:
    """Name of the node image; it is made when it is not there."""
    return _built(api, NODE)


def maker_image(api: Api) -> str:
    """Name of the image that makes the genesis; it is made when it is not there."""
    return _built(api, MAKER)


def _built(api: Api, repository: str) -> str:
    recipe = RECIPES[repository].format(base=base_image(api)).encode()
    programs = sorted(path for path in FOLDER.iterdir() if path.is_file() and path.name.encode() in recipe)
    name = f"{repository}:{_digest(recipe, *(path.read_bytes() for path in programs))}"
    if _is_there(api, name):
        return name
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name_in_image, content in {"Dockerfile": recipe, **{path.name: _program(path) for path in programs}}.items():
            entry = tarfile.TarInfo(name_in_image)
            entry.mode, entry.size = 0o755, len(content)
            archive.addfile(entry, io.BytesIO(content))
    said = list(api.build(fileobj=io.BytesIO(context.getvalue()), custom_context=True, tag=name, rm=True, decode=True))
    if not _is_there(api, name):
        raise RuntimeError(f"{name}: {said[-1:]}")
    return name


def _program(path: Path) -> bytes:
    content = path.read_bytes()
    # The image's own Python, not that of the tests.
    return content if content.startswith(b"#!") else b"#!/usr/bin/python3\n" + content


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _is_there(api: Api, name: str) -> bool:
    try:
        api.inspect_image(name)
    except docker.errors.ImageNotFound:
        return False
    return True


def main() -> None:
    """Make both images and say their names."""
    api = docker.APIClient(version="auto")
    print(f"{node_image(api)}\n{maker_image(api)}")


if __name__ == "__main__":
    main()
