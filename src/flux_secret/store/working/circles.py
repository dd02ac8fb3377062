"""Who can read what: each recipients file, whom it names, and the entries that it counts for."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from flux_secret.errors import AccessError
from flux_secret.store.interface import Crypto, Reader
from flux_secret.store.tree import StoreTree


@dataclass(frozen=True, slots=True)
class Circle:
    """Everybody that one recipients file names."""

    folder: str
    """Where it lies; "" is the store itself. It takes the place of those above it."""
    file: str
    readers: tuple[Reader, ...]
    entries: tuple[str, ...]
    """For which it is the nearest one, sorted."""
    problem: str = ""
    """Why the file cannot be used."""


async def circles(tree: StoreTree, crypto: Crypto) -> list[Circle]:
    """Give every recipients file of a store, the store's own first."""
    entries: dict[str, list[str]] = {}
    for name in tree.names:
        entries.setdefault(tree.nearest(posixpath.dirname(name)), []).append(name)
    found = []
    for folder in tree.recipients_files:
        file = posixpath.join(folder, tree.layout.recipients)
        problem = ""
        ids: tuple[str, ...] = ()
        try:
            ids = tree.recipients_file(folder)[1].ids
        except AccessError as failure:
            problem = failure.what
        readers = tuple(await crypto.readers(ids))
        found.append(Circle(folder, file, readers, tuple(entries.get(file, ())), problem))
    return found
