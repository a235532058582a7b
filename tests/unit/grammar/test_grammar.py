# SPDX-License-Identifier: GPL-3.0-or-later
"""One grammar for the spec and for the modules."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar


@pytest.mark.parametrize(
    ("written", "meant"),
    [("/data", "/data"), ("//www/x", "/www/x"), ("/www/", "/www"), ("/./a//b/.", "/a/b"), ("///a", "/a"), ("/a..b", "/a..b")],
)
def test_a_path_has_one_form(written: str, meant: str) -> None:
    assert grammar.path(written) == meant


@pytest.mark.parametrize("written", ["", "data", "./data", "/a/../b", "/..", "/", "//", "/.", "/a\nb", "/a\0", None, 5, ["/a"]])
def test_what_is_no_path(written: t.Any) -> None:
    with pytest.raises(grammar.Wrong):
        grammar.path(written)


@given(st.text(alphabet="/.ab", min_size=1, max_size=12))
def test_a_path_is_normal_once_and_for_all(written: str) -> None:
    try:
        normal = grammar.path(written)
    except grammar.Wrong:
        return
    assert grammar.path(normal) == normal
    found = grammar.parents(normal)
    assert found[0] == normal
    assert len(found) == normal.count("/")
    assert all(one.startswith("/") and not one.endswith("/") for one in found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("/tmp", ("/tmp", "")), ("//run/:size=64m,mode=1777,noexec", ("/run", "size=64m,mode=1777,noexec")), ("/a:ro", ("/a", "ro"))],
)
def test_folders_in_memory(written: str, meant: t.Tuple[str, str]) -> None:
    assert grammar.tmpfs(written) == meant


@pytest.mark.parametrize("written", ["/tmp:64m", "/tmp:size=lots", "/tmp:size", "/tmp:ro=1", "/tmp:,", "tmp:ro", 5])
def test_folders_in_memory_that_the_engine_refuses(written: t.Any) -> None:
    with pytest.raises(grammar.Wrong):
        grammar.tmpfs(written)


@pytest.mark.parametrize(
    ("parse", "written", "meant"),
    [
        (grammar.duration, 0.5, 0.5),
        (grammar.duration, "500ms", 0.5),
        (grammar.duration, "1m30s", 90),
        (grammar.duration, "1h2m", 3720),
        (grammar.duration, "90", 90),
        (grammar.whole_seconds, "1m", 60),
        (grammar.whole_seconds, "1000ms", 1),
        (grammar.memory, "6m", 6 * 1024**2),
        (grammar.memory, "1.5g", 3 * 512 * 1024**2),
        (grammar.memory, "512 MiB", 512 * 1024**2),
        (grammar.memory, 2**30, 2**30),
        (grammar.nanocpus, 0.01, 10_000_000),
        (grammar.nanocpus, "2", 2_000_000_000),
        (grammar.port, 65535, 65535),
        (grammar.mode, "644", "0644"),
        (grammar.capability, "cap_net_admin", "NET_ADMIN"),
        (grammar.capability, "ALL", "ALL"),
        (grammar.network_name, "n", "n"),
        (grammar.object_name, "a.", "a."),
        (grammar.plain_text, "\U0001f600", "\U0001f600"),
    ],
)
def test_what_is_meant(parse: t.Callable[[t.Any], t.Any], written: t.Any, meant: t.Any) -> None:
    assert parse(written) == meant


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        *(
            (grammar.duration, value)
            for value in ("", " ", "soon", "-1s", -1, True, None, [], "1s1h", float("nan"), float("inf"), 10**400, "9" * 400)
        ),
        *((grammar.whole_seconds, value) for value in ("500ms", 1.5, "0.5s")),
        *(
            (grammar.memory, value)
            for value in (1, "1", "5m", "", "m", "1x", -1, True, None, 1.5, "9" * 400 + "g", 10**400, "9e9t", 2**63, "9999999t")
        ),
        *((grammar.nanocpus, value) for value in (0, 0.009, 1025, float("nan"), float("inf"), 10**400, "9" * 400, "many", True, None, [])),
        *((grammar.port, value) for value in (0, 65536, "80", True, 10**400, None, 80.0)),
        *((grammar.mode, value) for value in ("888", "rw", "", 644, None, "06440")),
        *((grammar.capability, value) for value in ("", "FLY", "CAP_", None, 1, "NET ADMIN")),
        *((grammar.object_name, value) for value in ("", "a", "-a", "_a", "a b", "a\n", None, 11)),
        *(
            (grammar.network_name, value)
            for value in ("", "-a", "a b", "bridge", "host", "none", "default", "ingress", "docker_gwbridge", 1)
        ),
        *((grammar.env_name, value) for value in ("", "A=B", "A\0", "A\n", " A", None)),
        *((grammar.plain_text, value) for value in ("a\0b", "\ud800", "\udfff")),
    ],
)
def test_what_cannot_be_meant(parse: t.Callable[[t.Any], t.Any], written: t.Any) -> None:
    with pytest.raises(grammar.Wrong) as refused:
        parse(written)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("parse", [grammar.duration, grammar.memory, grammar.nanocpus, grammar.port, grammar.mode, grammar.image])
def test_a_number_that_python_does_not_write(parse: t.Callable[[t.Any], t.Any]) -> None:
    with pytest.raises(grammar.Wrong):
        parse(10**5000)


@pytest.mark.parametrize("name", ["a.b", "a-", "a_"])
def test_an_overlay_has_a_name_that_dns_takes(name: str) -> None:
    assert grammar.network_name(name) == name
    with pytest.raises(grammar.Wrong):
        grammar.network_name(name, overlay=True)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a:1",
        "A.b/c",
        "a/b-c__d.e:v1.0_x",
        "localhost/a",
        "localhost:5000/a:1",
        "Host:5000/a",
        "192.0.2.1:5000/a/b",
        "a@sha256:" + "0" * 64,
    ]
    + ["a:1@sha256:" + "0" * 64, "sha256:" + "0" * 64],
)
def test_names_of_images(name: str) -> None:
    assert grammar.image(name) == name


@pytest.mark.parametrize(
    "name", ["", "a:", "a/../b", "..", "a/", "/a", "a b", "A", "a:" + "x" * 129, "a" * 256, "a@b", "a:-x", "a//b", "-a", "a\n", None, 1]
)
def test_what_is_no_name_of_an_image(name: t.Any) -> None:
    with pytest.raises(grammar.Wrong):
        grammar.image(name)


@pytest.mark.parametrize(
    ("host", "text"), [("2001:db8::1", "[2001:db8::1]:80"), ("192.0.2.1", "192.0.2.1:80"), ("a.example.org", "a.example.org:80")]
)
def test_an_ipv6_address_with_a_port(host: str, text: str) -> None:
    assert grammar.authority(host, 80) == text
