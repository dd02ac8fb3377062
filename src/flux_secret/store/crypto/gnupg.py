"""A store of OpenPGP messages, as a person's gpg opens it and everybody's keys close it."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from typing import Protocol

from flux_secret.errors import DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.encrypt import Encryptor, Exporting
from flux_secret.store.crypto.recipients import Exported, Keyring, Recipients
from flux_secret.store.tree import GPG


class PersonsGpg(Keyring, Exporting, Protocol):
    """A person's gpg, whose private keys stay where they are."""

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

    async def encrypt(self, text: Plaintext, ids: Collection[str], where: str) -> bytes:
        """Encrypt to exactly these recipients; raise `RecipientError` naming who cannot be."""
        return await self._encryptor.encrypt(text, await self.recipients.wanted(ids, where))

    async def decrypt_all(self, messages: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Decrypt; each message that cannot be is its own `DecryptError`."""
        return await self._gpg.decrypt_all(messages)
