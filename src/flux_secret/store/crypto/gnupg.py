"""A store of OpenPGP messages, as a person's gpg opens it and everybody's keys close it."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Protocol

from flux_secret.errors import DecryptError, RecipientError, UsageError
from flux_secret.model.openpgp import PublicKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.encrypt import Encryptor, Exporting
from flux_secret.store.crypto.packets import (
    HIDDEN,
    Message,
    armored,
    is_bound_weakly,
    is_public_only,
    key_ids,
    newest_signature,
    public_keys,
)
from flux_secret.store.crypto.packets import message as headers
from flux_secret.store.crypto.recipients import (
    Exported,
    Keyring,
    Recipient,
    Recipients,
    Unusable,
    is_bound,
    is_of,
)
from flux_secret.store.interface import Audience, Export, Form, Newcomer, Newer, Reader
from flux_secret.store.tree import GPG


class PersonsGpg(Keyring, Exporting, Protocol):
    """A person's gpg, whose private keys stay where they are."""

    def import_(self, certificate: bytes) -> Awaitable[None]:
        """Put a public key into the keyring."""

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
        read = headers(message)
        named = frozenset(read.key_ids) - {HIDDEN}
        return Audience(named, read.key_ids.count(HIDDEN), _form(read))

    async def weaknesses(self, ids: Collection[str]) -> dict[str, str]:
        """Say of ids whose keys can be used, and should not be for long, why that is so."""
        found = [one for one in await self.recipients.find(ids) if isinstance(one, Recipient)]
        exported = await self._gpg.export(*(one.key.fingerprint for one in found)) if found else b""
        pieces = {key_ids(piece)[0]: piece for piece in public_keys(exported)}
        certificates = {one.id: one.certificate or pieces.get(one.key.key_id) for one in found}
        return {
            one.id: "is bound with SHA-1, which newer programs refuse"
            for one in found
            if is_bound_weakly(certificates[one.id] or b"", one.subkey.key_id)
        }

    def key_ids(self, exported: bytes) -> tuple[str, ...]:
        """Give the ids of an exported key and its subkeys; nothing for what is no public key."""
        return key_ids(exported) if is_public_only(exported) else ()

    async def find(self, text: str) -> frozenset[str]:
        """Give the fingerprints of everybody whom a person may mean."""
        return await self.recipients.fingerprints(text)

    async def newcomer(self, text: str, key: bytes | None) -> Newcomer:
        """Find the one usable key that an id names, in a given key file if there is one."""
        if key is not None:
            text = await self._offered(text, key)
        found = (await self.recipients.find([text]))[0]
        if isinstance(found, Unusable):
            raise RecipientError(
                f"{found}",
                remedy="get the person's key: gpg --import FILE, or name its file: --key FILE",
            )
        exported = found.certificate or await self._gpg.export(found.key.fingerprint)
        pinned = f"0x{found.subkey.key_id}!" if text.endswith("!") else ""
        return Newcomer(pinned or found.key.gopass_id, armored(exported), found.key.fingerprint)

    async def keys_in(self, exported: bytes) -> Sequence[PublicKey]:
        """Read an exported key, without importing it; nothing for what is no public key."""
        return await self._gpg.shown(exported) if is_public_only(exported) else ()

    async def import_key(self, one: Newcomer) -> None:
        """Put a newcomer's key into the person's keyring."""
        if one.exported is not None:
            await self._gpg.import_(one.exported)

    async def exports(self, stored: Mapping[str, bytes | None]) -> dict[str, Export]:
        """Compare recipients' keys in the store's `.public-keys` with the keyring's."""
        keys = await self.recipients.in_keyring(stored)
        fingerprints = [key.fingerprint for key in keys.values()]
        pieces = public_keys(await self._gpg.export(*fingerprints) if fingerprints else b"")
        by_id = {key_ids(piece)[0]: piece for piece in pieces}
        ours = {one: by_id.get(key.key_id, b"") for one, key in keys.items()}
        return {
            one: Export(
                _newer(ours.get(one, b""), theirs, one), armored(ours[one]) if one in ours else None
            )
            for one, theirs in stored.items()
        }

    async def _offered(self, text: str, key: bytes) -> str:
        """Take the one key of a file into account; give its id."""
        pieces = public_keys(key)
        shown = await self._gpg.shown(pieces[0]) if len(pieces) == 1 else ()
        if len(shown) != 1:
            raise UsageError(
                f"the key file holds {len(pieces)} public keys, where one is wanted",
                remedy="export the one: gpg --armor --export FINGERPRINT >FILE",
            )
        one = shown[0]
        if text and not is_of(one, text):
            raise UsageError(
                f"the key file holds {one}, and not {text!a}",
                remedy="leave the id out to take the key of the file",
            )
        for written in (one.gopass_id, one.fingerprint):
            self.recipients.offer(written, pieces[0])
        return one.gopass_id


def _form(read: Message) -> Form:
    if not read.is_whole:
        return Form.OTHER
    if read.is_armored:
        return Form.ARMORED
    return Form.MESSAGE if read.is_readable_by_all else Form.TOO_NEW


def _newer(ours: bytes, stored: bytes | None, one: str) -> Newer:
    if not stored or not ours:
        bound = bool(stored) and is_bound(one, key_ids(stored or b""))
        return Newer.OURS if ours else Newer.STORES if bound else Newer.NEITHER
    if key_ids(stored)[:1] != key_ids(ours)[:1]:
        return Newer.OURS  # the stored file is of another key
    made, kept = newest_signature(ours), newest_signature(stored)
    return Newer.NEITHER if made == kept else Newer.OURS if made > kept else Newer.STORES


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
