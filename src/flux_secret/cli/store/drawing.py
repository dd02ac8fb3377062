"""Names of entries → a tree, drawn as gopass and `tree` draw it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Folder:
    """What lies below one part of a name; an entry and a folder may have the same one."""

    inside: dict[str, _Folder] = field(default_factory=dict)
    is_entry: bool = False
    note: str = ""


def tree(title: str, names: Iterable[str], notes: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    """Draw the names below a title; `notes` name folders and what to say behind them."""
    top = _Folder()
    for name in names:
        _down(top, name).is_entry = True
    for name, note in notes:
        _down(top, name).note = note
    yield title
    yield from _drawn(top, "")


def _down(folder: _Folder, name: str) -> _Folder:
    for part in name.split("/"):
        folder = folder.inside.setdefault(part, _Folder())
    return folder


def _drawn(folder: _Folder, margin: str) -> Iterator[str]:
    rows = [
        (part, inner, is_folder)
        for part, inner in sorted(folder.inside.items())
        for is_folder in (False, True)
        if (bool(inner.inside or inner.note) if is_folder else inner.is_entry)
    ]
    for number, (part, inner, is_folder) in enumerate(rows):
        is_last = number == len(rows) - 1
        note = f" ({inner.note})" if inner.note and is_folder else ""
        yield f"{margin}{'└── ' if is_last else '├── '}{part}{'/' if is_folder else ''}{note}"
        if is_folder:
            yield from _drawn(inner, margin + ("    " if is_last else "│   "))
