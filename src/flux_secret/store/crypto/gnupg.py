"""A store of OpenPGP messages, as a person's gpg opens it and everybody's keys close it."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol

from flux_secret.errors import DecryptError
from flux_secret.model.openpgp import PublicKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.encrypt import Encryptor, Exporting
from flux_secret.store.crypto.packets import HIDDEN, recipients
from flux_secret.store.crypto.recipients import (
    Exported,
    Keyring,
    Recipient,
    Recipients,
    Unusable,
)
from flux_secret.store.interface import Audience, Reader
from flux_secret.store.tree import GPG


class PersonsGpg(Keyring, Exporting, Protocol):
    """A person's gpg, whose private keys stay where they are."""

    def secret_keys(self) -> Awaitable[Sequence[PublicKey]]:
        """List the keys whose private halves the person has."""

    def decrypt_all(
        self, ciphertexts: Sequence[bytes]
    ) -> Awaitable[list[Plaintext | DecryptError]]:
        """Decrypt many messages."""


class GnuPgCrypto:
    """Encrypts and decrypts the entries of one store."""

    layout = GPG

    def __init__(self, gpg: PersonsGpg, exported: Exported) -> None:
        """Take what the store's `.public-keys` has of a recipient from `exported`."""
        self._gpg = gpg
        self._encryptor = Encryptor(gpg)
        self.recipients = Recipients(gpg, exported)
        self._own: frozenset[str] | None = None

    async def encrypt(self, text: Plaintext, ids: Collection[str], where: str) -> bytes:
        """Encrypt to exactly these recipients; raise `RecipientError` naming who cannot be."""
        return await self._encryptor.encrypt(text, await self.recipients.wanted(ids, where))

    async def decrypt_all(self, messages: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Decrypt; each message that cannot be is its own `DecryptError`."""
        return await self._gpg.decrypt_all(messages)

    async def ensure_usable(self, ids: Collection[str], where: str) -> None:
        """Raise `RecipientError` naming who cannot be encrypted to."""
        await self.recipients.wanted(ids, where)

    async def readers(self, ids: Collection[str]) -> list[Reader]:
        """Say of each id whom it names; what is wrong is their `problem`."""
        if self._own is None:
            self._own = frozenset(key.fingerprint for key in await self._gpg.secret_keys())
        return [_reader(one, self._own) for one in await self.recipients.find(ids)]

    def audience(self, message: bytes) -> Audience:
        """Say whom a message is for; hidden recipients are only counted."""
        named = recipients(message)
        hidden = named.count(HIDDEN)
        return Audience(frozenset(named) - {HIDDEN}, hidden)


def _reader(one: Recipient | Unusable, own: frozenset[str]) -> Reader:
    key = one.key
    if key is None:
        return Reader(one.id, one.id, problem=one.reason if isinstance(one, Unusable) else "")
    chosen = frozenset({one.subkey.key_id} if isinstance(one, Recipient) else ())
    return Reader(
        one.id, str(key), chosen, frozenset(sub.key_id for sub in key.subkeys) - chosen,
        fingerprint=key.fingerprint, expires=key.expires,
        problem=one.reason if isinstance(one, Unusable) else "",
        is_self=key.fingerprint in own,
    )  # fmt: skip
