"""A store with its history and its owners → how old each value is, and what is due.

The commit that is checked out counts, not what lies changed in the folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from flux_secret.errors import AccessError, ConfigurationError
from flux_secret.model.due import WARN_BEFORE, Due
from flux_secret.model.owners import Owners, Rule
from flux_secret.outside.git.past import Version, makers, versions
from flux_secret.store.ownersfile import owners_of
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.ages import Age, History, ages
from flux_secret.store.working.dates import dated
from flux_secret.store.working.recorded import Sealed
from flux_secret.store.working.reencrypt import Watch
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.versions import Counted, Digests, Remembering


@dataclass(frozen=True, slots=True)
class Aged:
    """One entry."""

    name: str
    """Its full name, the mount first."""
    age: Age
    rule: Rule | None
    """Who answers for it; None where nobody does."""
    contacts: Sequence[str]
    """Where to find them."""
    due: Due


@dataclass(frozen=True, slots=True)
class Aging:
    """A whole store."""

    entries: Sequence[Aged]
    counted: Counted
    versions: int
    commits: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked."""

    now: int
    """Seconds since the epoch."""
    warn_before: float = WARN_BEFORE
    """Seconds."""


async def aging(
    store: WorkingStore, wanted: Wanted, memory: Remembering, watch: Watch | None = None
) -> Aging:
    """Look through the whole history; raise `ConfigurationError` where there is none."""
    clone = store.clone
    head = await clone.head() if clone is not None else None
    if clone is None or head is None:
        raise ConfigurationError(
            f"{store.folder.root} has no git history, so nobody can say how old its values are",
            remedy=f"begin one: git -C {store.folder.root} init, and commit what there is",
        )
    if clone.is_shallow:
        raise ConfigurationError(
            f"{store.folder.root} has only a part of its history (a shallow clone)",
            remedy=f"get the rest: git -C {store.folder.root} fetch --unshallow",
        )
    at, extension = clone.at(head), store.crypto.layout.extension
    tree = StoreTree(at, store.crypto.layout)
    entries = dict(_entries(tree))
    whole = list(versions(clone, head))[::-1]
    past = [one for one in whole if one.path.endswith(extension)]
    made = list(makers(clone, head))[::-1]
    digests = Digests(store, memory, watch)
    sealed = [Sealed.of(one.path, one.blob, one.commit, store.crypto.layout) for one in past]
    parts = await digests.of(reversed(sealed), at.read)
    memory.keep([one.blob for one in past])
    parents = {one.commit: one.parent for one in made}

    def vanished(commit: str) -> Collection[str]:
        """Give the files that a commit took away; of a merge, from its first parent."""
        after = clone.at(commit)
        changed = clone.changed(parents[commit] or None, commit)
        return [path for path in changed if after.entry(path) is None]

    history = History(past, parts, dated(made, wanted.now), vanished)
    owners = owners_of(at)
    found = [_aged(store, one, owners, wanted) for one in ages(entries, history, extension)]
    return Aging(found, digests.counted, len(past), len(made))


def _entries(tree: StoreTree) -> Iterator[tuple[str, Version]]:
    """Give what each entry holds; a link holds what the file holds that it leads to."""
    for name in tree.names:
        try:
            path, blob = tree.file(name), tree.blob(name)
        except AccessError:  # a link that leads nowhere: `store check` says so
            continue
        if path is not None and blob is not None and path.endswith(tree.layout.extension):
            yield name, Version("", 0, path, blob)


def _aged(store: WorkingStore, age: Age, owners: Owners, wanted: Wanted) -> Aged:
    rule = owners.rule(age.entry)
    due = Due.of(
        age.since, age.earliest, rule.rotate_every if rule else None, wanted.now,
        wanted.warn_before,
    )  # fmt: skip
    contacts = [one.contact for one in owners.of(rule) if one.contact] if rule else []
    if rule is not None and rule.contact:
        contacts.insert(0, rule.contact)
    return Aged(store.full(age.entry), age, rule, contacts, due)
