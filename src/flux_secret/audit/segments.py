"""One writer's folder: the files of its chain, and where the chain goes on.

A file is called after the number of its first record, `000000000001.jsonl`. When one is full the
next one begins, with a record of its own that says so. What a crash left of a line is found at the
start: it is kept beside the chain, and the chain says so in its next record.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from flux_secret.audit.line import (
    FORMAT,
    MAX_LINE_BYTES,
    NO_HASH,
    BadLineError,
    Record,
    line_of,
    number_in,
    parse,
    settled,
)
from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note
from flux_secret.outside.appendfile import AppendFile, Claim, remove
from flux_secret.outside.files import write_atomic

FRAMES: Final = frozenset({Kind.SIGNATURE.value, Kind.SEGMENT.value})
"""Kinds that say nothing that would have to be signed."""
SUFFIX: Final = ".jsonl"
_NAME: Final = re.compile(r"\d{12,16}\.jsonl\Z")
_TAIL_BYTES: Final = 32 * MAX_LINE_BYTES  # what a crash can have left half written
_REMEMBERED_BYTES: Final = 4 * MAX_LINE_BYTES  # of a file's end, from which work goes on
_LATE: Final = 100  # lines among which one says something, if anything is unsigned
_SIGNATURE: Final = b'"kind":"signature"'
_ANCHOR: Final = b'"kind":"anchor"'
_HINTS: Final = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room, or raise the quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "let this user write there",
    errno.EROFS: "mount it so that it can be written",
}


class Head(NamedTuple):
    """Where a chain is."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a record may become, in bytes."""

    segment: int = 64 * 1024 * 1024
    """Of one file; the next one begins with the group of records that reaches it."""
    keep: int = 0
    """Of all files of one writer; 0 keeps them all."""


class Segments:
    """The folder, while this process is the one that writes there; one thread at a time."""

    def __init__(self, root: Path, name: str, bounds: Bounds) -> None:
        """Take a writer's folder below `root`; raise `RecordError`."""
        self._bounds = bounds
        try:
            self._claim = Claim.take(root, name)
        except OSError as failure:
            raise refused(root, failure) from None
        self.folder = self._claim.folder
        self.writer = self.folder.name
        self._file: AppendFile | None = None
        self.found: list[Note] = []
        """What the next record has to say first."""
        self.signed = 0
        """The last record that was signed at the start."""
        self.said = 0
        """The last record that says something: signatures, and lines that begin files, do not."""
        self.seen: dict[str, int] = {}
        """How far other chains were, when it was noted last before the start."""
        try:
            self.head = self._open()
        except OSError as failure:
            self.close()
            raise refused(self.folder, failure) from None
        except BaseException:
            self.close()
            raise

    def append(self, notes: Sequence[Note], time: str) -> None:
        """Make settled notes the next records, durably and all of them; raise `RecordError`."""
        is_full = self._file is None or self._file.size >= self._bounds.segment
        lines, head = self._linked([*([self._begins()] if is_full else []), *notes], time)
        try:
            if is_full:
                self._begin(lines)
            elif self._file is not None:
                self._file.append(lines)
        except OSError as failure:
            raise refused(self.folder, failure) from None
        self.head = head
        if any(note.kind not in FRAMES for note in notes):
            self.said = head.seq

    @property
    def file(self) -> Path | None:
        """The file that grows now; None before the first record."""
        return self._file.path if self._file else None

    def files(self) -> list[Path]:
        """Give the files of the chain, the oldest first."""
        return segment_files(self.folder)

    def surplus(self) -> tuple[list[Path], Head | None]:
        """Give the oldest files that are beyond the bound, and the last record in them."""
        if not self._bounds.keep:
            return [], None
        files = self.files()
        sizes = [file.stat().st_size for file in files]
        total, going = sum(sizes), 0
        while total > self._bounds.keep and going < len(files) - 1:
            total -= sizes[going]
            going += 1
        if not going:
            return [], None
        with files[going].open("rb") as file:
            first = parse(file.readline(MAX_LINE_BYTES).rstrip(b"\n"))
        return files[:going], Head(first.seq - 1, first.prev)

    def drop(self, files: Sequence[Path]) -> None:
        """Remove files, the oldest first."""
        for file in files:
            remove(file)

    def close(self) -> None:
        """Let another process write there."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._claim.close()

    def _linked(self, notes: Sequence[Note], time: str) -> tuple[bytes, Head]:
        seq, prev = self.head
        lines = []
        for note in notes:
            seq += 1
            line, prev = line_of(note, seq=seq, time=time, writer=self.writer, prev=prev)
            lines.append(line)
        return b"".join(lines), Head(seq, prev)

    def _begins(self) -> Note:
        details = {"format": FORMAT, "head": self.head.hash if self.head.seq else None}
        return settled(Note(Kind.SEGMENT, self.writer, details))

    def _begin(self, lines: bytes) -> None:
        """Begin the next file with these lines; when that fails there is no such file."""
        path = self.folder / f"{self.head.seq + 1:012d}{SUFFIX}"
        if path.exists() and path.stat().st_size:
            raise FileExistsError(errno.EEXIST, "somebody else changed it", str(path))
        remove(path)
        file = AppendFile.open(path, new=True)
        try:
            file.append(lines)
        except BaseException:
            file.close()
            remove(path)
            raise
        if self._file is not None:
            self._file.close()
        self._file = file

    def _open(self) -> Head:
        """Find the last record that is whole, and cut off what is behind it."""
        for path in reversed(self.files()):
            file = AppendFile.open(path)
            record, end = _last(file)
            if end < file.size:
                self._cut(file, end, record)
            if record is not None:
                if record.writer != self.writer:
                    raise _not_ours(path, record.writer)
                self._file = file
                self.signed, self.said, self.seen = _remembered(file)
                return Head(record.seq, record.hash)
            file.close()
            remove(path)  # empty by now: its first record never became durable
        return Head(0, NO_HASH)

    def _cut(self, file: AppendFile, end: int, last: Record | None) -> None:
        torn = file.read(end, file.size)
        digest = hashlib.sha256(torn).hexdigest()
        kept = self.folder / f"torn-{digest[:16]}"
        write_atomic(kept, torn)
        details: Mapping[str, str | int] = {
            "bytes": len(torn),
            "sha256": digest,
            "kept": kept.name,
            "after": last.seq if last else 0,
            "reason": "unfinished" if b"\n" not in torn else "damaged",
        }
        self.found.append(Note(Kind.TORN, file.path.name, details))
        file.cut(end)


def is_segment(name: str) -> bool:
    """Say whether a file of this name is part of a chain."""
    return _NAME.match(name) is not None


def segment_files(folder: Path) -> list[Path]:
    """Give the files of a writer's chain, the oldest first."""
    found = [path for path in folder.iterdir() if is_segment(path.name)]
    return sorted(found, key=lambda path: int(path.stem))


