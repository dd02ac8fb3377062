"""Bare repository + commit → blobs and trees, read as objects, never from a work tree (pygit2)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, ObjectType

from flux_secret.errors import SourceError, UnreachableError


class DamagedRepositoryError(UnreachableError):
    """Our copy lacks an object or has it damaged; the next try makes the copy anew."""


class Kind(enum.Enum):
    """What a tree's entry is."""

    FILE = "file"
    EXECUTABLE = "executable"
    LINK = "link"
    TREE = "tree"
    SUBMODULE = "submodule"


_KINDS = {
    FileMode.BLOB: Kind.FILE,
    FileMode.BLOB_EXECUTABLE: Kind.EXECUTABLE,
    FileMode.LINK: Kind.LINK,
    FileMode.TREE: Kind.TREE,
    FileMode.COMMIT: Kind.SUBMODULE,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree."""

    name: str
    """Bytes that are not UTF-8 stand as surrogates, as `os.fsdecode` gives them."""
    kind: Kind
    blob: str
    """Object id in hex."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this repository."""
        return self.kind is Kind.TREE

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.kind is Kind.LINK

    @property
    def is_file(self) -> bool:
        """Whether it has bytes here: no folder, no link, and no commit of another repository."""
        return self.kind in {Kind.FILE, Kind.EXECUTABLE}


class Commit:
    """The tree of one pinned commit."""

    def __init__(self, repository: Path | pygit2.Repository, commit: str) -> None:
        """`repository` is a bare one's folder, or one that is open, for many commits."""
        self.commit = commit
        with self._reading(commit):
            if isinstance(repository, Path):
                flags = pygit2.enums.RepositoryOpenFlag.BARE
                repository = pygit2.Repository(str(repository), flags)
            self._repository = repository
            self._objects = self._repository.odb
            self._root = self._repository[commit].peel(pygit2.Tree)

    @property
    def root(self) -> str:
        """The id of its root folder."""
        return str(self._root.id)

    def entry(self, path: str) -> Entry | None:
        """Find a file or folder by its path; links are not followed."""
        found = self._find(path)
        return None if found is None else _entry(found, path.rpartition("/")[2])

    def children(self, path: str) -> Iterator[Entry]:
        """List one folder, in git's order (bytewise); nothing where there is none."""
        tree = self._find(path)
        if isinstance(tree, pygit2.Tree):
            with self._reading(str(tree.id)):
                entries = list(_entries(tree))
            yield from entries

    def folder(self, tree: str) -> Iterator[Entry]:
        """List the folder that has this id, in git's order (bytewise)."""
        with self._reading(tree):
            found = self._repository[tree]
            entries = list(_entries(found)) if isinstance(found, pygit2.Tree) else None
        if entries is None:
            raise SourceError(f"object {tree[:12]} is no folder", remedy="check with `git fsck`")
        yield from entries

    def size(self, blob: str) -> int:
        """Give a blob's size in bytes without reading it."""
        with self._reading(blob):
            _, size = self._objects.read_header(blob)
        return int(size)

    def read(self, blob: str) -> bytes:
        """Give a blob's bytes."""
        with self._reading(blob):
            kind, data = self._objects.read(pygit2.Oid(hex=blob))  # half the time of a look-up
            if kind == ObjectType.BLOB:
                return bytes(data)
        raise SourceError(f"object {blob[:12]} is no file", remedy="check with `git fsck`")

    def _find(self, path: str) -> pygit2.Object | None:
        """Walk part by part: a folder that is damaged must not look like one that is not there."""
        found: pygit2.Object = self._root
        for part in path.split("/") if path else ():
            if not isinstance(found, pygit2.Tree) or not part:
                return None
            with self._reading(str(found.id)):
                if part not in found:
                    return None
                found = found[part]
        return found

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except (KeyError, ValueError, OSError, pygit2.GitError) as error:
            raise DamagedRepositoryError(
                f"object {name[:12]} is missing or damaged in the copy of the repository",
                remedy="the copy is made anew at the next try; if it stays so: `git fsck` there",
            ) from error


def _entries(tree: pygit2.Tree) -> Iterator[Entry]:
    for child in tree:
        yield _entry(child, (child.raw_name or b"").decode(errors="surrogateescape"))


def _entry(found: pygit2.Object, name: str) -> Entry:
    mode = found.filemode or FileMode.TREE  # the root tree has none
    return Entry(name, _KINDS.get(FileMode(mode), Kind.SUBMODULE), str(found.id))
