"""A store of age messages: what AgeCrypto writes, gopass and age read, and the other way round.

Written is age's binary form, never the armored one, which gopass cannot read (facts: gopass §5). A
message does not say whom it is for: only how many, so a reader is never certain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Protocol

import pyrage

from flux_secret.errors import DecryptError, KeyFileError, RecipientError, UsageError
from flux_secret.model.openpgp import PublicKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.ageidentities import Identities, reasons
from flux_secret.store.crypto.agerecipients import (
    ARMOR,
    AgeRecipient,
    AgeUnusable,
    parse,
    quietly,
    short,
    stanzas,
)
from flux_secret.store.interface import Audience, Export, Form, Newcomer, Newer, Reader
from flux_secret.store.tree import AGE


class AgeKeys(Protocol):
    """A person's private keys for age."""

    def ready(self, *, ssh: bool) -> Awaitable[Identities]:
        """Give those that nothing has to be asked for; with those of ssh, or without."""

    def unlocked(self) -> Awaitable[Identities]:
        """Give those under a passphrase, which may be asked for; raise `KeyFileError`."""


class AgeCrypto:
    """Encrypts and decrypts the entries of one store."""

    layout = AGE

    def __init__(self, keys: AgeKeys) -> None:
        self._keys = keys

    async def encrypt(self, text: Plaintext, ids: Collection[str], where: str) -> bytes:
        """Encrypt to exactly these recipients; raise `RecipientError` naming who cannot be."""
        return sealed(text, usable(ids, where), where)

    async def decrypt_all(self, messages: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Decrypt; a passphrase is asked for only when a key without one does not do."""
        ssh = any("ssh-" in kind for one in messages for kind in stanzas(one) or ())
        keys = await self._keys.ready(ssh=ssh)
        answers = [opened(one, keys) for one in messages]
        closed = [
            at for at, one in enumerate(answers)
            if isinstance(one, DecryptError) and stanzas(messages[at])
        ]  # fmt: skip
        if closed:
            try:
                more = keys + await self._keys.unlocked()
            except KeyFileError as failure:
                return [_because(one, failure) for one in answers]
            for at in closed:
                answers[at] = opened(messages[at], more)
        return answers

    async def ensure_usable(self, ids: Collection[str], where: str) -> None:
        """Raise `RecipientError` naming who cannot be encrypted to."""
        usable(ids, where)

    async def readers(self, ids: Collection[str]) -> list[Reader]:
        """Say of each id whom it names; messages never name them."""
        found = [parse(one) for one in ids]
        own = await self._own(ssh=any(one.startswith("ssh-") for one in ids))
        return [
            Reader(one.id, short(one.id), problem=one.reason)
            if isinstance(one, AgeUnusable)
            else Reader(
                one.id, short(one.id), fingerprint=one.public, is_self=one.public in own.publics
            )
            for one in found
        ]

    def audience(self, message: bytes) -> Audience:
        """Count whom a message is for; it names nobody."""
        kinds = stanzas(message)
        form = Form.ARMORED if message.startswith(ARMOR) else Form.MESSAGE
        return Audience(frozenset(), len(kinds or ()), form if kinds else Form.OTHER)

    async def find(self, text: str) -> frozenset[str]:
        """Give the key itself: age knows nobody by a name."""
        found = parse(text.strip())
        return frozenset({found.public} if isinstance(found, AgeRecipient) else ())

    async def newcomer(self, text: str, key: bytes | None) -> Newcomer:
        """Read a recipient as it is given, or from a file that holds one."""
        found = parse(text.strip() if key is None else _only(text, key))
        if isinstance(found, AgeUnusable):
            raise RecipientError(str(found), remedy="ask the person for their age1… or ssh key")
        return Newcomer(found.id, None, found.public)

    async def exports(self, stored: Mapping[str, bytes | None]) -> dict[str, Export]:
        """Give nothing: a recipient of age is its own key, and stores keep no other."""
        return dict.fromkeys(stored, Export(Newer.NEITHER))

    async def weaknesses(self, ids: Collection[str]) -> dict[str, str]:
        """Give nothing: age takes no key that is weak, and none of its keys expires."""
        del ids
        return {}

    def key_ids(self, exported: bytes) -> tuple[str, ...]:
        """Give nothing: age stores keep no keys besides the recipients."""
        del exported
        return ()

    async def keys_in(self, exported: bytes) -> Sequence[PublicKey]:
        """Give nothing, for the same reason."""
        del exported
        return ()

    async def import_key(self, one: Newcomer) -> None:
        """Do nothing: age keeps no keyring."""

    async def _own(self, *, ssh: bool) -> Identities:
        ready = await self._keys.ready(ssh=ssh)
        try:
            return ready + await self._keys.unlocked()
        except KeyFileError:  # whoever cannot open them is told so where a message is to be opened
            return ready


class AgeDecryptor:
    """Decrypts with keys that are held for the life of the process: an agent's."""

    def __init__(self, keys: Identities) -> None:
        self._identities = keys
        self.key_ids = keys.publics
        """Their public halves, for people who are to make one of them a recipient."""

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Decrypt in process; raise `DecryptError`."""
        if not self._identities.keys:
            raise DecryptError(
                "no identity for age is at hand", remedy="name its file: --age-identity FILE"
            )
        answer = opened(ciphertext, self._identities)
        if isinstance(answer, DecryptError):
            raise answer
        return answer


def usable(ids: Collection[str], where: str) -> list[AgeRecipient]:
    """Read every recipient; raise `RecipientError` naming each that cannot be encrypted to."""
    found = [parse(one) for one in ids]
    wrong = [one for one in found if isinstance(one, AgeUnusable)]
    if wrong:
        raise RecipientError(
            f"{where} cannot be encrypted: {'; '.join(map(str, wrong[:5]))}",
            remedy="mend or remove that line of .age-recipients; nothing was written",
        )
    return [one for one in found if isinstance(one, AgeRecipient)]


def sealed(text: Plaintext, to: Sequence[AgeRecipient], where: str) -> bytes:
    """Encrypt, and count: there are as many recipients in the message as there should be."""
    message = quietly(lambda: pyrage.encrypt(text.reveal(), [one.key for one in to]))
    if message is None or len(stanzas(message) or ()) != len(to):
        raise RecipientError(
            f"{where} cannot be encrypted to these {len(to)} recipients together",
            remedy="post-quantum and classic recipients cannot read the same entry: "
            "give each a folder of its own",
        )
    return message


def opened(message: bytes, keys: Identities) -> Plaintext | DecryptError:
    """Decrypt; the error says whether it is the key or the message that is wrong."""
    if not stanzas(message):
        return DecryptError(
            "it is damaged: it is no age message",
            remedy="bring back its last good version from the store's git history",
        )
    try:
        return Plaintext(pyrage.decrypt(message, keys.keys))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as failure:  # noqa: BLE001 -- pyo3 panics are no Exception
        if "No matching keys" not in str(failure):
            return DecryptError(
                "it is damaged: its bytes do not fit together",
                remedy="bring back its last good version from the store's git history",
            )
    ours = ", ".join(map(short, keys.publics)) or "none at hand"
    return DecryptError(
        f"it is not encrypted to a key of yours: {ours}{reasons(keys)}",
        remedy=f"have one who can read it run: flux-secret recipients add {_word(keys)}",
    )


def _word(keys: Identities) -> str:
    first = next(iter(keys.publics), "AGE1…")
    return f"'{first}'" if " " in first else first


def _because(answer: Plaintext | DecryptError, failure: KeyFileError) -> Plaintext | DecryptError:
    if isinstance(answer, Plaintext):
        return answer
    return DecryptError(f"{answer.what}; {failure.what}", remedy=failure.remedy)


def _only(text: str, file: bytes) -> str:
    """Give the one recipient of a file: an ssh `.pub`, or a line as `age-keygen -y` prints."""
    lines = [one.strip() for one in file.decode(errors="replace").splitlines()]
    found = [one for one in lines if one and not one.startswith("#")]
    if len(found) != 1:
        raise UsageError(
            f"the key file holds {len(found)} recipients, where one is wanted",
            remedy="name a file with one line: an ssh key's .pub, or what age-keygen -y prints",
        )
    if text and text.split()[:2] != found[0].split()[:2]:
        raise UsageError(
            f"the key file holds another key than {short(text)}",
            remedy="leave the key out to take that of the file",
        )
    return found[0]
