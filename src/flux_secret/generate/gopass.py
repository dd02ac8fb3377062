"""The arguments of a script's `gopass` → a typed question, or a message that says what to use.

The shapes and exit codes are gopass 1.16's (facts: gopass §3.5 and §6).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from flux_secret.errors import UsageError
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part

USAGE: Final = 2
UNSUPPORTED: Final = 4
NOT_FOUND: Final = 10
SHOW_FAILED: Final = 11

_PASSWORD = frozenset({"-o", "--password"})
_RAW = frozenset({"-n", "--noparsing"})
_NO_MATTER = frozenset({"-f", "--force", "-u", "--unsafe", "--nosync", "-y", "--yes"})


class GopassCallError(Exception):
    """A call that is answered by a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Fixed(enum.Enum):
    """Calls with a fixed answer."""

    SYNC = "sync"
    """The commit is pinned: nothing to do, nothing printed (design decision 3)."""
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Listing:
    """`gopass ls [--flat] [--strip-prefix] [PREFIX]`."""

    prefix: str
    flat: bool
    strip_prefix: bool

    def render(self, paths: Iterable[SecretPath]) -> str:
        """Print as gopass does, one name a line, or as a tree."""
        names = [str(path) for path in paths]
        folder = f"{self.prefix}/" if self.prefix else ""
        if self.flat:
            start = len(folder) if self.strip_prefix else 0
            return "".join(f"{name[start:]}\n" for name in names)
        title = folder or "gopass"
        return f"{title}\n" + "".join(
            _tree([name.removeprefix(folder).split("/") for name in names])
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """`gopass find TERM`: names that contain it, whatever the case."""

    term: str

    def render(self, paths: Iterable[SecretPath]) -> str:
        """Print one name a line."""
        return "".join(f"{path}\n" for path in paths if self.term.lower() in str(path).lower())


Question: TypeAlias = Lookup | Listing | Finding | Fixed


def parse(arguments: Sequence[str]) -> Question:  # noqa: PLR0911 -- one line a command
    """Read one call; raise `GopassCallError`."""
    words = [word for word in arguments if word not in _NO_MATTER]
    match words:
        case ["sync", *_]:
            return Fixed.SYNC
        case ["version" | "--version" | "-v", *_]:
            return Fixed.VERSION
        case ["ls" | "list", *rest]:
            return _listing(rest)
        case ["find" | "search", *rest]:
            return _finding(rest)
        case ["cat", *rest]:
            return _lookup(rest, Part.BINARY)
        case ["show", *rest]:
            return _lookup(rest, Part.WHOLE)
        case [name, *_] if name in _OTHER_COMMANDS:
            raise GopassCallError(
                f"gopass {name} is not for generators, which only read: "
                "use gopass show, cat, ls or find here, and change entries from your own machine",
                UNSUPPORTED,
            )
        case _:
            return _lookup(words, Part.WHOLE)


def _lookup(words: Sequence[str], part: Part) -> Lookup:
    names = []
    for word in words:
        if word in _PASSWORD:
            part = Part.PASSWORD
        elif word in _RAW:
            part = part if part is Part.PASSWORD else Part.RAW
        elif word.startswith("-") and word != "-":
            raise GopassCallError(
                f"gopass show {word} is not for generators: use -o for the password, "
                "-n for the raw text, or a key's name after the entry's",
                UNSUPPORTED,
            )
        else:
            names.append(word)
    if not names or len(names) > 2 or (len(names) == 2 and part is Part.BINARY):  # noqa: PLR2004 -- ENTRY and KEY
        raise GopassCallError("usage: gopass show [-o] ENTRY [KEY]", USAGE)
    try:
        path = SecretPath.parse(names[0])
    except UsageError as error:
        raise GopassCallError(f"{error.what}; {error.remedy}", SHOW_FAILED) from None
    key = names[1] if len(names) > 1 else ""  # an empty key is none, as in gopass
    return Lookup(path, Part.KEY, key) if key else Lookup(path, part)


def _listing(words: Sequence[str]) -> Listing:
    known = {"--flat", "-f", "--strip-prefix", "-s"}
    names = [word for word in words if not word.startswith("-")]
    unknown = [word for word in words if word.startswith("-") and word not in known]
    if unknown or len(names) > 1:
        raise GopassCallError("usage: gopass ls [--flat] [--strip-prefix] [PREFIX]", USAGE)
    prefix = "/".join(part for name in names for part in name.split("/") if part)
    return Listing(prefix, "--flat" in words or "-f" in words,
                   "--strip-prefix" in words or "-s" in words)  # fmt: skip


def _finding(words: Sequence[str]) -> Finding:
    if len(words) != 1 or words[0].startswith("-"):
        raise GopassCallError("usage: gopass find TERM", USAGE)
    return Finding(words[0])


def _tree(names: Sequence[Sequence[str]], indent: str = "") -> Iterable[str]:
    """Draw folders and entries as gopass does: sorted, `/` after a folder's name."""
    groups: dict[str, list[Sequence[str]]] = {}
    for name in names:
        groups.setdefault(name[0], []).append(name[1:])
    lines = [
        (label, [rest for rest in rests if rest], any(not rest for rest in rests))
        for label, rests in sorted(groups.items(), key=lambda item: item[0].encode())
    ]
    drawn = [(f"{label}/" if inner and not both else label, inner) for label, inner, both in lines]
    for number, (label, inner) in enumerate(drawn, start=1):
        last = number == len(drawn)
        yield f"{indent}{'└── ' if last else '├── '}{label}\n"
        yield from _tree(inner, indent + ("    " if last else "│   "))


_OTHER_COMMANDS: Final = frozenset({
    "age", "alias", "audit", "binary", "clone", "completion", "config", "convert", "copy", "cp",
    "create", "delete", "edit", "env", "fscopy", "fsck", "fsmove", "generate", "git", "grep",
    "history", "hook", "init", "insert", "link", "merge", "mounts", "move", "mv", "new", "otp",
    "process", "pwgen", "rcs", "recipients", "remove", "reorg", "rm", "set", "setup", "sum",
    "templates", "unclip", "update",
})  # fmt: skip