def _remembered(file: AppendFile) -> tuple[int, int, dict[str, int]]:
    """Give what the end of a file has signed last, said last, and seen of others."""
    tail = file.read(max(0, file.size - _REMEMBERED_BYTES), file.size)
    signed, said, seen = int(file.path.stem) - 1, 0, {}
    lines = tail.split(b"\n")[:-1]
    for at, line in enumerate(lines):
        is_late = at >= len(lines) - _LATE
        if not is_late and _SIGNATURE not in line and _ANCHOR not in line:
            continue
        with contextlib.suppress(BadLineError):
            record = parse(line)
            said = said if record.kind in FRAMES else record.seq
            if record.kind == Kind.SIGNATURE:
                signed = number_in(record, "to") or signed
            elif record.kind == Kind.ANCHOR:
                seen[record.about] = number_in(record, "seq") or 0
    return signed, said, seen


def _last(file: AppendFile) -> tuple[Record | None, int]:
    """Give the last whole record, and where it ends."""
    start = max(0, file.size - _TAIL_BYTES)
    tail = file.read(start, file.size)
    end = tail.rfind(b"\n") + 1
    while end > 0:
        begin = tail.rfind(b"\n", 0, end - 1) + 1
        if begin == 0 and start > 0:
            break
        try:
            return parse(tail[begin : end - 1]), start + end
        except BadLineError:
            end = begin
    if start == 0:
        return None, 0
    raise RecordError(
        f"the last {_TAIL_BYTES} bytes of {file.path} hold no record",
        remedy=f"look at it: flux-secret audit verify {file.path.parent.parent}; to go on, move "
        f"{file.path.parent} elsewhere and keep it: a new chain begins",
    )


def _not_ours(path: Path, writer: str) -> RecordError:
    return RecordError(
        f"{path} is of another writer, {writer}",
        remedy="a folder was copied or renamed: give it back its name, or move it elsewhere",
    )


def refused(place: Path, failure: OSError) -> RecordError:
    """Give the error of a disk that does not do what it is asked."""
    reason = (failure.strerror or str(failure)).lower()
    hint = _HINTS.get(failure.errno or 0, "mend it, or name another place: --record-dir")
    return RecordError(
        f"nothing can be recorded in {place}: {reason}",
        remedy=f"{hint}; what has to be recorded does not happen until then",
    )
