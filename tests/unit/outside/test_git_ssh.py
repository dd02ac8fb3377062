from __future__ import annotations

import base64
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ConfigurationError, FluxSecretError, KeyFileError
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.ssh import ssh_command


def armored(data: bytes) -> bytes:
    body = base64.encodebytes(data)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"-----END OPENSSH PRIVATE KEY-----\n"


def key_of(cipher: bytes) -> bytes:
    return armored(b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"\0" * 40)


def words(access: GitAccess, home: Path) -> list[str]:
    return shlex.split(ssh_command(access, "/usr/bin/ssh", home))


def test_no_configuration_is_read_and_no_unknown_host_trusted(tmp_path: Path) -> None:
    found = words(GitAccess(), tmp_path)

    assert found[:3] == ["/usr/bin/ssh", "-F", "/dev/null"]
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "UpdateHostKeys=no"} <= set(found)
    assert not [word for word in found if "KnownHosts" in word]


def test_a_named_file_of_known_hosts_is_the_only_one(tmp_path: Path) -> None:
    hosts = tmp_path / "known hosts 100%"
    hosts.touch()

    found = words(GitAccess(known_hosts=hosts), tmp_path)

    assert f'UserKnownHostsFile="{tmp_path}/known hosts 100%%"' in found
    assert "GlobalKnownHostsFile=/dev/null" in found


def test_a_private_key_file_is_used_where_it_lies(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(key_of(b"none"))
    key.chmod(0o400)

    found = words(GitAccess(ssh_key=key), tmp_path)

    assert f'IdentityFile="{key}"' in found
    assert "IdentitiesOnly=yes" in found


def test_a_key_file_that_others_may_read_is_copied(tmp_path: Path) -> None:
    key, home = tmp_path / "key", tmp_path / "home"
    home.mkdir()
    key.write_bytes(key_of(b"none"))
    key.chmod(0o440)

    found = words(GitAccess(ssh_key=key), home)

    assert f'IdentityFile="{home}/identity"' in found
    assert (home / "identity").read_bytes() == key.read_bytes()
    assert (home / "identity").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        key_of(b"aes256-ctr"),
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
    ],
)
def test_a_key_with_a_passphrase_needs_an_ssh_agent(tmp_path: Path, text: bytes) -> None:
    key = tmp_path / "key"
    key.write_bytes(text)
    with pytest.raises(KeyFileError, match="passphrase"):
        words(GitAccess(ssh_key=key), tmp_path)

    assert words(GitAccess(ssh_key=key, ssh_auth_sock="/run/agent"), tmp_path)


def test_a_quote_in_a_name_is_refused(tmp_path: Path) -> None:
    hosts = tmp_path / 'a"b'
    hosts.touch()
    with pytest.raises(ConfigurationError):
        words(GitAccess(known_hosts=hosts), tmp_path)


@given(st.binary() | st.binary().map(armored) | st.binary().map(lambda data: key_of(data[:99])))
def test_any_bytes_give_a_command_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("key")
    (folder / "key").write_bytes(data)
    try:
        assert words(GitAccess(ssh_key=folder / "key"), folder)
    except FluxSecretError as error:
        assert error.remedy
