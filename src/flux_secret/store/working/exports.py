"""The recipients' keys that a store keeps in `.public-keys`, so that others can encrypt to them.

The newer copy counts, so that nobody's renewed key is overwritten with what somebody else still
has; gopass overwrites, or leaves what is there (facts: gopass §2.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flux_secret.store.interface import Crypto, Export, Newer, Reader
from flux_secret.store.tree import StoreTree

EXPORTS: Final = ".public-keys"
OLDER_EXPORTS: Final = ".gpg-keys"
"""What gopass called the folder before; it still reads it (facts: gopass §1.1)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One recipient's key, as the store and as the person has it."""

    reader: Reader
    path: str
    """Of the store's copy, which may not be there."""
    stored: bytes | None
    export: Export

    @property
    def update(self) -> bytes | None:
        """What the store should get; None when it has the newest there is."""
        return self.export.ours if self.export.newer is Newer.OURS else None

    @property
    def renewal(self) -> bytes | None:
        """What the person should get; None when they have the newest there is."""
        return self.stored if self.export.newer is Newer.STORES else None


async def kept(tree: StoreTree, crypto: Crypto, readers: Iterable[Reader]) -> list[Kept]:
    """Compare the key of every recipient, each id once."""
    named = {one.id: one for one in readers if "/" not in one.id}
    stored = {one: tree.plain_file(f"{EXPORTS}/{one}") for one in sorted(named)}
    exports = await crypto.exports(stored)
    return [
        Kept(named[one], f"{EXPORTS}/{one}", data, exports[one])
        for one, data in stored.items()
        if one in exports
    ]
