"""Ids in a recipients file → keys to encrypt to, or who cannot be encrypted to and why.

gopass drops a recipient whose key it cannot use, and adds the writer's own (facts: gopass §2.2).
Here each id must name exactly one usable key, or nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flux_secret.errors import RecipientError
from flux_secret.model.openpgp import PublicKey, Subkey

_HEX: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{8}|[0-9a-fA-F]{16}|[0-9a-fA-F]{40,64})\Z")
_SHOWN: Final = 10
_FULL: Final = 16  # hex digits from which on an id names one key; 8 are made to collide at will


class Keyring(Protocol):
    """Public keys that a person has."""

    def keys(self, *ids: str) -> Awaitable[Sequence[PublicKey]]:
        """List what these ids find; not found is no error."""

    def shown(self, certificate: bytes) -> Awaitable[Sequence[PublicKey]]:
        """List the keys of an exported file, without importing them."""


Exported = Callable[[str], bytes | None]
"""Recipient id → its file in the store's `.public-keys`, where there is one."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is to read: one usable key."""

    id: str
    """As it is written in the recipients file."""
    key: PublicKey
    subkey: Subkey
    """What is encrypted to."""
    certificate: bytes | None = None
    """The key itself, where the keyring does not have it and the store does."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Somebody who cannot be encrypted to."""

    id: str
    reason: str
    """In words that follow the person's name."""
    key: PublicKey | None = None

    def __str__(self) -> str:
        return f"{self.key or self.id} {self.reason}"


class Recipients:
    """Finds the keys of recipients, each id once."""

    def __init__(self, keyring: Keyring, exported: Exported) -> None:
        self._keyring = keyring
        self._exported = exported
        self._offered: dict[str, bytes] = {}
        self._found: dict[str, Recipient | Unusable] = {}
        self._listed: dict[str, PublicKey] = {}

    def offer(self, one: str, certificate: bytes) -> None:
        """Take a key into account as if the store's `.public-keys` had it under this id."""
        self._offered[one] = certificate
        self._found.pop(one, None)

    async def fingerprints(self, text: str) -> frozenset[str]:
        """Give every key that a person may mean by an id, a name or an e-mail address."""
        match = _HEX.match(_bare(text))
        keys = list(await self._keyring.keys(match[1].upper() if match else text))
        if match:
            keys = [key for key in keys if key.matches(match[1].upper())]
        return frozenset(key.fingerprint for key in keys)

    async def find(self, ids: Collection[str]) -> list[Recipient | Unusable]:
        """Say of each id whose key it is, or why it cannot be used; in the order of `ids`."""
        new = [one for one in ids if one not in self._found]
        hexes = {one: match[1].upper() for one in new if (match := _HEX.match(_bare(one)))}
        listed = await self._keyring.keys(*hexes.values()) if hexes else ()
        for one in new:
            if one in hexes:
                keys = [key for key in listed if key.matches(hexes[one])]
            else:
                keys = list(await self._keyring.keys(one))
            if len(keys) == 1:
                self._listed[one] = keys[0]
            self._found[one] = await self._chosen(one, keys, hexes.get(one, ""))
        return [self._found[one] for one in ids]

    async def in_keyring(self, ids: Collection[str]) -> dict[str, PublicKey]:
        """Give the key of each id that the keyring has, and that is one; usable or not."""
        await self.find(ids)
        return {one: self._listed[one] for one in ids if one in self._listed}

    async def wanted(self, ids: Collection[str], where: str) -> tuple[Recipient, ...]:
        """Give everybody, or raise `RecipientError` that names each who cannot be encrypted to."""
        found = await self.find(ids)
        unusable = [one for one in found if isinstance(one, Unusable)]
        if unusable or not found:
            raise RecipientError(
                f"{where} cannot be encrypted for everybody who is to read it: "
                + (_some(unusable) or "nobody is named"),
                remedy="get the person's renewed key (gpg --import FILE), or take them out: "
                "flux-secret recipients remove ID",
            )
        return tuple(one for one in found if isinstance(one, Recipient))

    async def _chosen(self, one: str, keys: list[PublicKey], hex_id: str) -> Recipient | Unusable:
        certificate = None
        if not keys and len(hex_id) >= _FULL:  # others can write that file: only a full id binds it
            certificate = self._offered.get(one) or self._exported(one)
            shown = await self._keyring.shown(certificate) if certificate else ()
            keys = [key for key in shown if key.matches(hex_id)]
        if not keys:
            return Unusable(one, "is not in your keyring")
        if len(keys) > 1:
            names = " and ".join(f"{key.gopass_id} {_first(key)}" for key in keys)
            return Unusable(one, f"names {len(keys)} keys, {names}: write the fingerprint")
        key = keys[0]
        subkey = _pinned(key, hex_id) if one.endswith("!") else key.chosen_subkey
        if key.problem or subkey is None or subkey.problem:
            return Unusable(one, key.problem or "pins a subkey that cannot be used", key)
        return Recipient(one, key, subkey, certificate)


def is_of(key: PublicKey, text: str) -> bool:
    """Say whether a person may mean this key by an id, a name or an e-mail address."""
    match = _HEX.match(_bare(text))
    if match:
        return key.matches(match[1].upper())
    return any(text.casefold() in one.casefold() for one in key.user_ids)


def is_bound(one: str, key_ids: Sequence[str]) -> bool:
    """Say whether an id can only mean the key of these ids (16 digits), whoever wrote its file."""
    match = _HEX.match(_bare(one))
    return match is not None and len(match[1]) >= _FULL and match[1].upper()[-_FULL:] in key_ids


def _some(unusable: Sequence[Unusable]) -> str:
    more = f"; and {len(unusable) - _SHOWN} more" if len(unusable) > _SHOWN else ""
    return "; ".join(map(str, unusable[:_SHOWN])) + more


def _bare(one: str) -> str:
    return one.removesuffix("!")


def _pinned(key: PublicKey, hex_id: str) -> Subkey | None:
    """Give the subkey that `ID!` forces, as gopass 1.16 does (facts: gopass §2.3)."""
    subkeys = (one for one in key.subkeys if one.fingerprint.endswith(hex_id))
    return next((one for one in subkeys if one.can_encrypt), None)


def _first(key: PublicKey) -> str:
    return key.user_ids[0] if key.user_ids else "without a name"
