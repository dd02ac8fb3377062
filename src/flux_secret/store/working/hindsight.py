"""A store's whole history → what somebody could ever read, and which of it is still so.

Whom a version was for is read from the message itself, as git has it. Where the message does not
say it, the recipients file of its commit counts. What nobody can tell counts as readable.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from flux_secret.errors import AccessError, DecryptError
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.past import Version, versions
from flux_secret.store.interface import Crypto, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS
from flux_secret.store.working.exposure import Parts, Reading, Unchanged, unchanged
from flux_secret.store.working.store import WorkingStore

_PORTION = 200  # messages that are decrypted at one time


async def still_known(store: WorkingStore, people: Sequence[Reader]) -> list[Unchanged]:
    """Give every entry of which these people could read what it holds now.

    A folder without a repository remembers only what it holds.
    """
    tree = store.tree()
    messages = dict(_messages(tree))
    head = await store.clone.head() if store.clone is not None else None
    if store.clone is None or head is None:
        marks = frozenset(mark for one in people for mark in one.marks | one.older)
        found = [(Version("", 0, name, ""), data) for name, data in messages.items()
                 if store.crypto.audience(data).marks & marks]  # fmt: skip
    else:
        found = await _Past(store.clone, head, store.crypto, people).readable()
    if not found:
        return []
    parts = await _parts(store.crypto, [*messages.values(), *(data for _, data in found)])
    extension = store.crypto.layout.extension
    readings = (
        Reading(version.path.removesuffix(extension), version.commit, version.when, parts[data])
        for version, data in found
    )
    return unchanged({name: parts[data] for name, data in messages.items()}, readings)


def _messages(tree: StoreTree) -> Iterator[tuple[str, bytes]]:
    for name in tree.names:
        try:
            blob = tree.blob(name)
        except AccessError:  # a link that leads nowhere holds no value
            continue
        if blob is not None:
            yield name, tree.ciphertext(blob)


async def _parts(crypto: Crypto, messages: Iterable[bytes]) -> dict[bytes, Parts | None]:
    """Decrypt each message once; give the digests of what is in it."""
    key, each = secrets.token_bytes(32), list(dict.fromkeys(messages))
    parts: dict[bytes, Parts | None] = {}
    for at in range(0, len(each), _PORTION):
        portion = each[at : at + _PORTION]
        for data, text in zip(portion, await crypto.decrypt_all(portion), strict=True):
            parts[data] = None if isinstance(text, DecryptError) else Parts.of(text, key)
    return parts


class _Past:
    """One look through a clone's history."""

    def __init__(self, clone: Clone, head: str, crypto: Crypto, people: Sequence[Reader]) -> None:
        self._clone, self._crypto, self._people = clone, crypto, people
        self._at_head = clone.at(head)
        self._versions = list(versions(clone, head))
        self._trees: dict[str, StoreTree] = {}
        self._named: dict[tuple[str, ...], bool] = {}

    async def readable(self) -> list[tuple[Version, bytes]]:
        """Give every version of an entry that they could read, and its bytes."""
        marks = frozenset(mark for one in self._people for mark in self._marks(one))
        found = []
        for version, data in self._files(self._is_entry):
            audience = self._crypto.audience(data)
            hidden = audience.hidden or not marks
            if audience.marks & marks or (hidden and await self._was_named(version)):
                found.append((version, data))
        return found

    def _is_entry(self, path: str) -> bool:
        parts = path.split("/")
        hidden = any(part.startswith(".") for part in parts[:-1])
        return path.endswith(self._crypto.layout.extension) and not hidden

    def _files(self, wanted: Callable[[str], bool]) -> Iterator[tuple[Version, bytes]]:
        for version in self._versions:
            if wanted(version.path):
                yield version, self._at_head.read(version.blob)

    def _marks(self, one: Reader) -> Collection[str]:
        """Give what messages for somebody name, from their key now or as the store ever had it."""
        marks = {*one.marks, *one.older}
        paths = (f"{EXPORTS}/{one.id}", f"{OLDER_EXPORTS}/{one.id}")
        for _, data in self._files(paths.__contains__):
            marks |= set(self._crypto.key_ids(data))
        return marks

    async def _was_named(self, version: Version) -> bool:
        """Say whether the recipients file of its commit names one of them."""
        if version.commit not in self._trees:
            tree = StoreTree(self._clone.at(version.commit), self._crypto.layout)
            self._trees[version.commit] = tree
        ids = self._trees[version.commit].wanted_recipients(version.path)
        if ids not in self._named:
            written = {one.id for one in self._people}
            keys = {one.fingerprint for one in self._people if one.fingerprint}
            self._named[ids] = bool(written & set(ids)) or any(
                one.fingerprint in keys for one in await self._crypto.readers(ids)
            )
        return self._named[ids]
