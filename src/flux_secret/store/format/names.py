"""An entry's name → whether people, gopass and pass will all find the same entry by it; pure."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

from flux_secret.errors import UsageError

MAX_NAME: Final = 1024
"""Characters of a whole name."""
MAX_PART: Final = 240
"""Bytes of one part; file systems allow 255, and the ending is still to come."""


def checked(name: str) -> str:
    """Give the name of an entry or folder that is to be written; raise `UsageError`."""
    parts = name.split("/")
    problem = next((problem for part in parts if (problem := _problem(part))), "")
    if len(name) > MAX_NAME:
        problem = f"is longer than {MAX_NAME} characters"
    if problem:
        raise UsageError(
            f"{name[:80]!a} cannot be the name of an entry: it {problem}",
            remedy="write FOLDER/ENTRY in printable characters",
        )
    return name


def _problem(part: str) -> str:
    if not part:
        return "has an empty part"
    if part in {".", ".."}:
        return "has a part '.' or '..'"
    if part.startswith("."):
        return "has a part that starts with a dot, which gopass does not list"
    if part.startswith("-"):
        return "has a part that starts with a dash, which programs take for an option"
    if not part.isprintable() or part != part.strip():
        return "has control characters, or blanks at an end"
    return "has a part that is too long" if len(part.encode()) > MAX_PART else ""


def twin(name: str, names: Iterable[str]) -> str | None:
    """Give another name that a person, or a file system, takes for the same one."""
    looks = _look(name)
    return next((other for other in names if other != name and _look(other) == looks), None)


def twins(names: Iterable[str]) -> list[list[str]]:
    """Give each group of names that a person, or a file system, takes for the same one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_look(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def meant(name: str, names: Iterable[str]) -> str:
    """Ask whether somebody meant one of these; nothing where none is like it."""
    near = difflib.get_close_matches(name, list(names), n=3)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _look(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFKC", name).casefold()
