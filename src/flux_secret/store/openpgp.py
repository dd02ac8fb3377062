"""Private keys → a decryptor: in process with pysequoia, by gpg where only gpg can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pysequoia

from flux_secret.errors import KeyFileError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.packets import key_ids


class Fallback(Protocol):
    """The gpg program."""

    async def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt, or raise `DecryptError`."""


class OpenPgp:
    """Decrypts with the agent's own keys; holds them for the life of the process."""

    def __init__(self, keys: Sequence[bytes], passphrase: str | None, fallback: Fallback) -> None:
        """`keys` are armored or binary private keys, each of which may hold several."""
        self._fallback = fallback
        self._decryptors = []
        ids: list[str] = []
        for key in keys:
            for certificate in _certificates(key):
                ids += key_ids(str(certificate).encode())  # its public half
                self._decryptors.append(_decryptor(certificate, passphrase))
        self.key_ids = tuple(ids)
        """Ids of the keys and subkeys that are held, 16 hex digits each."""

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Decrypt in process; ask gpg when that fails (mixed-usage RSA keys, facts: peers §4.3)."""
        for decryptor in self._decryptors:
            try:
                plain = pysequoia.decrypt(ciphertext, decryptor=decryptor).bytes
            except Exception:  # noqa: BLE001, S112 -- pyo3 raises whatever; gpg has the last word
                continue
            if plain is not None:
                return Plaintext(plain)
        return Plaintext(await self._fallback.decrypt(ciphertext))


class GnuPgHome:
    """Decrypts with the keys of a person's GnuPG home, which never leave it."""

    key_ids: tuple[str, ...] = ()

    def __init__(self, gpg: Fallback) -> None:
        self._gpg = gpg

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Let gpg decrypt."""
        return Plaintext(await self._gpg.decrypt(ciphertext))


def _certificates(key: bytes) -> list[pysequoia.Cert]:
    try:
        found = pysequoia.Cert.split_bytes(key)
    except Exception:  # noqa: BLE001 -- pyo3 raises whatever
        found = []
    secret = [certificate for certificate in found if certificate.has_secret_keys]
    if not secret:
        raise KeyFileError(
            f"the file holds no OpenPGP {'private ' if found else ''}key",
            remedy="export it with `gpg --armor --export-secret-keys KEYID > FILE`",
        )
    return secret


def _decryptor(certificate: pysequoia.Cert, passphrase: str | None) -> pysequoia.PyDecryptor:
    secret = pysequoia.Tsk.from_bytes(bytes(certificate))
    try:
        return secret.decryptor()
    except Exception as locked:  # noqa: BLE001 -- pyo3 raises whatever
        name = certificate.fingerprint[-16:].upper()
        if passphrase is None:
            raise KeyFileError(
                f"the private key {name} is protected by a passphrase",
                remedy="name a file that holds it: --git-gpg-passphrase-file",
            ) from None
        del locked
    try:
        return secret.decryptor(passphrase)
    except Exception:  # noqa: BLE001 -- pyo3 raises whatever
        raise KeyFileError(
            f"the passphrase does not unlock the private key {name}",
            remedy="mend the file that --git-gpg-passphrase-file names",
        ) from None
