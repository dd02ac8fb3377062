"""The recipients' keys that a store keeps in `.public-keys`, so that others can encrypt to them.

The newer copy counts, so that nobody's renewed key is overwritten with what somebody else still
has; gopass overwrites, or leaves what is there (facts: gopass §2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flux_secret.store.interface import Crypto, Export, Newer, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.circles import Circle

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


async def kept(tree: StoreTree, crypto: Crypto, circles: list[Circle]) -> list[Kept]:
    """Compare the key of every recipient, each id once."""
    readers = {one.id: one for circle in circles for one in circle.readers if "/" not in one.id}
    found = []
    for one in sorted(readers.values(), key=lambda reader: reader.id):
        path = f"{EXPORTS}/{one.id}"
        stored = tree.plain_file(path)
        found.append(Kept(one, path, stored, await crypto.export(one.id, stored)))
    return found
