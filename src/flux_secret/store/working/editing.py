"""An edit that took a person some time → the store, whatever happened there meanwhile."""

from __future__ import annotations

import enum

from flux_secret.model.plaintext import Plaintext
from flux_secret.store.format.merge import Conflict, merge
from flux_secret.store.working.store import WorkingStore


class Edited(enum.Enum):
    """Where an edit went."""

    SAVED = "saved"
    MERGED = "merged"
    """Somebody else had changed other keys."""
    BESIDE = "beside"
    """Somebody else had changed the same; what the person wrote has a name of its own."""


async def save(
    store: WorkingStore, name: str, before: Plaintext | None, after: Plaintext
) -> tuple[Edited, str]:
    """Save an edit of `before`; give where it went, and under which name.

    The store is not held while a person is typing. What others changed meanwhile is merged in, and
    where that cannot be, both are kept.
    """
    async with store.changing() as draft:
        now = await draft.read(name) if name in draft.names else None
        how, text, where = Edited.SAVED, after, name
        if now is not None and now != before:
            base = None if before is None else before.reveal()
            merged = merge(base, after.reveal(), now.reveal())
            if isinstance(merged, Conflict):
                how, where = Edited.BESIDE, _beside(name, draft.names)
            else:
                how, text = Edited.MERGED, Plaintext(merged.text)
        draft.put(where, text)
        verb = "Insert" if before is None else "Edit"
        await draft.commit(f"{verb} {where}")
    return how, where


def _beside(name: str, taken: tuple[str, ...]) -> str:
    number = 1
    while f"{name}.ours-{number}" in taken:
        number += 1
    return f"{name}.ours-{number}"
