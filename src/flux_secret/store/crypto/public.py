"""Private OpenPGP key → what everybody may know of it, in process."""

from __future__ import annotations

import pysequoia

from flux_secret.errors import KeyFileError
from flux_secret.model.identity import OpenPgpPublic
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.openpgp import OpenPgp, secret_keys
from flux_secret.store.crypto.packets import is_public_only


class _NoFallback:
    async def decrypt(self, ciphertext: bytes) -> bytes:
        raise NotImplementedError


def public_halves(private: Plaintext) -> tuple[OpenPgpPublic, ...]:
    """Give the public half of each key; raise `KeyFileError`.

    Refused is also a key under a passphrase: it is meant for an agent, and nobody types there.
    """
    key = private.reveal()
    OpenPgp([key], None, _NoFallback())
    return tuple(_public(secret.extract_certificate()) for secret in secret_keys(key))


def public_keys(text: str) -> tuple[OpenPgpPublic, ...]:
    """Read public keys; raise `KeyFileError` when there is none, or a private one."""
    untrusted, found = text.encode(), []
    if is_public_only(untrusted):
        try:
            found = pysequoia.Cert.split_bytes(untrusted)
        except Exception:  # noqa: BLE001 -- pyo3 raises whatever
            found = []
    if not found:
        raise KeyFileError("that is no OpenPGP public key", remedy="gpg --armor --export KEYID")
    return tuple(map(_public, found))


def _public(certificate: pysequoia.Cert) -> OpenPgpPublic:
    return OpenPgpPublic(certificate.fingerprint.upper(), str(certificate))
