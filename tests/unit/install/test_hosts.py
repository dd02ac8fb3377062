"""known_hosts is read as ssh reads it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.install.hosts import unknown_hosts
from flux_secret.model.giturl import GitUrl

KEY = "ssh-ed25519 AAAA"


def hashed(name: str) -> str:
    salt = b"x" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("host", "git@host:org/repo"),
        ("other,host", "git@host:org/repo"),
        ("HOST", "git@Host:org/repo"),
        ("*.example", "ssh://git@git.example/repo"),
        ("host?", "ssh://host1/repo"),
        ("[host]:2222", "ssh://git@host:2222/repo"),
        ("host", "ssh://git@host:22/repo"),
        ("::1", "ssh://git@[::1]/repo"),
        ("@cert-authority *.example", "ssh://git@git.example/repo"),
        (hashed("host"), "git@host:org/repo"),
        (hashed("[host]:2222"), "ssh://git@host:2222/repo"),
    ],
)
def test_a_known_host_is_known(field: str, url: str) -> None:
    assert unknown_hosts(f"# hosts\n\n{field} {KEY} comment\n", [GitUrl.parse(url)]) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", "host"),
        (f"other {KEY}", "host"),
        (f"host.example {KEY}", "host"),
        (f"*,!host {KEY}", "host"),
        (f"#host {KEY}", "host"),
        ("host ssh-ed25519", "host"),
        (f"@revoked host {KEY}", "host"),
        (f"[host]:2222 {KEY}", "host"),
        (f"{hashed('other')} {KEY}", "host"),
        (f"|1|not base64|x {KEY}", "host"),
    ],
)
def test_an_unknown_host_is_named(line: str, name: str) -> None:
    assert unknown_hosts(f"{line}\n", [GitUrl.parse("git@host:org/repo")]) == [name]


def test_what_is_no_ssh_needs_no_host_key() -> None:
    urls = [GitUrl.parse("https://host/repo"), GitUrl.parse("file:///repo")]
    assert unknown_hosts("", urls) == []


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert unknown_hosts(text, [GitUrl.parse("git@host:org/repo")]) in ([], ["host"])
