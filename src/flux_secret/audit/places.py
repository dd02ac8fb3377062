"""A place that holds a record → its lines, each with the writer whose chain it is of.

A place is a folder with a folder for each writer, one such writer's folder, or a file of lines of
any writers (an export, or one file of a chain). Lines are read one by one, and never all of them.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

from flux_secret.audit.line import MAX_LINE_BYTES, WRITER
from flux_secret.audit.segments import SUFFIX, is_segment, segment_files
from flux_secret.errors import ConfigurationError
from flux_secret.outside.reading import open_regular

_WRITER_MEMBER: Final = b'"writer":"'
_UNKNOWN: Final = "unknown"
MAX_BLOB: Final = 64 * 1024 * 1024
"""Bytes of a file in a branch, and of one line of damage; our files have about one MiB."""


class Line(NamedTuple):
    """One line, unverified."""

    writer: str
    file: str
    number: int
    """In its file, from 1."""
    untrusted: bytes
    """With its line break, if it has one."""


class Place(Protocol):
    """Something that holds chains."""

    name: str
    """What people know it by."""
    is_whole: bool
    """Whether it has the chains of all writers, so that one that others saw is missing there."""
    follows: bool
    """Whether it is a copy that may be behind: a branch, which is pushed now and then."""

    def writers(self) -> Sequence[str]:
        """Give the names of all chains."""

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        """Give the lines, chain by chain; only those of some writers, when they are named."""


class FolderPlace:
    """A folder with a folder for each writer."""

    is_whole = True
    follows = False

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root

    def writers(self) -> Sequence[str]:
        """Give the names of the folders that hold lines."""
        return [folder.name for folder in self._folders() if segment_files(folder)]

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        """Give the lines of one writer after another."""
        for folder in self._folders():
            if writers is None or folder.name in writers:
                yield from _of_writer(folder, f"{folder.name}/")

    def _folders(self) -> list[Path]:
        """Give what may be writers' folders; a volume has others, as `lost+found`."""
        found = (path for path in self._root.iterdir() if WRITER.match(path.name))
        return sorted(path for path in found if path.is_dir())


class WriterPlace:
    """One writer's folder."""

    is_whole = False
    follows = False

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def writers(self) -> Sequence[str]:
        """Give the one name."""
        return [self._folder.name]

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        """Give its lines."""
        if writers is None or self._folder.name in writers:
            yield from _of_writer(self._folder, "")


class FilePlace:
    """A file of lines, whose writers may be several."""

    follows = False

    def __init__(self, file: Path) -> None:
        self.name = str(file)
        self.is_whole = not file.stem.isdecimal()
        self._file = file

    def writers(self) -> Sequence[str]:
        """Give the names that lines have, in their order."""
        return list(self._found)

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        """Give its lines, in their order; those of one writer without reading the others'."""
        if writers is not None and len(writers) == 1:
            yield from self._of(next(iter(writers)))
            return
        writer = _UNKNOWN
        for number, _, line in _numbered(self._file):
            writer = writer_in(line) or writer
            if writers is None or writer in writers:
                yield Line(writer, self._file.name, number, line)

    @cached_property
    def _found(self) -> Mapping[str, array[int]]:
        """Find each writer's lines: number, place and length of each, one after another."""
        writer = _UNKNOWN
        found: dict[str, array[int]] = {}
        for number, at, line in _numbered(self._file):
            writer = writer_in(line) or writer
            found.setdefault(writer, array("Q")).extend((number, at, len(line)))
        return found

    def _of(self, writer: str) -> Iterator[Line]:
        """Give one writer's lines; no file stays open between them, as writers may be thousands."""
        numbers = iter(self._found.get(writer, ()))
        for number, at, length in zip(numbers, numbers, numbers, strict=True):
            with _opened(self._file) as file:
                line = os.pread(file.fileno(), length, at)
            yield Line(writer, self._file.name, number, line)


class Item(Protocol):
    """A name in a tree of git."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def blob(self) -> str:
        """The id of what it is."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""


