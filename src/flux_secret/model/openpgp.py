"""gpg's key listing → public keys, and why one of them cannot be encrypted to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MIN_BITS: Final = 2048  # RSA, ElGamal and DSA below it are weak (NIST SP 800-131A rev. 2)
_INTEGER_ALGORITHMS: Final = frozenset({1, 2, 3, 16, 17, 20})  # RSA, ElGamal, DSA (RFC 9580 §9.1)
_UNUSABLE: Final = {"r": "is revoked", "d": "is disabled", "i": "is invalid", "e": "has expired"}


@dataclass(frozen=True, slots=True)
class Subkey:
    """A key that can do something: the primary one, or one of its subkeys."""

    fingerprint: str
    """40 or 64 hex digits, upper case."""
    key_id: str
    """16 hex digits, upper case: what a message names its recipient by."""
    created: int
    """Seconds since the epoch."""
    expires: int | None
    """Seconds since the epoch; None when it never does."""
    can_encrypt: bool
    problem: str
    """Why it cannot be used now, in words that follow "the key"; empty when it can."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An OpenPGP key as one gpg sees it at one time."""

    fingerprint: str
    user_ids: tuple[str, ...]
    """Those that are not revoked, the primary one first; all, when each is."""
    subkeys: tuple[Subkey, ...]
    """The primary key first."""
    disabled: bool = False

    @property
    def key_id(self) -> str:
        """16 hex digits, upper case."""
        return self.subkeys[0].key_id

    @property
    def gopass_id(self) -> str:
        """How gopass writes it into `.gpg-id`: `0x` and 16 hex digits (facts: gopass §2.2)."""
        return f"0x{self.key_id}"

    @property
    def expires(self) -> int | None:
        """When nobody can encrypt to it any more: the primary's end, or its subkey's if sooner."""
        chosen = self.chosen_subkey
        ends = [one.expires for one in (self.subkeys[0], chosen) if one and one.expires]
        return min(ends, default=None)

    @property
    def chosen_subkey(self) -> Subkey | None:
        """What gpg encrypts to: the newest usable subkey, else the primary key if it may."""
        usable = [one for one in self.subkeys if one.can_encrypt and not one.problem]
        primary = self.subkeys[0]
        return max(usable, key=lambda one: (one is not primary, one.created), default=None)

    @property
    def problem(self) -> str:
        """Why nobody can encrypt to it, in words that follow its name; empty when one can."""
        primary = self.subkeys[0]
        if primary.problem:
            return primary.problem
        if self.disabled:
            return _UNUSABLE["d"]
        if self.chosen_subkey is not None:
            return ""
        encrypting = [one for one in self.subkeys if one.can_encrypt]
        if not encrypting:
            return "has no subkey for encryption"
        newest = max(encrypting, key=lambda one: one.created)
        return f"cannot be encrypted to: its encryption subkey {newest.key_id} {newest.problem}"

    def matches(self, hex_id: str) -> bool:
        """Whether an id of hex digits (upper case, no `0x`) names this key or a subkey of it."""
        return any(one.fingerprint.endswith(hex_id) for one in self.subkeys)

    def __str__(self) -> str:
        return f"{self.gopass_id} {self.user_ids[0]}" if self.user_ids else self.gopass_id


def parse_listing(untrusted: bytes) -> tuple[PublicKey, ...]:
    """Read `gpg --with-colons --fixed-list-mode --with-fingerprint` (doc/DETAILS of GnuPG).

    Lines that it does not know are passed over, as GnuPG's documentation asks.
    """
    lines = [line.split(":") for line in untrusted.decode(errors="replace").splitlines()]
    starts = [at for at, line in enumerate(lines) if line[0] in {"pub", "sec"}]
    keys = [_key(lines[start:end]) for start, end in pairwise([*starts, len(lines)])]
    return tuple(key for key in keys if key is not None)


def _key(lines: list[list[str]]) -> PublicKey | None:
    subkeys = tuple(_subkeys(lines))
    if not subkeys:
        return None
    named = [line for line in lines if line[0] == "uid"]
    # of a key that is revoked all names are, and its owner is to be named all the same
    valid = [line for line in named if _field(line, 1)[:1] != "r"] or named
    user_ids = tuple(_unescaped(_field(line, 9)) for line in valid)
    is_disabled = "D" in _field(lines[0], 11)
    return PublicKey(subkeys[0].fingerprint, user_ids, subkeys, disabled=is_disabled)


def _subkeys(lines: list[list[str]]) -> Iterator[Subkey]:
    for at, line in enumerate(lines):
        if line[0] not in {"pub", "sec", "sub", "ssb"}:
            continue
        following = next((after for after in lines[at + 1 :] if after[0] == "fpr"), None)
        fingerprint = _field(following or [], 9).upper()
        if fingerprint:
            expires = _number(_field(line, 6)) or None
            yield Subkey(
                fingerprint=fingerprint,
                key_id=_field(line, 4).upper(),
                created=_number(_field(line, 5)),
                expires=expires,
                can_encrypt="e" in _field(line, 11),
                problem=_problem(line, expires),
            )


def _problem(line: list[str], expires: int | None) -> str:
    problem = _UNUSABLE.get(_field(line, 1)[:1], "")
    if problem == _UNUSABLE["e"] and expires:
        return f"expired on {day(expires)}"
    if not problem and _number(_field(line, 3)) in _INTEGER_ALGORITHMS:
        bits = _number(_field(line, 2))
        return f"is weak: {bits} bits, fewer than {MIN_BITS}" if bits < MIN_BITS else ""
    return problem


def day(seconds: int) -> str:
    """Write a time as its day in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()


def _field(line: list[str], at: int) -> str:
    return line[at] if len(line) > at else ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _unescaped(text: str) -> str:
    r"""Undo gpg's C-style escapes: a colon stands as `\x3a`."""
    raw = text.encode(errors="replace")
    return (
        raw.decode("unicode_escape").encode("latin-1").decode(errors="replace")
        if (b"\\" in raw)
        else text
    )
