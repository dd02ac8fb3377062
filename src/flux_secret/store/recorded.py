"""Reads that are about to be answered → the record; a read that is on it already is not repeated.

What is recorded is the entry, not the part of it that is wanted: who is given one line could have
had the whole. The names of its keys are ciphertext in a store, and stay out of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Read
from flux_secret.model.record import Detail, Kind, Note, Recorder, Unrecorded

_Entry: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """A read whose value is known and not yet given away."""

    read: Read
    reason: str
    """Who asks: a place in the repository."""
    keys: Sequence[str] = ()
    """Ids of the private keys that opened it; empty when nobody can tell."""


class Reads:
    """One delivery's reads, as the delivery knows them and on the record."""

    def __init__(self, reads: list[Read], recorder: Recorder | None = None) -> None:
        """Fill in `reads`; without a recorder nothing is recorded."""
        self._reads = reads
        self._recorder = recorder or Unrecorded()
        self._known: set[_Entry] = set()
        self._used: set[str] = set()

    def asked(self, read: Read) -> None:
        """Note a question, however it ended."""
        self._reads.append(read)

    async def given(self, reads: Sequence[Given]) -> None:
        """Return once all of them may be answered; raise `RecordError` when none may be."""
        fresh = {_entry(one.read): one for one in reads if _entry(one.read) not in self._known}
        notes = [*self._keys(fresh.values()), *map(_read, fresh.values())]
        if notes:
            await self._recorder.write(notes)
        self._known.update(fresh)
        self._used.update(key for one in fresh.values() for key in one.keys)

    async def refused(self, read: Read, error: FluxSecretError, reason: str) -> None:
        """Record that an entry was asked for and not given; raise `RecordError`."""
        details = {**_where(read), "reason": reason, "error": error.what}
        await self._recorder.write([Note(Kind.REFUSED, str(read.lookup.path), details)])

    def _keys(self, reads: Iterable[Given]) -> Iterator[Note]:
        """Name the keys that are used here for the first time."""
        first = {key: one.read for one in reversed([*reads]) for key in one.keys}
        for key, read in sorted(first.items()):
            if key not in self._used:
                reason = "it opened entries"
                yield Note(Kind.KEY, key, {"store": str(read.store), "reason": reason})


def _read(one: Given) -> Note:
    return Note(Kind.READ, str(one.read.lookup.path), {**_where(one.read), "reason": one.reason})


def _where(read: Read) -> Mapping[str, Detail]:
    store = str(read.store) if read.store else None
    return {"store": store, "commit": read.commit, "blob": read.blob}


def _entry(read: Read) -> _Entry:
    return str(read.lookup.path), read.commit, read.blob
