# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is assembled from."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils import _assemble as assemble
from ansible_collections.gravity.cluster.plugins.module_utils._assemble import AssembleFailed, Entry, Member, Recipe
from ansible_collections.gravity.cluster.plugins.module_utils._errors import Refused

WHEEL = {"package": "some-tool", "version": "2.0", "hashes": {"x86_64": "ab" * 32}}


def parts(**data: Any) -> dict[str, str]:
    return assemble.parts_of(assemble.recipe_from({"wheel": WHEEL, **data}), "x86_64")


def test_parts_name_the_wheel() -> None:
    assert parts()["wheel"] == "some-tool 2.0 (abababababab)"


def test_each_input_changes_its_own_part() -> None:
    base = parts()
    changed = {
        "members": parts(members=[{"member": "a", "path": "/a"}]),
        "programs": parts(programs=["sh"]),
        "files": parts(files=[{"path": "/a", "content": "b"}]),
        "folders": parts(folders=[{"path": "/a"}]),
        "settings": parts(env={"A": "b"}),
    }
    for name, other in changed.items():
        assert {key for key in base if base[key] != other[key]} == {name}


def test_order_of_programs_and_environment_does_not_count() -> None:
    assert parts(programs=["a", "b"], env={"A": "1", "B": "2"}) == parts(programs=["b", "a"], env={"B": "2", "A": "1"})


def test_no_wheel_for_an_architecture() -> None:
    with pytest.raises(Refused, match=r"some-tool 2.0: no wheel is pinned for architecture riscv64 \(pinned: x86_64\)"):
        assemble.parts_of(assemble.recipe_from({"wheel": WHEEL}), "riscv64")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"members": [{"member": "a", "path": "/a"}]}, "assemble.wheel is not set"),
        ({"wheel": WHEEL, "members": [{"member": "a", "path": "a"}]}, "must be absolute"),
        ({"files": [{"path": "/a/../b", "content": ""}]}, "must be absolute and without"),
        ({"folders": [{"path": "/a", "mode": "rwx"}]}, "not a file mode"),
        ({"folders": [{"path": "/a", "owner": "node"}]}, "must be numeric"),
    ],
)
def test_recipes_that_cannot_be_meant(data: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        assemble.recipe_from(data)


@pytest.mark.parametrize(("text", "owner"), [("0", (0, 0)), ("10001", (10001, 10001)), ("10001:20", (10001, 20))])
def test_owner(text: str, owner: tuple[int, int]) -> None:
    assert assemble.owner_from(text) == owner


def test_instructions_are_quoted() -> None:
    recipe = Recipe(user="1:2", workdir="/data", env={"A": 'say "$HOME" \\'}, entrypoint=("a",), command=("b", 'c"'))
    assert assemble.changes_of(recipe, {"l": "{}"}) == [
        "USER 1:2",
        "WORKDIR /data",
        'ENV A="say \\"\\$HOME\\" \\\\"',
        'LABEL "l"="{}"',
        'ENTRYPOINT ["a"]',
        'CMD ["b", "c\\""]',
    ]


def test_line_breaks_are_refused() -> None:
    with pytest.raises(Refused, match="line break"):
        assemble.changes_of(Recipe(env={"A": "b\nUSER root"}), {})


LDD = """\
\tlinux-vdso.so.1 (0x00007fc6208fa000)
\tlibown.so => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fc620707000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007fc6208fc000)
"""


def test_ldd() -> None:
    assert assemble.parse_ldd(LDD) == [
        ("libown.so", None),
        ("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"),
        ("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
    ]
    assert assemble.parse_ldd("\tstatically linked\n") == []


def read_tar(entries: dict[str, Entry]) -> tuple[bytes, dict[str, tarfile.TarInfo]]:
    data = b"".join(assemble.tar_stream(entries))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return data, {entry.name: entry for entry in tar}


def test_tar_is_sorted_has_parents_and_no_times(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"x" * 1500)
    entries = {
        "/usr/bin/tool": Entry(0o755, source=tmp_path / "program"),
        "/data": Entry(0o700, 10001, 10002),
        "/etc/passwd": Entry(0o644, content=b"root"),
    }
    data, found = read_tar(entries)
    assert list(found) == ["data", "etc", "etc/passwd", "usr", "usr/bin", "usr/bin/tool"]
    assert {entry.mtime for entry in found.values()} == {0}
    assert (found["data"].uid, found["data"].gid, found["data"].mode, found["data"].isdir()) == (10001, 10002, 0o700, True)
    assert (found["usr/bin/tool"].size, found["usr/bin/tool"].mode) == (1500, 0o755)
    os.utime(tmp_path / "program", (1, 1))
    assert read_tar(dict(reversed(entries.items())))[0] == data


@given(st.dictionaries(st.from_regex(r"(/[a-z]{1,3}){1,4}", fullmatch=True), st.binary(max_size=2000), max_size=6))
def test_tar_holds_what_was_put_in(files: dict[str, bytes]) -> None:
    # A path cannot be a file and a folder at once.
    files = {path: content for path, content in files.items() if not any(other.startswith(path + "/") for other in files)}
    data = b"".join(assemble.tar_stream({path: Entry(0o644, content=content) for path, content in files.items()}))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {"/" + entry.name: (tar.extractfile(entry) or io.BytesIO()).read() for entry in tar if entry.isreg()}
    assert found == files


def test_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"x" * 3_000_000)
    stream = assemble.tar_stream({"/tool": Entry(0o755, source=tmp_path / "program")})
    next(stream)
    os.truncate(tmp_path / "program", 10)
    with pytest.raises(AssembleFailed, match="became shorter"):
        list(stream)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in ("tool-linux-x64", "./lib/libown.x86_64.so", "README"):
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    path = tmp_path / "some_tool-2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some_tool/bin/tool.tar.zst", zstandard.ZstdCompressor().compress(tar.getvalue()))
        archive.writestr("some_tool/plain", b"plain")
    return path


