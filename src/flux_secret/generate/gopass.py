"""The arguments of a script's `gopass` → a typed question, or a message that says what to use.

The shapes and exit codes are gopass 1.16's (facts: gopass §3.5 and §6). Options may also stand
after the entry's name, as from 1.17 on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from flux_secret.errors import UsageError
from flux_secret.generate.listing import Finding, Listing
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part

USAGE: Final = 2
UNSUPPORTED: Final = 4
SHOW_FAILED: Final = 11

_PASSWORD: Final = frozenset({"-o", "--password"})
_RAW: Final = frozenset({"-n", "--noparsing"})
_NO_MATTER: Final = frozenset({"-f", "--force", "-u", "--unsafe", "-y", "--yes", "--nosync"})
_FLAT: Final = frozenset({"-f", "--flat"})
_STRIP: Final = frozenset({"-s", "--strip-prefix"})


class GopassCallError(Exception):
    """A call that is answered by a message and an exit code."""

    def __init__(self, message: str, code: int, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy


class Fixed(enum.Enum):
    """Calls with a fixed answer."""

    SYNC = "sync"
    """The commit is pinned: nothing to do, nothing printed (design decision 3)."""
    VERSION = "version"


Question: TypeAlias = Lookup | Listing | Finding | Fixed


def parse(arguments: Sequence[str]) -> Question:  # noqa: PLR0911 -- one line a command
    """Read one call; raise `GopassCallError`."""
    words = list(arguments)
    while words and words[0] in _NO_MATTER:
        del words[0]
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
            return _lookup("cat", rest)
        case ["show", *rest]:
            return _lookup("show", rest)
        case [name, *_] if name in _OTHER_COMMANDS:
            raise GopassCallError(
                f"gopass {name} is not for generators, which only read",
                UNSUPPORTED,
                remedy="use gopass show, cat, ls or find here, and change entries from your own "
                "machine",
            )
        case _:
            return _lookup("show", words)


def _lookup(command: str, words: Sequence[str]) -> Lookup:
    names, options = _split(words)
    part = Part.BINARY if command == "cat" else Part.WHOLE
    allowed = _NO_MATTER if command == "cat" else _NO_MATTER | _PASSWORD | _RAW
    for option in options:
        if option not in allowed:
            raise GopassCallError(
                f"gopass {command} {option[:40]} is not for generators",
                UNSUPPORTED,
                remedy="use gopass show -o for the password, -n for the raw text, or name a key "
                "after the entry",
            )
        if option in _PASSWORD:
            part = Part.PASSWORD  # takes precedence over all others, says gopass
        elif option in _RAW and part is Part.WHOLE:
            part = Part.RAW
    if command == "cat" and len(names) != 1:
        raise GopassCallError(
            "gopass cat takes one entry", USAGE, remedy="write: gopass cat STORE/ENTRY"
        )
    if len(names) not in {1, 2}:
        raise GopassCallError(
            f"gopass show takes an entry and perhaps a key, not {len(names)} names",
            USAGE,
            remedy="write: gopass show [-o] STORE/ENTRY [KEY]; quote names with blanks",
        )
    try:
        path = SecretPath.parse(names[0])
    except UsageError as error:
        raise GopassCallError(error.what, SHOW_FAILED, remedy=error.remedy) from None
    if len(names) == 1:
        return Lookup(path, part)
    if not names[1]:
        # gopass prints the whole entry then; nobody who names a key means that
        raise GopassCallError(
            f"the key's name is empty, in gopass show {path}",
            SHOW_FAILED,
            remedy="a variable in the script may be unset",
        )
    return Lookup(path, Part.KEY, names[1])


def _listing(words: Sequence[str]) -> Listing:
    names, options = _split(words)
    unknown = set(options) - _FLAT - _STRIP
    if unknown or len(names) > 1:
        raise GopassCallError(
            "gopass ls takes --flat, --strip-prefix and one folder",
            USAGE,
            remedy="write: gopass ls [--flat] [--strip-prefix] [FOLDER]",
        )
    prefix = "/".join(part for name in names for part in name.split("/") if part)
    return Listing(
        prefix, flat=bool(_FLAT & set(options)), strip_prefix=bool(_STRIP & set(options))
    )


def _finding(words: Sequence[str]) -> Finding:
    names, options = _split(words)
    if len(names) != 1 or set(options) - _NO_MATTER:
        raise GopassCallError("gopass find takes one text", USAGE, remedy="write: gopass find TEXT")
    return Finding(names[0])


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell names from options; `-no` is `-n -o`, and nothing after `--` is an option."""
    names: list[str] = []
    options: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            names += rest
        elif word.startswith("-") and word != "-":
            options += _single(word)
        else:
            names.append(word)
    return names, options


def _single(option: str) -> Iterator[str]:
    if option.startswith("--"):
        yield option
    else:
        yield from (f"-{letter}" for letter in option[1:])


_OTHER_COMMANDS: Final = frozenset({
    "age", "alias", "audit", "binary", "clone", "completion", "config", "convert", "copy", "cp",
    "create", "delete", "doctor", "edit", "env", "fscopy", "fsck", "fsmove", "generate", "git",
    "grep", "help", "hist", "history", "hook", "hotp", "init", "insert", "link", "ln", "merge",
    "mounts", "move", "mv", "new", "otp", "process", "pwgen", "rcs", "recipients", "remove",
    "reorg", "rm", "set", "setup", "sha", "sha256", "sum", "templates", "totp", "unclip", "update",
})  # fmt: skip
