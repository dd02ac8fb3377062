"""Entries, and every version there ever was → since when each value is what it is; pure.

A value is as old as its first appearance in the store's history, under whatever name: encrypting it
anew, adding a recipient, a comment beside it, moving, copying and merging change nothing, and a
value that comes back is as old as it was. What cannot be decrypted here makes that uncertain: then
it may have changed at any time in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.outside.git.past import Version
from flux_secret.store.working.dates import Dated
from flux_secret.store.working.parts import Parts

CLOSED: Final = "it cannot be decrypted here"
BEFORE: Final = "versions before it cannot be decrypted here"
DATES: Final = "the commit's date does not fit between its neighbours"


@dataclass(frozen=True, slots=True)
class Age:
    """Since when an entry's value is what it is."""

    entry: str
    since: int
    """The latest time at which it may have changed, in seconds since the epoch."""
    earliest: int
    """The earliest; the same where it is certain."""
    commit: str
    """The one that brought it in."""
    author: str
    """Who says to have made that; nobody proved it."""
    first: str
    """The entry in which it was first seen."""
    doubts: tuple[str, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether every version was compared that had to be."""
        return not {CLOSED, BEFORE} & set(self.doubts)


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a store's versions."""

    past: Sequence[Version]
    """Every version of every entry, the oldest first."""
    parts: Mapping[str, Parts | None]
    """Blob → its digests; None where it cannot be decrypted here."""
    dated: Mapping[str, Dated]
    vanished: Callable[[str], Collection[str]] = lambda _commit: ()
    """Commit → the paths that it took away."""


def ages(now: Mapping[str, Version], history: History, extension: str) -> list[Age]:
    """Give the age of each entry's value; `now` has the version that each entry holds."""
    first: dict[bytes, int] = {}
    places: dict[str, list[int]] = {}
    for at, one in enumerate(history.past):
        places.setdefault(one.path, []).append(at)
        parts = history.parts[one.blob]
        if parts is not None:
            first.setdefault(parts.value, at)
    found = []
    for entry, version in sorted(now.items()):
        parts = history.parts[version.blob]
        if parts is None:
            found.append(_closed(entry, version, history, places))
        else:
            found.append(_opened(entry, first[parts.value], history, places, extension))
    return found


def _closed(
    entry: str, version: Version, history: History, places: Mapping[str, Sequence[int]]
) -> Age:
    """Date what cannot be decrypted: somewhere between its file's first and last change."""
    of_path = [history.past[at] for at in places[version.path]]
    last = next(one for one in reversed(of_path) if one.blob == version.blob)
    latest, earliest = history.dated[last.commit], history.dated[of_path[0].commit]
    return Age(
        entry, latest.when, min(earliest.when, latest.when), last.commit, latest.author, entry,
        (CLOSED, *_dates(latest)),
    )  # fmt: skip


def _opened(
    entry: str, at: int, history: History, places: Mapping[str, Sequence[int]], extension: str
) -> Age:
    one = history.past[at]
    date = history.dated[one.commit]
    closed = _closed_before(at, history, places)
    earliest = min([date.when, *(history.dated[history.past[each].commit].when for each in closed)])
    return Age(
        entry, date.when, earliest, one.commit, date.author, one.path.removesuffix(extension),
        (*((BEFORE,) if closed else ()), *_dates(date)),
    )  # fmt: skip


def _dates(date: Dated) -> tuple[str, ...]:
    return () if date.is_believed else (DATES,)


def _closed_before(at: int, history: History, places: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Give the versions right before one that cannot be decrypted: it may stand in them already.

    Where its file is new, those of the files that went in the same commit: it may have been moved.
    """
    one = history.past[at]
    found: list[int] = []
    paths = [one.path]
    if not [each for each in places[one.path] if each < at]:
        paths = [path for path in history.vanished(one.commit) if path in places]
    for path in paths:
        for each in sorted((each for each in places[path] if each < at), reverse=True):
            if history.parts[history.past[each].blob] is not None:
                break
            found.append(each)
    return found
