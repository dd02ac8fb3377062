"""Why an entry does not open: the key, or the ciphertext."""

from __future__ import annotations

from dataclasses import dataclass

from flux_secret.errors import DecryptError
from flux_secret.model.names import StoreName
from flux_secret.store.crypto.packets import HIDDEN, recipients
from flux_secret.store.interface import Decryptor
from flux_secret.store.tree import AGE, StoreTree


@dataclass(frozen=True, slots=True)
class Unopened:
    """An entry that does not open."""

    where: str
    """For people: its name, and the commit."""
    store: StoreName
    tree: StoreTree
    name: str
    blob: str

    @property
    def wanted(self) -> str:
        """Whom its recipients file names."""
        wanted = ", ".join(self.tree.wanted_recipients(self.name))
        return wanted or f"no {self.tree.layout.recipients}"


def explained(one: Unopened, decryptor: Decryptor, failure: DecryptError) -> DecryptError:
    """Say whether it is the key or the ciphertext that is wrong."""
    if one.tree.layout is AGE:
        return DecryptError(
            f"{one.where} cannot be decrypted (blob {one.blob[:12]}): {failure.what}; "
            f"{AGE.recipients} names {one.wanted}",
            remedy=failure.remedy,
        )
    actual = recipients(one.tree.ciphertext(one.blob))
    own = decryptor.key_ids
    if not actual:
        return DecryptError(
            f"{one.where} is damaged (blob {one.blob[:12]}): it is no OpenPGP message",
            remedy="bring back its last good version from the store's git history",
        )
    if own and HIDDEN not in actual and not set(own) & set(actual):
        return DecryptError(
            f"{one.where} is not encrypted to this agent's keys ({', '.join(own)}); it is "
            f"encrypted to {', '.join(actual)}; .gpg-id names {one.wanted}",
            remedy=f"gopass recipients add --store {one.store} 0x{own[0]}, then gopass sync",
        )
    return DecryptError(
        f"{one.where} cannot be decrypted (blob {one.blob[:12]}): {failure.what}",
        remedy="if `gopass show` fails too, bring back its last good version from git history",
    )
