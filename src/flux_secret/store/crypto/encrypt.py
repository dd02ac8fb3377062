"""Plaintext + recipients → an OpenPGP message for exactly them, as gopass and pass write it.

In process where that gives what gpg would give; by gpg where the library cannot use a key, or would
use another subkey. Which keys a message is for is read back from it before anybody stores it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

import pysequoia

from flux_secret.errors import RecipientError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.attempt import attempt
from flux_secret.store.crypto.packets import message as headers
from flux_secret.store.crypto.packets import recipients
from flux_secret.store.crypto.recipients import Recipient


class Exporting(Protocol):
    """The gpg program, for keys in its keyring."""

    def export(self, *fingerprints: str) -> Awaitable[bytes]:
        """Give public keys in binary form."""

    def encrypt(self, text: Plaintext, subkeys: Sequence[str]) -> Awaitable[bytes]:
        """Encrypt to exactly these subkeys, named by fingerprint."""


class Encryptor:
    """Encrypts to keys of a person's keyring and of the store."""

    def __init__(self, gpg: Exporting) -> None:
        self._gpg = gpg
        self._certificates: dict[str, pysequoia.Cert | None] = {}

    async def encrypt(self, text: Plaintext, to: Sequence[Recipient]) -> bytes:
        """Encrypt; raise `RecipientError` when the message is not for everybody of `to`.

        Binary, uncompressed, and for no key besides: not even the writer's own.
        """
        if not to:
            raise RecipientError("there is nobody to encrypt to", remedy="name a recipient")
        wanted = sorted(one.subkey.key_id for one in to)
        certificates = await self._known(to)
        message = _in_process(text, certificates)
        if message is None or not _is_for(message, wanted):
            message = await self._gpg.encrypt(text, [one.subkey.fingerprint for one in to])
        if not _is_for(message, wanted):
            raise RecipientError(
                f"the message is for {', '.join(recipients(message)) or 'nobody'} instead of "
                f"{', '.join(wanted)}",
                remedy="look for throw-keyids or encrypt-to in gpg.conf; nothing was written",
            )
        return message

    async def _known(self, to: Sequence[Recipient]) -> list[pysequoia.Cert | None]:
        missing = [one for one in to if one.key.fingerprint not in self._certificates]
        exported = b""
        at_gpg = [one.key.fingerprint for one in missing if one.certificate is None]
        if at_gpg:
            exported = await self._gpg.export(*at_gpg)
        found = _parsed(exported)
        for one in missing:
            if one.certificate is not None:
                found |= _parsed(one.certificate)
            self._certificates[one.key.fingerprint] = found.get(one.key.fingerprint)
        return [self._certificates[one.key.fingerprint] for one in to]


def _parsed(certificates: bytes) -> dict[str, pysequoia.Cert]:
    found = attempt(lambda: pysequoia.Cert.split_bytes(certificates)) if certificates else None
    return {str(one.fingerprint).upper(): one for one in found or ()}


def _in_process(text: Plaintext, to: Sequence[pysequoia.Cert | None]) -> bytes | None:
    """Encrypt with the library; None when it has not every key, or will not use one."""
    known = [one for one in to if one is not None]
    if len(known) < len(to):
        return None
    try:
        return bytes(pysequoia.encrypt(text.reveal(), recipients=known, armor=False))
    except Exception:  # noqa: BLE001 -- pyo3 raises whatever; gpg stands in
        return None


def _is_for(message: bytes, wanted: Sequence[str]) -> bool:
    read = headers(message)
    return sorted(read.key_ids) == list(wanted) and read.is_readable_by_all
