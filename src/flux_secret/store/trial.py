"""A store → whether a key of ours opens it: one entry is decrypted, and thrown away at once."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flux_secret.errors import AccessError, EmptyValueError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.crypto.packets import HIDDEN

MAX_ENTRIES: Final = 1000  # whose recipients are looked at


class Reader(Protocol):
    """A store, pinned."""

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        """List its entries."""

    def recipients(self, path: SecretPath) -> Sequence[str]:
        """Give the ids of the keys that an entry is encrypted to."""

    async def read(self, lookup: Lookup, reason: str) -> Plaintext:
        """Decrypt an entry; raise `AccessError`. `reason` is for the record."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found."""

    entries: int
    """How many there are."""
    looked_at: int = 0
    """How many recipients were looked at."""
    opened: SecretPath | None = None
    """The entry that was decrypted; None where there is none."""
    keys: Sequence[str] = ()
    """Ids of our keys that it is encrypted to; empty where its recipients are hidden."""
    others: Sequence[SecretPath] = ()
    """Entries that are not encrypted to a key of ours."""
    unsaid: int = 0
    """How many do not say whom they are for: they may be ours."""


async def trial(reader: Reader, own: Collection[str]) -> Trial:
    """Decrypt the first entry that is meant for a key of ours, else the first of all.

    `own` are the ids of our keys. Raises `AccessError`, which says why it does not open.
    """
    paths = await reader.entries("")
    ours: list[tuple[SecretPath, Sequence[str]]] = []
    others: list[SecretPath] = []
    unsaid = 0
    for path in paths[:MAX_ENTRIES]:
        recipients = _recipients(reader, path)
        if HIDDEN in recipients or set(own) & set(recipients):
            ours.append((path, [one for one in recipients if one in own]))
            unsaid += not ours[-1][1]
        else:
            others.append(path)
    if not paths:
        return Trial(0)
    chosen, keys = ours[0] if ours else (paths[0], ())
    with contextlib.suppress(EmptyValueError):  # it opens; a delivery that asks for it says more
        await reader.read(Lookup(chosen, Part.RAW), "it is tried whether a key opens it")
    return Trial(len(paths), min(len(paths), MAX_ENTRIES), chosen, keys, others, unsaid)


def _recipients(reader: Reader, path: SecretPath) -> Sequence[str]:
    try:
        return reader.recipients(path)
    except AccessError:  # a link that leads nowhere hides no other entry
        return ()