class Tree(Protocol):
    """A commit's files."""

    def children(self, path: str) -> Iterator[Item]:
        """List a folder; the root's path is empty."""

    def size(self, blob: str) -> int:
        """Give a file's bytes' number."""

    def read(self, blob: str) -> bytes:
        """Give a file's bytes."""


class BranchPlace:
    """A branch that the record was pushed to, in a clone."""

    is_whole = True
    follows = True

    def __init__(self, name: str, tree: Tree) -> None:
        self.name = name
        self._tree = tree

    def writers(self) -> Sequence[str]:
        """Give the names of the folders."""
        return [item.name for item in self._tree.children("") if item.is_folder]

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        """Give the lines of one writer after another; one file of them is in memory at a time."""
        for folder in self._tree.children(""):
            if not folder.is_folder or (writers is not None and folder.name not in writers):
                continue
            files = [one for one in self._tree.children(folder.name) if is_segment(one.name)]
            for item in sorted(files, key=lambda one: int(one.name.removesuffix(SUFFIX))):
                file = f"{folder.name}/{item.name}"
                if self._tree.size(item.blob) > MAX_BLOB:
                    raise ConfigurationError(
                        f"{file} in {self.name} is larger than {MAX_BLOB} bytes",
                        remedy="nothing of ours is: look who pushed it",
                    )
                lines = self._tree.read(item.blob).splitlines(keepends=True)
                for number, line in enumerate(lines, 1):
                    yield Line(folder.name, file, number, line)


def place_at(path: Path) -> Place:
    """Find out what a path is; raise `ConfigurationError` when it holds no record."""
    try:
        if path.is_dir():
            folder = path.resolve()
            place: Place = WriterPlace(folder) if segment_files(folder) else FolderPlace(folder)
            next(iter(place.lines()))
            return place
        with open_regular(path) as file:
            if file.read(1):
                return FilePlace(path)
        reason = "it is empty"
    except StopIteration:
        reason = f"no folder in it has files of lines ({'0' * 11}1{SUFFIX})"
    except OSError as failure:
        reason = (failure.strerror or "it cannot be read").lower()
    raise ConfigurationError(
        f"{path} holds no record: {reason}",
        remedy="name the folder of --record-dir, or a file of `audit export`",
    )


def writer_in(untrusted: bytes) -> str | None:
    """Give the writer that a line names, if it is one."""
    at = untrusted.rfind(_WRITER_MEMBER)
    if at < 0:
        return None
    name = untrusted[at + len(_WRITER_MEMBER) :].partition(b'"')[0].decode(errors="replace")
    return name if WRITER.match(name) else None


def _of_writer(folder: Path, prefix: str) -> Iterator[Line]:
    for file in segment_files(folder):
        for number, _, line in _numbered(file):
            yield Line(folder.name, f"{prefix}{file.name}", number, line)


def _numbered(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Give each line with its number and its place in the file."""
    with _opened(path) as file:
        number, at = 0, 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            yield number, at, line
            at += len(line)
            if line.endswith(b"\n"):
                continue
            if len(line) <= MAX_LINE_BYTES:
                return  # what a writer adds meanwhile is no line of its own
            _pass_over(file, f"line {number} of {path}")
            at = file.tell()


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as failure:
        raise ConfigurationError(
            f"the record cannot be read: {path}: {(failure.strerror or '').lower()}",
            remedy="mend the rights; or a file went while it was read: try again",
        ) from None


def _pass_over(file: BinaryIO, name: str) -> None:
    """Read to the end of a line that is too long to be one."""
    for _ in range(MAX_BLOB // MAX_LINE_BYTES):
        if not (part := file.readline(MAX_LINE_BYTES)) or part.endswith(b"\n"):
            return
    raise ConfigurationError(
        f"{name} is longer than {MAX_BLOB} bytes",
        remedy="nothing of ours is: look who wrote it, and name another copy of the record",
    )
