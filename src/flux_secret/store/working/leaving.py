"""Somebody leaves, or their key is lost → all that they could ever read, and what is left to do.

1. They are taken out of the recipients, so that they read nothing that is written from now on.
2. What is encrypted to them although no recipients file names them is encrypted anew.
3. Every value that they know, and that is still in force, is changed at its source. Nothing else
   takes back what somebody has read: git keeps it, and so may they.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.errors import AccessError, ConfigurationError
from flux_secret.model.owners import NOBODY, Owners
from flux_secret.outside.git.past import versions
from flux_secret.store.interface import Reader
from flux_secret.store.ownersfile import owners_of
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.exposure import Unchanged
from flux_secret.store.working.hindsight import Hindsight, look_back
from flux_secret.store.working.membership import named_in
from flux_secret.store.working.reencrypt import Watch
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.versions import Remembering
from flux_secret.store.working.whom import Meant, meant


@dataclass(frozen=True, slots=True)
class Leaving:
    """One store, and what somebody has to do with it."""

    store: str
    """Its mount's name."""
    people: Sequence[Meant]
    """Their keys."""
    named: Mapping[str, tuple[Reader, ...]]
    """The folders whose recipients they still are."""
    sealed: Sequence[str]
    """Entries that are encrypted to them, though no recipients file that counts names them."""
    past: Hindsight
    owners: Owners
    flaw: str = ""
    """Why nobody is known to answer for anything; empty when all is well."""
    harmless: Collection[str] = ()
    """Names of keys that are no secrets."""

    @property
    def due(self) -> Sequence[Unchanged]:
        """The values that have to be changed."""
        return [one for one in self.past.unchanged if one.is_due_but(self.harmless)]

    @property
    def beside(self) -> Sequence[Unchanged]:
        """Entries of which only keys beside a new password are the same."""
        return [one for one in self.past.unchanged if not one.is_due_but(self.harmless)]

    @property
    def left(self) -> int:
        """How many things are still to be done."""
        return len(self.named) + len(self.sealed) + len(self.due)

    @property
    def is_known(self) -> bool:
        """Whether the store ever knew them."""
        return bool(self.named or self.past.readable or any(one.fingerprint for one in self.people))


async def leaving(
    store: WorkingStore, text: str, memory: Remembering, watch: Watch | None = None,
    harmless: Collection[str] = (),
) -> Leaving | None:  # fmt: skip
    """Look; None where the store never knew any such key. Raises `UsageError` for several people.

    The folder as it is counts for what is in force, so that a value counts as changed at once.
    """
    head = await store.clone.head() if store.clone is not None else None
    whole = list(versions(store.clone, head)) if store.clone is not None and head else []
    people = await meant(store, text, whole)
    readers = [one for each in people for one in each.readers]
    if not readers:
        return None
    tree = store.tree()
    named = await named_in(tree, store.crypto, readers)
    past = await look_back(store, readers, memory, watch, whole)
    sealed = await _sealed(store, tree, readers)
    try:
        owners, flaw = owners_of(store.folder), ""
    except ConfigurationError as failure:  # no reason to tell nothing else
        owners, flaw = NOBODY, failure.what
    found = Leaving(store.name, people, named, sealed, past, owners, flaw, harmless)
    return found if found.is_known else None


async def _sealed(store: WorkingStore, tree: StoreTree, people: Iterable[Reader]) -> list[str]:
    """Give the entries whose messages name somebody whom their recipients file does not name."""
    gone = list(people)
    marks = frozenset(mark for one in gone for mark in one.marks | one.older)
    ids, keys = {one.id for one in gone}, {one.fingerprint for one in gone} - {""}
    wanted: dict[tuple[str, ...], bool] = {}
    found = []
    for name in tree.names:
        try:
            path, blob = tree.file(name), tree.blob(name)
        except AccessError:
            continue
        if path is None or blob is None:
            continue
        if store.crypto.audience(tree.ciphertext(blob)).marks & marks:
            named = tree.wanted_recipients(path)
            if named not in wanted:
                readers = await store.crypto.readers(named)
                wanted[named] = any(one.id in ids or one.fingerprint in keys for one in readers)
            if not wanted[named]:
                found.append(name)
    return found
