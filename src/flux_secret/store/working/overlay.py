"""A folder or a commit, with some of its files as they will be."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from flux_secret.store.interface import Commit, Entry

_NEW: Final = "\0"  # stands before the path of a file that will be: in no path, in no object's id


class _Entry(NamedTuple):
    name: str
    blob: str
    is_folder: bool
    is_link: bool = False

    @property
    def is_file(self) -> bool:
        return not (self.is_folder or self.is_link)


class Overlay:
    """What a tree will look like; `store.tree` reads it as it reads a commit."""

    commit = ""

    def __init__(self, base: Commit, files: Mapping[str, bytes | None]) -> None:
        """Take files by their paths; None for one that goes away."""
        self._base = base
        self._files = files

    def entry(self, path: str) -> Entry | None:
        """Find a file or folder."""
        name = posixpath.basename(path)
        if path in self._files:
            return None if self._files[path] is None else _Entry(name, _NEW + path, is_folder=False)
        return self._base.entry(path) or (
            _Entry(name, path, is_folder=True) if self._comes_below(path) else None
        )

    def children(self, path: str) -> Iterator[Entry]:
        """List one folder; a folder that loses its last file is listed all the same."""
        prefix = f"{path}/" if path else ""
        there = {entry.name: entry for entry in self._base.children(path)}
        for changed, data in self._files.items():
            if changed.startswith(prefix):
                name, _, below = changed.removeprefix(prefix).partition("/")
                if below:
                    if data is not None:
                        there.setdefault(name, _Entry(name, prefix + name, is_folder=True))
                elif data is None:
                    there.pop(name, None)
                else:
                    there[name] = _Entry(name, _NEW + changed, is_folder=False)
        yield from (there[name] for name in sorted(there, key=_bytes))

    def size(self, blob: str) -> int:
        """Give a file's size in bytes."""
        return len(self.read(blob)) if blob.startswith(_NEW) else self._base.size(blob)

    def read(self, blob: str) -> bytes:
        """Give a file's bytes."""
        if not blob.startswith(_NEW):
            return self._base.read(blob)
        return self._files[blob.removeprefix(_NEW)] or b""

    def _comes_below(self, path: str) -> bool:
        return any(
            changed.startswith(f"{path}/") and data is not None
            for changed, data in self._files.items()
        )


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
