"""Places and what is asked for → records, the oldest first, of all writers in one order.

Chains are read side by side and merged by time, each in its own order: clocks jump. Memory is one
record a chain.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from flux_secret.audit.line import BadLineError, Record, parse
from flux_secret.audit.places import Line, Place
from flux_secret.audit.pseudonyms import Pseudonyms

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_TIME, _KIND = b',"time":"', b',"kind":"'
_SHOWN: Final = 12  # digits of one
_FIRST: Final = 3  # ids of a list


@dataclass
class Selection:
    """What is asked for; what is left empty asks for all."""

    entry: str = ""
    """An entry's name, a folder of entries (`apps/demo/`), or a pattern (`apps/*/prod/*`)."""
    person: str = ""
    app: str = ""
    kinds: Collection[str] = ()
    since: str = ""
    """As the record writes times; the first that counts."""
    until: str = ""
    """The first that does not count any more."""
    pseudonyms: Pseudonyms | None = None
    """What gives names back."""

    def may_have(self, untrusted: bytes) -> bool:
        """Say whether a line is worth reading: its time and kind, looked at as they stand."""
        time = _after(untrusted, _TIME, 24)
        if time < self.since or (self.until and time >= self.until):
            return False
        return not self.kinds or _after(untrusted, _KIND, 33).partition('"')[0] in self.kinds

    def has(self, record: Record) -> bool:
        """Say whether it is asked for."""
        if self.kinds and record.kind not in self.kinds:
            return False
        if record.time < self.since or (self.until and record.time >= self.until):
            return False
        details = record.details
        if self.app and not _is_app(self.app, details.get("app"), details.get("target")):
            return False
        if self.person and not _is_person(self.person, record):
            return False
        return not self.entry or any(_is_entry(self.entry, name) for name in _entries(record))


@dataclass
class Found:
    """Records that were asked for, and what could not be read."""

    places: Sequence[Place]
    selection: Selection = field(default_factory=Selection)
    unreadable: int = 0
    """Lines that are no records."""

    def __iter__(self) -> Iterator[tuple[Record, bytes]]:
        """Give each record and its line, once, the oldest first, each chain in its own order."""
        copies: dict[str, list[Iterator[_Sortable]]] = {}
        for place in self.places:
            for name in place.writers():
                copies.setdefault(name, []).append(self._chain(place, name))
        for one in heapq.merge(*map(_once, copies.values()), key=lambda one: one[:3]):
            if self.selection.has(one.record):
                yield one.record, one.line

    def _chain(self, place: Place, writer: str) -> Iterator[_Sortable]:
        for line in place.lines({writer}):
            if not self.selection.may_have(line.untrusted):
                continue
            try:
                record = parse(line.untrusted.removesuffix(b"\n"))
            except BadLineError:
                self.unreadable += _is_whole(line)
                continue
            if self.selection.pseudonyms is not None:
                record = _named(record, self.selection.pseudonyms)
            yield _Sortable(record.time, record.writer, record.seq, record, line.untrusted)


class _Sortable(NamedTuple):
    time: str
    """From when on it counts: no earlier than those before it, whatever its clock said."""
    writer: str
    seq: int
    record: Record
    line: bytes


def _once(copies: Sequence[Iterator[_Sortable]]) -> Iterator[_Sortable]:
    """Give one chain's records once, though they are in several places; of a fork both."""
    seq, seen, latest = -1, set[str](), ""
    for one in heapq.merge(*copies, key=lambda one: one.seq):
        if one.seq != seq:
            seq, seen = one.seq, set()
        if one.record.hash not in seen:
            seen.add(one.record.hash)
            latest = max(latest, one.time)
            yield one._replace(time=latest)


def shown_details(record: Record) -> str:
    """Write a record's details in a line: `app=demo blob=3f9a5c0d11e2`.

    Ids of git are cut, and of many of them only the first are shown.
    """
    said = []
    for name, value in record.details.items():
        ids = [one for one in _several(value) if _OBJECT_ID.match(one)]
        if ids and len(ids) == len(_several(value)):
            more = [f"{len(ids) - _FIRST}_more"] if len(ids) > _FIRST else []
            said.append(f"{name}={','.join([one[:_SHOWN] for one in ids[:_FIRST]] + more)}")
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        said.append(f"{name}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}")
    return " ".join(said)


def _several(value: object) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _named(record: Record, pseudonyms: Pseudonyms) -> Record:
    details = {
        name: pseudonyms.shown(value)
        if isinstance(value, str)
        else [pseudonyms.shown(item) for item in value]
        if isinstance(value, list)
        else value
        for name, value in record.details.items()
    }
    return record._replace(about=pseudonyms.shown(record.about), details=details)


def _after(untrusted: bytes, member: bytes, size: int) -> str:
    """Give what a line has behind a member's name, which is the last of that name in it."""
    at = untrusted.rfind(member) + len(member)
    return untrusted[at : at + size].decode(errors="replace")


def _is_whole(line: Line) -> bool:
    return line.untrusted.endswith(b"\n")


def _entries(record: Record) -> Iterator[str]:
    yield record.about
    for name in ("entry", "entries", "path", "paths", "prefix"):
        value = record.details.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from value


def _is_entry(asked: str, name: str) -> bool:
    if asked.endswith("/"):
        return name.startswith(asked)
    return name in {asked, f"{asked}/"} or fnmatchcase(name, asked)


def _is_app(asked: str, *said: object) -> bool:
    return any(one == asked or str(one).endswith(f"/{asked}") for one in said if one)


def _is_person(asked: str, record: Record) -> bool:
    """Say whether a person is named: by the record, or by whose machine wrote it."""
    wanted = asked.lower()
    named = str(record.details.get("person", "")).lower()
    return wanted in named or record.writer.rpartition("-")[0].partition("@")[0] == wanted
