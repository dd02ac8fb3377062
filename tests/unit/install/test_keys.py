"""Entries → keys: looked into before anything is installed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from flux_secret.errors import EntryNotFoundError, KeyFileError
from flux_secret.install.keys import Halves, read_keys
from flux_secret.model.identity import OpenPgpPublic, SshPublic
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext

FOLDER = SecretPath.parse("admin/technical/k8s/prod/flux")
SSH_PUBLIC = SshPublic.parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6 flux")
GPG = b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n"
SSH = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
PEM = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n"


class Store:
    """Entries in memory."""

    def __init__(self, entries: Mapping[str, bytes], packed: bytes = b"") -> None:
        self._entries = entries
        self._packed = packed

    async def read(self, path: SecretPath) -> Plaintext:
        assert path.parts[:-1] == FOLDER.parts
        if path.parts[-1] not in self._entries:
            raise EntryNotFoundError(f"there is no entry {path}")
        return Plaintext(self._entries[path.parts[-1]])

    def unpacked(self, path: SecretPath, text: Plaintext) -> Plaintext:
        del path
        return Plaintext(self._packed) if self._packed else text


def openpgp(private: Plaintext) -> tuple[OpenPgpPublic, ...]:
    if private != Plaintext(GPG):
        raise KeyFileError("the file holds no OpenPGP private key")
    return (OpenPgpPublic("A" * 40, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),)


async def ssh(private: Plaintext) -> SshPublic:
    del private
    return SSH_PUBLIC


HALVES = Halves(openpgp, ssh)


async def test_both_keys_are_read_with_what_everybody_may_know() -> None:
    store = Store({"gpg-private-key": GPG, "ssh-private-key": SSH})
    keys = await read_keys(store, FOLDER, HALVES)
    assert keys.gpg == Plaintext(GPG)
    assert keys.ssh == Plaintext(SSH)
    assert keys.identity.ssh == SSH_PUBLIC
    assert "PRIVATE" not in repr(keys)


async def test_an_ssh_key_gets_the_last_line_break_that_ssh_wants() -> None:
    windows = SSH.replace(b"\n", b"\r\n").rstrip()
    store = Store({"gpg-private-key": GPG, "ssh-private-key": windows})
    assert (await read_keys(store, FOLDER, HALVES)).ssh == Plaintext(SSH)


async def test_a_packed_file_is_unpacked() -> None:
    store = Store(
        {"gpg-private-key": GPG, "ssh-private-key": b"\nContent-Transfer-Encoding: Base64\n"},
        packed=SSH,
    )
    assert (await read_keys(store, FOLDER, HALVES)).ssh == Plaintext(SSH)


@pytest.mark.parametrize(
    ("entry", "text", "says"),
    [
        ("gpg-private-key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "holds no OpenPGP private"),
        ("gpg-private-key", b"", "holds no OpenPGP private"),
        ("ssh-private-key", b"ssh-ed25519 AAAA flux\n", "is not an ssh private key"),
        ("ssh-private-key", GPG, "is not an ssh private key"),
        ("ssh-private-key", PEM, "has a passphrase"),
    ],
)
async def test_what_the_agent_could_not_use_is_refused_by_name(
    entry: str, text: bytes, says: str
) -> None:
    store = Store({"gpg-private-key": GPG, "ssh-private-key": SSH, entry: text})
    with pytest.raises(KeyFileError, match=says) as caught:
        await read_keys(store, FOLDER, HALVES)
    assert f"{FOLDER}/{entry}" in caught.value.what
    assert caught.value.remedy
    assert caught.value.__cause__ is None


async def test_a_missing_entry_is_the_stores_own_error() -> None:
    with pytest.raises(EntryNotFoundError, match="flux/ssh-private-key"):
        await read_keys(Store({"gpg-private-key": GPG}), FOLDER, HALVES)
