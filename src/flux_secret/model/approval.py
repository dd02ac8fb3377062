r"""What owners sign when they agree to a change, and what became of it.

    flux-secret-approval v1
    purpose: change
    store: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
    prefix: /demo/prod
    old: 9f86d081…              (sha256 of what was approved before; none for the first time)
    new: 60303ae2…
    old-commit: 1f7a7a47…       (where the old content was seen; none)
    new-commit: 5e1c309d…       (where the new content stands)

One field a line, in this order, each line ended by `\n`, nothing else: the same words are the same
bytes. An approval is a statement followed by its armored signature (ADR 0024).
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import IntegrityError, UsageError
from flux_secret.model.owners import parse_prefix

REFS: Final = "refs/flux-secret/approvals/"
"""Beside the branches: gopass, pass and a plain clone fetch none of them."""
MAX_APPROVAL: Final = 16 * 1024  # bytes; an RSA-4096 signature has about 900
MAX_APPROVALS: Final = 10_000  # of one store
SSH_NAMESPACE: Final = "flux-secret-approval@v1"
"""What `ssh-keygen -Y` signs with the text, so that no signature for git counts as an approval."""
COMMIT_NAMESPACE: Final = "git"
NONE: Final = "none"
_HEADER: Final = "flux-secret-approval v1"
_FIELDS: Final = ("purpose", "store", "prefix", "old", "new", "old-commit", "new-commit")
_OBJECT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BEGIN: Final = "-----BEGIN "


class Purpose(enum.Enum):
    """What is agreed to."""

    CHANGE = "change"
    """New content after old content."""
    REWIND = "rewind"
    """A branch that no longer contains what was delivered: `new-commit` instead of `old-commit`."""


@dataclass(frozen=True, slots=True)
class State:
    """What a prefix holds at a commit."""

    commit: str
    content: str
    """sha256 of it, in hex."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed."""

    purpose: Purpose
    store: str
    """The id of the store's first commit: it stays whatever the store's address is."""
    prefix: str
    old: State | None
    """None for the first time."""
    new: State

    def encode(self) -> bytes:
        """Give the bytes that are signed."""
        old = self.old or State(NONE, NONE)
        values = (
            self.purpose.value, self.store, f"/{self.prefix}", old.content, self.new.content,
            old.commit, self.new.commit,
        )  # fmt: skip
        lines = [f"{name}: {value}\n" for name, value in zip(_FIELDS, values, strict=True)]
        return "".join([f"{_HEADER}\n", *lines]).encode()

    @classmethod
    def parse(cls, untrusted: str) -> Statement:
        """Read it; raise `IntegrityError` for anything that `encode` would not have written."""
        lines = untrusted.split("\n")
        if len(lines) != len(_FIELDS) + 2 or lines[0] != _HEADER or lines[-1]:
            raise _unreadable("it is no statement of version 1")
        values = []
        for name, line in zip(_FIELDS, lines[1:-1], strict=True):
            start, _, value = line.partition(": ")
            if start != name or not value:
                raise _unreadable(f"the line of {name!r} is not where it belongs")
            values.append(value)
        purpose, store, prefix, old, new, old_commit, new_commit = values
        if purpose not in {one.value for one in Purpose}:
            raise _unreadable("its purpose is unknown")
        if (old == NONE) != (old_commit == NONE):
            raise _unreadable("it is first and not first")
        statement = cls(
            Purpose(purpose),
            _matched(_OBJECT, store),
            _prefix(prefix),
            None if old == NONE else State(_matched(_OBJECT, old_commit), _matched(_DIGEST, old)),
            State(_matched(_OBJECT, new_commit), _matched(_DIGEST, new)),
        )
        if statement.encode() != untrusted.encode():
            raise _unreadable("it is not in its one form")
        return statement


@dataclass(frozen=True, slots=True)
class Approval:
    """A signed statement; whether the signature is good is not said by it."""

    statement: Statement
    signature: bytes
    """Armored: OpenPGP or SSH."""

    def encode(self) -> bytes:
        """Give it as it lies in git."""
        return self.statement.encode() + self.signature

    @classmethod
    def parse(cls, untrusted: bytes) -> Approval:
        """Read what lies in git; raise `IntegrityError`."""
        if len(untrusted) > MAX_APPROVAL:
            raise _unreadable(f"it is larger than {MAX_APPROVAL} bytes")
        try:
            text = untrusted.decode()
        except UnicodeDecodeError:
            raise _unreadable("it is not UTF-8") from None
        at = text.find(f"\n{_BEGIN}") + 1
        if not at:
            raise _unreadable("it has no signature")
        return cls(Statement.parse(text[:at]), text[at:].encode())

    @property
    def ref(self) -> str:
        """Where it lies: named by what it is, so that two never meet and none is written over."""
        about = hashlib.sha256(self.statement.prefix.encode()).hexdigest()[:16]
        return f"{REFS}{about}/{hashlib.sha256(self.encode()).hexdigest()[:40]}"


def _unreadable(why: str) -> IntegrityError:
    return IntegrityError(
        f"an approval cannot be read: {why}",
        remedy="it does not count; make it anew: flux-secret owners approve STORE PREFIX",
    )


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise _unreadable("an id in it is none")
    return text


def _prefix(text: str) -> str:
    try:
        prefix = parse_prefix(text[1:])
    except UsageError:
        raise _unreadable("its prefix is no folder of a store") from None
    return prefix
