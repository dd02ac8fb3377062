"""A store's whole history → what somebody could ever read, and which of it is still so.

Whom a version was for is read from the message itself, as git has it. Where the message does not
say it, the recipients file of its commit counts. What nobody can tell counts as readable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.errors import AccessError, DecryptError
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.past import Version, versions
from flux_secret.store.interface import Audience, Crypto, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS
from flux_secret.store.working.exposure import Reading, Unchanged, unchanged
from flux_secret.store.working.parts import Parts
from flux_secret.store.working.recorded import Opener, Sealed
from flux_secret.store.working.reencrypt import Watch
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.versions import (
    Counted,
    Digests,
    Forgetting,
    Remembering,
    names_of,
)


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What somebody could ever read in one store."""

    readable: Sequence[Version]
    """Every version of an entry that they could decrypt, the newest first."""
    extension: str
    unchanged: Sequence[Unchanged]
    """What of it entries still hold."""
    present: Collection[str]
    """The entries that there are now."""
    counted: Counted

    @property
    def entries(self) -> Mapping[str, Sequence[Version]]:
        """The versions of each entry, by its name then."""
        found: dict[str, list[Version]] = {}
        for one in self.readable:
            found.setdefault(one.path.removesuffix(self.extension), []).append(one)
        return found


async def still_known(
    store: WorkingStore, people: Sequence[Reader], memory: Remembering | None = None
) -> Sequence[Unchanged]:
    """Give every entry of which these people could read what it holds now."""
    return (await look_back(store, people, memory)).unchanged


async def look_back(
    store: WorkingStore, people: Sequence[Reader], memory: Remembering | None = None,
    watch: Watch | None = None, past: Sequence[Version] | None = None,
) -> Hindsight:  # fmt: skip
    """Look through everything that these people could ever read.

    `past` are the store's versions, where somebody has looked already. A folder without a
    repository remembers only what it holds.
    """
    digests = Digests(store, memory or Forgetting(), watch)
    memory, counted = digests.memory, digests.counted
    files = dict(_files(store.tree()))
    now = await store.sealed(files)
    messages = {name: data for name, (_, data) in files.items()}
    held = {now[name].blob: data for name, data in messages.items()}
    head = await store.clone.head() if store.clone is not None else None
    extension = store.crypto.layout.extension
    if store.clone is None or head is None:
        history = None
        marks = frozenset(mark for one in people for mark in one.marks | one.older)
        found = [Version("", 0, name + extension, now[name].blob) for name, data in messages.items()
                 if store.crypto.audience(data).marks & marks]  # fmt: skip
    else:
        history = _Past(store.clone, head, past, store.crypto)
        found = await history.readable(people)
    if not found:
        return Hindsight((), extension, (), now.keys(), counted)

    def read(blob: str) -> bytes:
        return held[blob] if blob in held or history is None else history.read(blob)

    layout = store.crypto.layout
    before = [Sealed.of(one.path, one.blob, one.commit, layout) for one in found]
    each = [*now.values(), *before]
    parts = await digests.of(each, read)
    memory.keep({*memory.records, *(one.blob for one in each)})
    readings = (
        Reading(one.path.removesuffix(extension), one.commit, one.when, parts[one.blob])
        for one in found
    )
    known = unchanged({name: parts[one.blob] for name, one in now.items()}, readings)
    named = await _named(store, known, {name: (now[name], messages[name]) for name in now}, memory)
    return Hindsight(found, extension, named, now.keys(), counted)


async def _named(
    opener: Opener,
    known: Sequence[Unchanged],
    held: Mapping[str, tuple[Sealed, bytes]],
    memory: Remembering,
) -> list[Unchanged]:
    """Name keys that are only remembered as digests: those entries are decrypted once more."""
    opaque = [
        one.entry for one in known
        if {digest.hex() for digest in _remembered(memory, held[one.entry][0])} & set(one.what)
    ]  # fmt: skip
    texts = await opener.open_all([held[name] for name in opaque])
    names = {
        name: Parts.of(text, memory.key)
        for name, text in zip(opaque, texts, strict=True)
        if not isinstance(text, DecryptError)  # it was readable once
    }
    return [
        dataclasses.replace(one, what=tuple(sorted(names_of(names[one.entry], one.what))))
        if one.entry in names
        else one
        for one in known
    ]


