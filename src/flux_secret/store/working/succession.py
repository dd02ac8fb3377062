"""An operator's key and the one after it → who may read what, in a store; retiring has none after.

1. The new key joins wherever the old one is named: both read everything.
2. The old one leaves, once whoever uses it has the new one.

A key that has expired cannot be encrypted to, so there the second step does both at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flux_secret.model.identity import OpenPgpPublic
from flux_secret.store.crypto.packets import key_ids
from flux_secret.store.interface import Newcomer, Reader
from flux_secret.store.tree import GPG
from flux_secret.store.working.exposure import Unchanged
from flux_secret.store.working.hindsight import still_known
from flux_secret.store.working.membership import Membership, add, remove, still_named
from flux_secret.store.working.store import Draft, WorkingStore
from flux_secret.store.working.versions import Remembering


@dataclass(frozen=True, slots=True)
class Operator:
    """A key that may be named in a store: by whatever id, in whatever state."""

    key: OpenPgpPublic

    @property
    def readers(self) -> tuple[Reader, ...]:
        """The ways in which a recipients file names it."""
        whole = self.key.fingerprint
        ids = (self.key.gopass_id, f"0x{whole}", whole, self.key.gopass_id.removeprefix("0x"))
        marks = frozenset(key_ids(self.key.armored.encode()))
        return tuple(Reader(one, one, marks, fingerprint=whole) for one in ids)


async def named(draft: Draft, operators: Sequence[Operator]) -> dict[str, tuple[Reader, ...]]:
    """Give the folders whose own recipients these are, and how each names them."""
    if draft.store.crypto.layout != GPG:
        return {}
    return await still_named(draft, [one for each in operators for one in each.readers])


async def join(draft: Draft, old: Operator, new: Newcomer) -> list[Membership]:
    """Draft that the new key reads whatever the old one does, except where that has expired."""
    changes = []
    for folder, readers in (await named(draft, [old])).items():
        if not any(one.problem for one in readers):
            change = await add(draft, folder, [new])
            changes += [change] if change is not None else []
    return changes


async def leave(
    draft: Draft, operators: Sequence[Operator], new: Newcomer | None
) -> list[Membership]:
    """Draft that these keys read nothing any more; the new one does, if there is one."""
    changes = []
    for folder, readers in (await named(draft, operators)).items():
        if new is not None:
            await add(draft, folder, [new])
        changes.append(await remove(draft, folder, readers))
    return changes


async def holds(store: WorkingStore, operators: Sequence[Operator]) -> bool:
    """Whether a store names any of these keys."""
    return bool(await named(Draft(store, store.tree()), operators))


async def known(
    store: WorkingStore, operators: Sequence[Operator], memory: Remembering
) -> Sequence[Unchanged]:
    """Give the entries of which these keys could ever read what they hold now."""
    if store.crypto.layout != GPG:
        return []
    readers = [one for each in operators for one in each.readers]
    return await still_known(store, readers, memory)
