"""The commits that changed an entry → moments: what changed of it, and who could read it from then.

1. Two versions are compared by digests of what is in them, under a key that ends with the command.
2. What cannot be decrypted here is not guessed: the commit changed it in some way.
3. Who can read a version is said by the message itself; those whom it does not name are those of
   the recipients file of that commit (age, hidden recipients).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from flux_secret.errors import AccessError
from flux_secret.model.timeline import Moment
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.log import Change
from flux_secret.store.interface import Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.parts import Parts
from flux_secret.store.working.recorded import Sealed
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.versions import Digests, Forgetting

_ANEW: Final = "encrypted anew"


class _Version(NamedTuple):
    change: Change
    blob: str
    """Empty where the commit took it away."""


@dataclass(frozen=True, slots=True)
class History:
    """An entry's versions."""

    moments: Sequence[Moment]
    """The oldest first."""
    blobs: frozenset[str]
    """Object ids of its ciphertexts: the record names a read by them."""
    names: frozenset[str]
    """What it was called, below its store."""
    closed: int = 0
    """Versions that cannot be decrypted here."""


async def history_of(store: WorkingStore, clone: Clone, changes: Sequence[Change]) -> History:
    """Look at every version of an entry; `changes` are its commits, the newest first."""
    versions = [_version(clone, change) for change in reversed(changes)]
    messages = {
        one.blob: clone.file(one.change.commit, one.change.path) or b""
        for one in versions
        if one.blob
    }
    digests = Digests(store, Forgetting())
    sealed = [
        Sealed.of(one.change.path, one.blob, one.change.commit, store.crypto.layout)
        for one in reversed(versions)
        if one.blob
    ]
    parts = await digests.of(sealed, messages.__getitem__)
    moments, before = [], None
    for one in versions:
        readers = await _readers(store, clone, one.change, messages.get(one.blob))
        what = _what(before, one, parts)
        if what == _ANEW and before is not None:
            old, new = (store.crypto.audience(messages[each.blob]) for each in (before, one))
            what = "recipients changed" if old != new else _ANEW
        details = {**one.change.facts(), "blob": one.blob}
        moments.append(Moment(
            one.change.when, "git", what, one.change.author,
            f"{one.change.commit[:12]} {one.change.subject}", readers, details,
        ))  # fmt: skip
        before = one
    extension = store.crypto.layout.extension
    names = frozenset(one.change.path.removesuffix(extension) for one in versions)
    return History(moments, frozenset(messages), names, digests.counted.failed)


def _version(clone: Clone, change: Change) -> _Version:
    entry = clone.at(change.commit).entry(change.path)
    has_bytes = entry is not None and (entry.is_file or entry.is_link)
    return _Version(change, entry.blob if entry is not None and has_bytes else "")


def _what(before: _Version | None, now: _Version, parts: Mapping[str, Parts | None]) -> str:
    """Say what a commit changed, in a few words."""
    if not now.blob:
        return "removed"
    if before is None or not before.blob:
        return "created"
    if before.blob == now.blob:
        return "renamed" if before.change.path != now.change.path else "unchanged"
    old, new = parts[before.blob], parts[now.blob]
    if old is None or new is None:
        return "changed (closed here)"
    if old.whole == new.whole:
        return _ANEW
    changed = [
        name for name in sorted(old.keys.keys() | new.keys.keys())
        if old.keys.get(name) != new.keys.get(name)
    ]  # fmt: skip
    if old.value != new.value and old.password:
        changed.insert(0, "value")
    return f"{', '.join(changed) or 'text'} changed"


async def _readers(
    store: WorkingStore, clone: Clone, change: Change, message: bytes | None
) -> Sequence[str]:
    if message is None:
        return ()
    wanted = await _wanted(store, clone, change)
    audience = store.crypto.audience(message)
    if not audience.marks:
        return [one.name for one in wanted]
    named = [one for one in wanted if (one.marks | one.older) & audience.marks]
    known = frozenset[str]().union(*(one.marks | one.older for one in named))
    others = [f"0x{mark}" for mark in sorted(audience.marks - known)]
    hidden = [f"{audience.hidden} hidden"] if audience.hidden else []
    return [*(one.name for one in named), *others, *hidden]


async def _wanted(store: WorkingStore, clone: Clone, change: Change) -> Sequence[Reader]:
    tree = StoreTree(clone.at(change.commit), store.crypto.layout)
    try:
        _, file = tree.recipients_file(posixpath.dirname(change.path))
    except AccessError:
        return ()
    return await store.crypto.readers(file.ids)
