"""A public key's line and its fingerprints."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import KeyFileError
from flux_secret.model.identity import OpenPgpPublic, SshPublic

GITHUB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.mark.parametrize("line", [GITHUB, f"{GITHUB} flux at some cluster"])
def test_a_line_is_printed_as_it_was_read(line: str) -> None:
    assert str(SshPublic.parse(f"{line}\n")) == line


def test_the_fingerprints_are_those_that_ssh_and_fluxctl_show() -> None:
    key = SshPublic.parse(GITHUB)
    assert key.sha256 == "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"  # as GitHub publishes it
    assert key.md5 == "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 ####",
        f"{GITHUB}\n{GITHUB}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        f"{GITHUB} \x1b[31m",
    ],
)
def test_what_is_no_line_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        SshPublic.parse(text)
    assert caught.value.what == "that is no public ssh key"


@given(st.text())
def test_any_text_is_a_key_or_our_error(text: str) -> None:
    with contextlib.suppress(KeyFileError):
        assert str(SshPublic.parse(text)).isprintable()


def test_gopass_names_a_key_by_its_last_sixteen_digits() -> None:
    assert OpenPgpPublic("0123456789ABCDEF" * 2 + "06C57F5C", "").gopass_id == "0x89ABCDEF06C57F5C"
