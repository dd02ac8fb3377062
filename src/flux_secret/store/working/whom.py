"""What a person types + a store's whole history → whose keys are meant, also of those who left.

Somebody is known by a line that a recipients file ever had, by a key that `.public-keys` ever had,
by the keyring, and at last by a message that names their key and nothing else does.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.openpgp import PublicKey
from flux_secret.outside.git.past import Version
from flux_secret.store.format.recipients import RecipientsFile
from flux_secret.store.interface import Reader
from flux_secret.store.tree import AGE
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS
from flux_secret.store.working.membership import is_same_key
from flux_secret.store.working.store import WorkingStore

_HEX: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{16,64})!?\Z")
_MARK: Final = 16  # hex digits by which a message names a key
_SHOWN: Final = 5
_USER_ID: Final = re.compile(r"(?:0x[0-9A-F]{16} )?(.*?)\s*(?:<([^<>]*)>)?\Z")


@dataclass(frozen=True, slots=True)
class Meant:
    """One key."""

    fingerprint: str
    """Empty where only an id is known."""
    name: str
    """The id and whose it says it is, for people."""
    readers: tuple[Reader, ...]
    """The ways in which recipients files ever named it; at least one."""


@dataclass(slots=True)
class _Known:
    """Everybody whom a store ever knew."""

    written: dict[str, Reader]
    """Every line that a recipients file ever had."""
    keys: dict[str, PublicKey] = field(default_factory=dict)
    """Fingerprint → key, of every export that there ever was."""

    def fingerprint(self, one: Reader) -> str:
        """Say whose a line is; empty where nobody knows."""
        match = _HEX.match(one.id)
        if one.fingerprint or match is None:
            return one.fingerprint
        hits = [key.fingerprint for key in self.keys.values() if key.matches(match[1].upper())]
        return hits[0] if len(hits) == 1 else ""

    def names(self) -> Iterator[tuple[str, str]]:
        """Give each name that a key has, and the key's fingerprint."""
        for key in self.keys.values():
            for one in key.user_ids:
                yield one, key.fingerprint
        for reader in self.written.values():
            if reader.fingerprint and reader.name != reader.id:
                yield reader.name, reader.fingerprint


async def meant(store: WorkingStore, text: str, past: Sequence[Version]) -> list[Meant]:
    """Find the keys; none where the store never knew any of them.

    An id or a fingerprint means one key; an address or a whole name means all keys that have it.
    Raises `UsageError` for a part of a name that several keys have.
    """
    known = await _known(store, past)
    found = await store.crypto.find(text)
    by_key = _HEX.match(text) is not None or store.crypto.layout == AGE
    hits = _of_key(text, known, found) if by_key else _of_name(text, known)
    loose = [
        one for one in known.written.values()
        if not known.fingerprint(one) and (one.id == text or is_same_key(one.id, text))
    ]  # fmt: skip
    people = [await _one(store, known, each) for each in sorted(hits)]
    people += [Meant("", one.name, (one,)) for one in loose]
    return people or _by_mark(text)


async def _known(store: WorkingStore, past: Sequence[Version]) -> _Known:
    crypto, tree = store.crypto, store.tree()
    ids = {one for folder in tree.recipients_files
           for one in tree.wanted_recipients(f"{folder}/-".lstrip("/"))}  # fmt: skip
    keys: dict[str, PublicKey] = {}
    for path, data in await _small_files(store, past):
        if path.rpartition("/")[2] == crypto.layout.recipients:
            ids |= set(RecipientsFile(data).ids)
        else:
            keys |= {key.fingerprint: key for key in await crypto.keys_in(data)}
    return _Known({one.id: one for one in await crypto.readers(sorted(ids))}, keys)


async def _small_files(store: WorkingStore, past: Sequence[Version]) -> list[tuple[str, bytes]]:
    """Give every version of the recipients files and of the exported keys, each content once."""
    head = await store.clone.head() if store.clone is not None else None
    if store.clone is None or head is None:
        return []
    at, name = store.clone.at(head), store.crypto.layout.recipients
    exports = (f"{EXPORTS}/", f"{OLDER_EXPORTS}/")
    wanted = {
        one.blob: one.path for one in past
        if one.path.rpartition("/")[2] == name or one.path.startswith(exports)
    }  # fmt: skip
    return [(path, at.read(blob)) for blob, path in wanted.items()]


def _of_key(text: str, known: _Known, found: Collection[str]) -> set[str]:
    """Give the keys that an id means; `found` is what the keyring finds, or what age reads."""
    match = _HEX.match(text)
    digits = match[1].upper() if match else ""
    exported = {one.fingerprint for one in known.keys.values() if digits and one.matches(digits)}
    # the comment behind an ssh key is its owner's name
    noted = {
        known.fingerprint(one)
        for one in known.written.values()
        if text in {one.id, *one.id.split()}
    }
    return {*found, *exported, *noted} - {""}


def _of_name(text: str, known: _Known) -> set[str]:
    exact = {one for name, one in known.names() if text.casefold() in _forms(name)}
    exact |= {known.fingerprint(one) for one in known.written.values() if one.id == text} - {""}
    if exact:
        return exact
    partly = {one: name for name, one in known.names() if text.casefold() in name.casefold()}
    if len(partly) > 1:
        names = [f"{one} {_bare(name)}" for one, name in sorted(partly.items())]
        raise UsageError(
            f"{text!a} means {len(partly)} keys: {', '.join(names[:_SHOWN])}",
            remedy="name one by its fingerprint, or somebody by the whole address",
        )
    return set(partly)


def _bare(name: str) -> str:
    return re.sub(r"\A0x[0-9A-F]{16} ", "", name)


def _forms(name: str) -> Collection[str]:
    """Give how a person may write a user id: whole, its name, its address."""
    match = _USER_ID.match(name)
    parts = [part for part in match.groups() if part] if match else []
    return {one.casefold() for one in (name, *parts)}


async def _one(store: WorkingStore, known: _Known, fingerprint: str) -> Meant:
    key = known.keys.get(fingerprint)
    ids = [one for one in known.written.values() if known.fingerprint(one) == fingerprint]
    readers = ids or await store.crypto.readers([fingerprint])
    marks = frozenset(sub.key_id for sub in key.subkeys) if key else frozenset()
    name = str(key) if key else readers[0].name
    return Meant(
        fingerprint, name,
        tuple(
            dataclasses.replace(one, marks=one.marks | marks, fingerprint=fingerprint)
            for one in readers
        ),
    )  # fmt: skip


def _by_mark(text: str) -> list[Meant]:
    """Look for a key that only messages name: by the id of its subkey."""
    match = _HEX.match(text)
    if match is None:
        return []
    mark = match[1].upper()[-_MARK:]
    return [Meant("", f"0x{mark}", (Reader(f"0x{mark}", f"0x{mark}", frozenset({mark})),))]
