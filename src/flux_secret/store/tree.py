"""A store's tree at one commit: its entries, and who is meant to read them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from flux_secret.errors import AccessError
from flux_secret.store.interface import Commit, Entry

_EXTENSION: Final = ".gpg"
_MAX_LINKS: Final = 8
_MAX_DEPTH: Final = 100  # folders; gopass walks up at most 100 levels too


class StoreTree:
    """Entries by name, as gopass lists them (facts: gopass §1.2)."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._folders: dict[str, dict[str, Entry]] = {}

    @property
    def commit(self) -> str:
        """The pinned commit's id."""
        return self._commit.commit

    def blob(self, name: str) -> str | None:
        """Find an entry's ciphertext; None when there is no such entry.

        A link, as `gopass link` makes it, is followed inside the store; one that leads out of it,
        or in circles, raises `AccessError`.
        """
        path = f"{name}{_EXTENSION}"
        for _ in range(_MAX_LINKS):
            entry = self._entry(path)
            if entry is None or entry.is_folder:
                return None
            if not entry.is_link:
                return entry.blob
            path = self._follow(path, entry)
        raise AccessError(
            f"the link {name!r} in the store leads in circles",
            remedy="remove it, and make it anew with `gopass link`",
        )

    def ciphertext(self, blob: str) -> bytes:
        """Give an entry's bytes as they are in git."""
        return self._commit.read(blob)

    def size(self, blob: str) -> int:
        """Give the size of an entry's ciphertext in bytes."""
        return self._commit.size(blob)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every entry's name, sorted bytewise; folders that start with a dot are none."""
        return tuple(sorted(self._walk("", 0), key=str.encode))

    def wanted_recipients(self, name: str) -> tuple[str, ...]:
        """Give the ids of the nearest `.gpg-id` upwards, sorted; the file replaces its parents'."""
        folder = posixpath.dirname(name)
        while True:
            entry = self._commit.entry(posixpath.join(folder, ".gpg-id"))
            if entry is not None and not entry.is_folder and not entry.is_link:
                return _ids(self._commit.read(entry.blob))
            if not folder:
                return ()
            folder = posixpath.dirname(folder)

    def _entry(self, path: str) -> Entry | None:
        """Find a file; a folder is listed once: git would parse it again for each of its files."""
        folder, name = posixpath.split(path)
        if folder not in self._folders:
            found = self._commit.entry(folder)
            is_folder = found is not None and found.is_folder
            children = self._commit.children(folder) if is_folder else ()
            self._folders[folder] = {child.name: child for child in children}
        return self._folders[folder].get(name)

    def _follow(self, path: str, entry: Entry) -> str:
        to = self._commit.read(entry.blob).decode(errors="replace")
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
        if to.startswith("/") or end.startswith(".."):
            raise AccessError(
                f"the link {path!r} leads out of the store",
                remedy="remove it, and make it anew with `gopass link`",
            )
        return end

    def _walk(self, folder: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            return
        for entry in self._commit.children(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_folder and not entry.name.startswith("."):
                yield from self._walk(path, depth + 1)
            elif entry.name.endswith(_EXTENSION) and not entry.is_folder:
                yield path.removesuffix(_EXTENSION)


def _ids(text: bytes) -> tuple[str, ...]:
    """Read recipients as gopass does: any line break, comments after `#` (facts: gopass §1.3)."""
    lines = text.decode(errors="replace").replace("\r", "\n").split("\n")
    return tuple(sorted({line.partition("#")[0].strip() for line in lines} - {""}))