def _remembered(memory: Remembering, one: Sealed) -> Collection[bytes]:
    record = memory.records.get(one.blob)
    parts = Parts.remembered(record) if record is not None else None
    return parts.keys.values() if parts is not None else ()


def _files(tree: StoreTree) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for name in tree.names:
        try:
            found = tree.find(name)
        except AccessError:  # a link that leads nowhere holds no value
            continue
        if found is not None:
            yield name, (found.path, tree.ciphertext(found.blob))


class _Past:
    """One look through a clone's history."""

    def __init__(
        self, clone: Clone, head: str, past: Sequence[Version] | None, crypto: Crypto
    ) -> None:
        self._clone, self._crypto = clone, crypto
        self._at_head = clone.at(head)
        self._versions = list(versions(clone, head)) if past is None else past
        self._audiences: dict[str, Audience] = {}
        self._marks_known: frozenset[str] | None = None
        self._trees: dict[str, StoreTree] = {}
        self._named: dict[tuple[str, ...], bool] = {}

    async def readable(self, people: Sequence[Reader]) -> list[Version]:
        """Give every version of an entry that they could read."""
        marks = frozenset(mark for one in people for mark in self._marks(one))
        found = []
        for version in self._files(self._is_entry):
            audience = self._audience(version.blob)
            if audience.marks & marks or (
                (audience.hidden or not marks or audience.marks - await self._known())
                and await self._was_named(version, people)
            ):
                found.append(version)
        return found

    async def _known(self) -> frozenset[str]:
        """Give what messages can name of whom anybody knows: another mark may be of anybody."""
        if self._marks_known is None:
            tree = StoreTree(self._at_head, self._crypto.layout)
            ids = {one for folder in tree.recipients_files
                   for one in tree.wanted_recipients(f"{folder}/-".lstrip("/"))}  # fmt: skip
            found = {
                mark for one in await self._crypto.readers(sorted(ids))
                for mark in one.marks | one.older
            }  # fmt: skip
            exports = self._files(
                lambda path: path.startswith((f"{EXPORTS}/", f"{OLDER_EXPORTS}/"))
            )
            for blob in {version.blob for version in exports}:
                found |= set(self._crypto.key_ids(self.read(blob)))
            self._marks_known = frozenset(found)
        return self._marks_known

    def read(self, blob: str) -> bytes:
        """Give a version's bytes."""
        return self._at_head.read(blob)

    def _audience(self, blob: str) -> Audience:
        if blob not in self._audiences:
            self._audiences[blob] = self._crypto.audience(self.read(blob))
        return self._audiences[blob]

    def _is_entry(self, path: str) -> bool:
        parts = path.split("/")
        hidden = any(part.startswith(".") for part in parts[:-1])
        return path.endswith(self._crypto.layout.extension) and not hidden

    def _files(self, wanted: Callable[[str], bool]) -> Iterator[Version]:
        return (version for version in self._versions if wanted(version.path))

    def _marks(self, one: Reader) -> Collection[str]:
        """Give what messages for somebody name, from their key now or as the store ever had it."""
        marks = {*one.marks, *one.older}
        paths = (f"{EXPORTS}/{one.id}", f"{OLDER_EXPORTS}/{one.id}")
        for version in self._files(paths.__contains__):
            marks |= set(self._crypto.key_ids(self.read(version.blob)))
        return marks

    async def _was_named(self, version: Version, people: Sequence[Reader]) -> bool:
        """Say whether the recipients file of its commit names one of them."""
        if version.commit not in self._trees:
            tree = StoreTree(self._clone.at(version.commit), self._crypto.layout)
            self._trees[version.commit] = tree
        ids = self._trees[version.commit].wanted_recipients(version.path)
        if ids not in self._named:
            written = {one.id for one in people}
            keys = {one.fingerprint for one in people if one.fingerprint}
            self._named[ids] = bool(written & set(ids)) or any(
                one.fingerprint in keys for one in await self._crypto.readers(ids)
            )
        return self._named[ids]
