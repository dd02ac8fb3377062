"""The end of a chain's file → how far the chain is; other writers' folders → their chains' heads.

Of another chain the last record counts that says something: what a chain says of itself and of
others (signatures, anchors) is passed over, or two idle writers would go on naming each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_secret.audit.line import BadLineError, Record, parse
from flux_secret.audit.segments import Head, segment_files
from flux_secret.model.record import Kind

_TAIL_BYTES: Final = 256 * 1024
_OF_CHAINS: Final = frozenset({Kind.SIGNATURE.value, Kind.ANCHOR.value})


def heads_below(root: Path, own: str) -> dict[str, Head]:
    """Give the heads of the chains in a folder, by writer, but for one's own."""
    found = {}
    for folder in _folders(root):
        if folder.name == own:
            continue
        try:
            files = segment_files(folder)
            head = head_in(tail(files[-1])) if files else None
        except OSError:  # another user's, or just removed
            continue
        if head is not None:
            found[folder.name] = head
    return found


def head_in(tail: bytes) -> Head | None:
    """Give the last record in the end of a file that says something; else the last one."""
    last: Record | None = None
    for record in _backwards(tail):
        last = last or record
        if record.kind not in _OF_CHAINS:
            return Head(record.seq, record.hash)
    return Head(last.seq, last.hash) if last else None


def tail(path: Path, size: int = _TAIL_BYTES) -> bytes:
    """Give a file's last bytes."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - size))
        return file.read(size)


def _backwards(tail: bytes) -> Iterator[Record]:
    """Give the records in the end of a file, the last one first; a line that is none is skipped."""
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            yield parse(line)
        except BadLineError:
            continue


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
