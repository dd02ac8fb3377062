"""Somebody joins or leaves: the recipients file, the exported key and the entries, in one draft.

A folder may have recipients of its own. The first change there makes its file from what counted
for it until then; from that moment it takes the parents' place, it does not add to them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import AccessError, RecipientError, UsageError
from flux_secret.store.format import names
from flux_secret.store.format.recipients import RecipientsFile
from flux_secret.store.interface import Crypto, Newcomer, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS
from flux_secret.store.working.reencrypt import Look, look
from flux_secret.store.working.store import Draft

_FULL: Final = 16  # hex digits from which on an id names one key


@dataclass(frozen=True, slots=True)
class Membership:
    """A change of who may read what lies below one folder."""

    folder: str
    file: str
    joining: tuple[Reader, ...]
    leaving: tuple[Reader, ...]
    staying: tuple[Reader, ...]
    replaces: str
    """The recipients file that counted here until now, where the folder had none of its own."""
    entries: tuple[str, ...]
    """For which the file counts."""
    due: tuple[Look, ...]
    """Those that are not for everybody, and nobody else, that it now names."""

    @property
    def excludes_self(self) -> bool:
        """Whether the person who does it will not be able to read any of it."""
        left = any(one.is_self for one in self.leaving)
        return left and not any(one.is_self for one in (*self.joining, *self.staying))


async def add(draft: Draft, folder: str, newcomers: Sequence[Newcomer]) -> Membership | None:
    """Draft that these people may read a folder too; None when all of them may already."""
    file, recipients, own = _recipients(draft, folder)
    before = await draft.store.crypto.readers(recipients.ids)
    known = {one.fingerprint for one in before if one.fingerprint} | set(recipients.ids)
    whose = await draft.store.crypto.readers([one.id for one in newcomers])
    new = [
        one
        for one, reader in zip(newcomers, whose, strict=True)
        if one.id not in known and reader.fingerprint not in known
    ]
    if not new:
        return None
    if folder and own != file:
        names.checked(folder)
    draft.put_file(own, recipients.with_added(one.id for one in new).text)
    for one in new:
        if one.exported is not None:
            draft.put_file(f"{EXPORTS}/{one.id}", one.exported)
    await _export_others(draft, [one.id for one in before])
    return await _membership(draft, folder, file, before)


async def remove(draft: Draft, folder: str, leaving: Collection[Reader]) -> Membership:
    """Draft that these recipients may not read a folder any more."""
    file, recipients, own = _recipients(draft, folder)
    before = await draft.store.crypto.readers(recipients.ids)
    gone = {one.id for one in leaving}
    left = recipients.without(gone)
    if not left.ids:
        raise RecipientError(
            f"nobody could read {draft.store.place(folder)} any more",
            remedy="add somebody first: flux-secret recipients add ID",
        )
    draft.put_file(own, left.text)
    _drop_exports(draft, gone)
    return await _membership(draft, folder, file, before)


async def inherit(draft: Draft, folder: str) -> Membership:
    """Draft that a folder has no recipients of its own, so that those above it count again."""
    file, recipients, own = _recipients(draft, folder)
    if own != file or not folder:
        raise UsageError(
            f"{draft.store.place(folder)} has no recipients of its own to take away",
            remedy="look who has: flux-secret recipients ls",
        )
    before = await draft.store.crypto.readers(recipients.ids)
    draft.put_file(own, None)
    _drop_exports(draft, set(recipients.ids))
    return await _membership(draft, folder, "", before)


async def listed(draft: Draft, folder: str, text: str) -> Reader:
    """Find the one recipient of a folder that a person means; raise `UsageError` for none, or two.

    What is written in the file counts first; then whatever leads to the same key. An e-mail address
    that two recipients share means neither of them (facts: gopass §2.4, #2416).
    """
    _, recipients, _ = _recipients(draft, folder)
    readers = await draft.store.crypto.readers(recipients.ids)
    found = [one for one in readers if one.id == text]
    if not found:
        meant = await draft.store.crypto.find(text)
        found = [one for one in readers if one.fingerprint in meant or is_same_key(one.id, text)]
    if len(found) == 1:
        return found[0]
    where = draft.store.place(folder)
    if found:
        raise UsageError(
            f"{text!a} means {len(found)} recipients of {where}: "
            + " and ".join(one.name for one in found),
            remedy="name one as it is written: flux-secret recipients ls",
        )
    raise UsageError(
        f"{text!a} is no recipient of {where}", remedy="look who is: flux-secret recipients ls"
    )


async def still_named(
    draft: Draft, leaving: Iterable[Reader], below: str = ""
) -> dict[str, tuple[Reader, ...]]:
    """Give the folders, of all or below one, whose own recipients name these people all the same.

    By whatever id: the folder's own, as it is written there.
    """
    return await named_in(draft.after(), draft.store.crypto, leaving, below)


async def named_in(
    tree: StoreTree, crypto: Crypto, people: Iterable[Reader], below: str = ""
) -> dict[str, tuple[Reader, ...]]:
    """Give the folders, of all or below one, whose own recipients name these people."""
    gone = list(people)
    ids, keys = {one.id for one in gone}, {one.fingerprint for one in gone if one.fingerprint}
    found: dict[str, tuple[Reader, ...]] = {}
    for folder, named in _named(tree):
        if not below or f"{folder}/".startswith(f"{below}/"):
            readers = await crypto.readers(named)
            still = tuple(one for one in readers if one.id in ids or one.fingerprint in keys)
            found |= {folder: still} if still else {}
    return found


def _named(tree: StoreTree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each folder with recipients of its own and their ids."""
    for folder in tree.recipients_files:
        try:
            yield folder, tree.recipients_file(folder)[1].ids
        except AccessError:  # cannot be used, so it lets nobody read: `store check` says so
            continue


def is_same_key(written: str, text: str) -> bool:
    """Whether two ids of hex digits name one key, which nobody here may have."""
    one, other = (word.removesuffix("!").lower().removeprefix("0x") for word in (written, text))
    shorter, longer = sorted((one, other), key=len)
    is_hex = all(digit in "0123456789abcdef" for digit in longer)
    return is_hex and len(shorter) >= _FULL and longer.endswith(shorter)


def _recipients(draft: Draft, folder: str) -> tuple[str, RecipientsFile, str]:
    """Give the file that counts for a folder, what is in it, and the path of the folder's own."""
    after = draft.after()
    file, recipients = after.recipients_file(folder)
    return file, recipients, posixpath.join(folder, after.layout.recipients)


async def _membership(draft: Draft, folder: str, was: str, before: Sequence[Reader]) -> Membership:
    after = draft.after()
    file, recipients = after.recipients_file(folder)
    now = await draft.store.crypto.readers(recipients.ids)
    old, new = {one.id for one in before}, {one.id for one in now}
    looks = [one for one in await look(draft, folder) if one.recipients == file]
    changed = old != new
    return Membership(
        folder, file,
        joining=tuple(one for one in now if one.id not in old),
        leaving=tuple(one for one in before if one.id not in new),
        staying=tuple(one for one in now if one.id in old),
        replaces=was if was and was != file else "",
        entries=tuple(one.name for one in looks),
        due=tuple(
            one for one in looks
            if not one.is_right or (changed and not one.verdict.is_certain)
        ),
    )  # fmt: skip


async def _export_others(draft: Draft, ids: Sequence[str]) -> None:
    """Put keys that the store misses beside the new ones, as gopass does at every such change."""
    missing = [
        one for one in ids
        if "/" not in one and draft.before.plain_file(f"{EXPORTS}/{one}") is None
    ]  # fmt: skip
    for one, export in (await draft.store.crypto.exports(dict.fromkeys(missing))).items():
        if export.ours is not None:
            draft.put_file(f"{EXPORTS}/{one}", export.ours)


def _drop_exports(draft: Draft, gone: Collection[str]) -> None:
    """Take the exported keys away of those whom no recipients file names any more."""
    named = {one for _, ids in _named(draft.after()) for one in ids}
    for one in set(gone) - named:
        for place in (EXPORTS, OLDER_EXPORTS):
            path = f"{place}/{one}"
            if "/" not in one and draft.before.plain_file(path) is not None:
                draft.put_file(path, None)
