"""Private keys → a decryptor: in process with pysequoia, by gpg where only gpg can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pysequoia

from flux_secret.errors import KeyFileError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.attempt import attempt
from flux_secret.store.crypto.packets import key_ids, split_keys


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
            for secret in secret_keys(key):
                ids += key_ids(str(secret.extract_certificate()).encode())
                self._decryptors += _decryptor(secret, passphrase)
        self.key_ids = tuple(ids)
        """Ids of the keys and subkeys that are held, 16 hex digits each."""

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Decrypt in process; ask gpg when that fails (mixed-usage RSA keys, facts: peers §4.3)."""
        for decryptor in self._decryptors:
            plain = _in_process(ciphertext, decryptor)
            if plain is not None:
                return Plaintext(plain)
        return Plaintext(await self._fallback.decrypt(ciphertext))


def _in_process(ciphertext: bytes, decryptor: pysequoia.PyDecryptor) -> bytes | None:
    return attempt(lambda: pysequoia.decrypt(ciphertext, decryptor=decryptor).bytes)


class GnuPgHome:
    """Decrypts with the keys of a person's GnuPG home, which never leave it."""

    key_ids: tuple[str, ...] = ()

    def __init__(self, gpg: Fallback) -> None:
        self._gpg = gpg

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Let gpg decrypt."""
        return Plaintext(await self._gpg.decrypt(ciphertext))


def secret_keys(key: bytes) -> list[pysequoia.Tsk]:
    """Read private keys, armored or binary; raise `KeyFileError` when there is none."""
    pieces = split_keys(key)
    found = attempt(lambda: [pysequoia.Tsk.from_bytes(piece) for piece in pieces])
    if not found:
        raise KeyFileError(
            "the file holds no OpenPGP private key",
            remedy="export it with `gpg --armor --export-secret-keys KEYID > FILE`",
        )
    return found


def _decryptor(secret: pysequoia.Tsk, passphrase: str | None) -> list[pysequoia.PyDecryptor]:
    """Unlock a key; none when it has no subkey that the library would use, which gpg may use."""
    try:
        return [secret.decryptor()]
    except Exception as failure:  # noqa: BLE001 -- pyo3 raises whatever
        if "encrypted" not in str(failure).partition("\n")[0]:
            return []
    name = str(secret.extract_certificate().fingerprint)[-16:].upper()
    if passphrase is None:
        raise KeyFileError(
            f"the private key {name} is protected by a passphrase",
            remedy="name a file that holds it: --git-gpg-passphrase-file",
        )
    try:
        return [secret.decryptor(passphrase)]
    except Exception:  # noqa: BLE001 -- pyo3 raises whatever
        raise KeyFileError(
            f"the passphrase does not unlock the private key {name}",
            remedy="mend the file that --git-gpg-passphrase-file names",
        ) from None