MEMBERS = [
    Member("*tool-linux-*", "/usr/bin/tool", "some_tool/bin/*.tar.zst", 0o755),
    Member("*libown.*.so", "/usr/lib/", "some_tool/bin/*.tar.zst"),
    Member("*/plain", "/etc/plain"),
]


def unpacking_program(folder: Path) -> Path:
    """A folder with a program zstd, for machines that have none."""
    folder.mkdir()
    program = folder / "zstd"
    code = "import sys, zstandard; zstandard.ZstdDecompressor().copy_stream(sys.stdin.buffer, sys.stdout.buffer)"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}'\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("by", ["package", "program"])
def test_members_of_a_wheel(wheel: Path, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "program":
        # An entry of None makes the import fail, as on a Docker host without the package.
        monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
        if shutil.which("zstd") is None:
            monkeypatch.setenv("PATH", str(unpacking_program(tmp_path / "bin")), prepend=os.pathsep)
    (tmp_path / "out").mkdir()
    entries = assemble.take_members(wheel, MEMBERS, tmp_path / "out")
    content = {path: entry.source.read_bytes() for path, entry in entries.items() if entry.source}
    assert content == {"/usr/bin/tool": b"tool-linux-x64", "/usr/lib/libown.x86_64.so": b"./lib/libown.x86_64.so", "/etc/plain": b"plain"}
    assert entries["/usr/bin/tool"].mode == 0o755


def test_nothing_unpacks_zstd(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AssembleFailed, match="nothing on the Docker host unpacks zstd"):
        assemble.take_members(wheel, MEMBERS, tmp_path)


def test_member_that_the_wheel_lacks(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(AssembleFailed, match=r"holds no nothing in some_tool/bin"):
        assemble.take_members(wheel, [Member("nothing", "/a", "some_tool/bin/tool.tar.zst")], tmp_path)


def test_wheel_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(AssembleFailed, match="cannot be unpacked"):
        assemble.take_members(tmp_path / "a.whl", MEMBERS, tmp_path)


def test_programs_bring_their_libraries(tmp_path: Path) -> None:
    entries = assemble.take_programs(["sh", "sleep"])
    assert set(entries) == {"/bin/sh", "/bin/sleep"}
    libraries = assemble.take_libraries(entries, tmp_path)
    assert any("libc.so" in path or "ld-" in path for path in libraries)
    assert all(entry.source and entry.source.is_file() for entry in libraries.values())


def test_program_that_the_docker_host_lacks() -> None:
    with pytest.raises(AssembleFailed, match="program no-such-program: not found on the Docker host"):
        assemble.take_programs(["no-such-program"])


def test_scratch_of_killed_runs_is_removed_and_that_of_live_ones_kept(tmp_path: Path) -> None:
    dead, live = tmp_path / ".work-dead", tmp_path / ".work-live"
    dead.mkdir()
    live.mkdir()
    handle = os.open(live, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with assemble.workroom(tmp_path) as work:
            assert work.is_dir()
            assert live.exists()
            assert not dead.exists()
        assert not work.exists()
    finally:
        os.close(handle)


def test_cache_that_cannot_be_written() -> None:
    with pytest.raises(AssembleFailed, match="cannot be used as cache"), assemble.workroom(Path("/proc/nowhere")):
        pass
