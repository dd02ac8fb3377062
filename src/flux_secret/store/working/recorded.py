"""Ciphertexts that are about to be decrypted for a person → notes for their record.

One note an entry. Where it is one version of it, the note names the version; where many are read
together, as for an entry's age, it names them all: a line for each would say the same of every one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from flux_secret.errors import DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Detail, Kind, Note
from flux_secret.store.interface import Layout

MAX_VERSIONS: Final = 500
"""That one note names; a line's list is cut at 65,536 characters."""


class Sealed(NamedTuple):
    """One version of an entry."""

    name: str
    """The entry's, below its store's root."""
    blob: str
    """The id that git gives to its file."""
    commit: str = ""
    """One that has it there; empty for what is changed and not committed, and without git."""
    also: tuple[str, ...] = ()
    """Other entries, or earlier names of it, whose file is the same."""

    @classmethod
    def of(cls, file: str, blob: str, commit: str, layout: Layout) -> Sealed:
        """Name the version that a file is in a commit."""
        return cls(file.removesuffix(layout.extension), blob, commit)


class Opener(Protocol):
    """Decrypts for a person."""

    def open_all(
        self, sealed: Sequence[tuple[Sealed, bytes]]
    ) -> Awaitable[list[Plaintext | DecryptError]]:
        """Record these ciphertexts, then decrypt them; raise `RecordError` and decrypt nothing."""


def notes(sealed: Iterable[Sealed], store: str, full: Callable[[str], str] = str) -> Iterator[Note]:
    """Name each entry that is read; `full` gives its name as people write it."""
    entries: dict[str, dict[Sealed, None]] = {}
    for one in sealed:
        entries.setdefault(one.name, {})[one] = None
    for name, found in entries.items():
        versions = list(found)
        for at in range(0, len(versions), MAX_VERSIONS):
            some = versions[at : at + MAX_VERSIONS]
            also = sorted({full(other) for one in some for other in one.also})
            yield Note(Kind.READ, full(name), {"store": store, **_which(some), "entries": also})


def _which(versions: Sequence[Sealed]) -> Mapping[str, Detail]:
    if len(versions) == 1:
        return {"commit": versions[0].commit, "blob": versions[0].blob}
    return {
        "versions": len(versions),
        "commits": [one.commit for one in versions],
        "blobs": [one.blob for one in versions],
    }
