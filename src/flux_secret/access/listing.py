"""Trees of many commits, each folder of them listed once: most of a store is the same in all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

from flux_secret.access.interface import Entry, Tree
from flux_secret.errors import ConfigurationError

_MOST: Final = 1_000_000  # entries that are remembered, of some 300 bytes each


class Listings:
    """What folders hold, by their ids."""

    def __init__(self) -> None:
        self._folders: dict[str, Mapping[str, Entry]] = {}
        self._count = 0

    def of(self, tree: Tree, folder: str) -> Mapping[str, Entry]:
        """List a folder; git would parse it again for each of its files."""
        found = self._folders.get(folder)
        if found is None:
            if self._count > _MOST:
                self._folders.clear()
                self._count = 0
            found = _by_name(tree.folder(folder), folder)
            self._folders[folder] = found
            self._count += len(found) + 1
        return found


def _by_name(entries: Iterator[Entry], folder: str) -> Mapping[str, Entry]:
    """Refuse a folder that git would not have written.

    Of two who look a name up there each could find another: owners would agree to one, and the
    other be read.
    """
    found: dict[str, Entry] = {}
    before = b""
    for one in entries:
        key = os.fsencode(f"{one.name}/" if one.is_folder else one.name)
        if one.name in found or key < before:
            wrong = "stands there twice" if one.name in found else "stands out of order"
            raise ConfigurationError(
                f"folder {folder[:12]} is none of git's: {one.name[:80]!a} {wrong}",
                remedy="look for who made it: git fsck, and git log --find-object=FOLDER",
            )
        found[one.name], before = one, key
    return found


class Listed:
    """The tree of one commit, looked up in listings."""

    def __init__(self, tree: Tree, listings: Listings) -> None:
        self.commit = tree.commit
        self._tree = tree
        self._listings = listings
        self._root = tree.entry("")

    def entry(self, path: str) -> Entry | None:
        """Find a file or folder; links are not followed."""
        found = self._root
        for part in path.split("/") if path else ():
            if found is None or not found.is_folder:
                return None
            found = self._listings.of(self._tree, found.blob).get(part)
        return found

    def children(self, path: str) -> Iterator[Entry]:
        """List one folder; nothing where there is none."""
        found = self.entry(path)
        if found is not None and found.is_folder:
            yield from self._listings.of(self._tree, found.blob).values()

    def folder(self, tree: str) -> Iterator[Entry]:
        """List the folder that has this id."""
        yield from self._listings.of(self._tree, tree).values()

    def size(self, blob: str) -> int:
        """Give a blob's size in bytes."""
        return self._tree.size(blob)

    def read(self, blob: str) -> bytes:
        """Give a blob's bytes."""
        return self._tree.read(blob)
