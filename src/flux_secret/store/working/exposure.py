"""What somebody could read, and what entries hold now → which values they may still know; pure.

A whole text or a password counts wherever it stands now, since entries are renamed and copied;
another key's value counts in the entry of that name only, as many share users and addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.store.working.parts import Parts

EVERYTHING: Final = "everything"
PASSWORD: Final = "password"  # noqa: S105 -- the name of a part
HARMLESS: Final = frozenset({
    "user", "username", "login", "email", "mail", "name", "url", "uri", "host", "hostname", "port",
    "database", "db", "dbname", "comment", "note", "notes", "description", "owner", "expires",
})  # fmt: skip
"""Keys that are no secrets, in entries without a password."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One version of an entry that somebody could read."""

    entry: str
    """Its name then."""
    commit: str
    when: int
    """When it was committed, in seconds since the epoch."""
    parts: Parts | None
    """None where it cannot be decrypted here."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An entry whose value somebody may still know."""

    entry: str
    what: tuple[str, ...]
    """`everything`, `password`, or the names of keys."""
    is_certain: bool
    """Whether it was compared; what cannot be decrypted here counts as unchanged."""
    commit: str
    """The newest one in which they could read it."""
    when: int
    is_bare: bool = False
    """Whether it has no password: its keys are what is secret in it."""

    @property
    def is_due(self) -> bool:
        """Whether the value itself is to be changed, and not only keys beside a new password."""
        return self.is_due_but(())

    def is_due_but(self, harmless: Collection[str]) -> bool:
        """Say it, if keys of these names are no secrets either."""
        if not self.is_certain or {EVERYTHING, PASSWORD} & set(self.what):
            return True
        open_ = HARMLESS | {name.lower() for name in harmless}
        return self.is_bare and any(name.lower() not in open_ for name in self.what)


def unchanged(now: Mapping[str, Parts | None], readings: Iterable[Reading]) -> list[Unchanged]:
    """Give every entry of which something is still what they could read, sorted by name.

    `now` has every entry that there is, None for those that cannot be decrypted here.
    """
    newest_first = sorted(readings, key=lambda one: -one.when)
    wholes: dict[bytes, Reading] = {}
    passwords: dict[bytes, Reading] = {}
    by_name: dict[str, list[Reading]] = {}
    for one in newest_first:
        by_name.setdefault(one.entry, []).append(one)
        if one.parts is not None:
            wholes.setdefault(one.parts.whole, one)
            if one.parts.password:
                passwords.setdefault(one.parts.password, one)
    found = []
    for name, parts in sorted(now.items()):
        named = by_name.get(name, [])
        if parts is None:
            found += _uncertain(name, named)
        elif parts.whole in wholes:
            found.append(_known(name, (EVERYTHING,), wholes[parts.whole]))
        elif parts.password in passwords:
            what = (PASSWORD, *_same_keys(parts, named))
            found.append(_known(name, what, passwords[parts.password]))
        elif keys := _same_keys(parts, named):
            known = _known(name, keys, _newest(parts, named))
            found.append(replace(known, is_bare=not parts.password))
        elif any(one.parts is None for one in named):
            found += _uncertain(name, [one for one in named if one.parts is None])
    return found


def _newest(parts: Parts, named: list[Reading]) -> Reading:
    """Give the newest reading that has a key of now."""
    digests = set(parts.keys.values())
    return next(one for one in named if one.parts and digests & set(one.parts.keys.values()))


def _known(name: str, what: tuple[str, ...], reading: Reading) -> Unchanged:
    return Unchanged(name, what, is_certain=True, commit=reading.commit, when=reading.when)


def _uncertain(name: str, named: list[Reading]) -> list[Unchanged]:
    return [
        Unchanged(name, (EVERYTHING,), is_certain=False, commit=one.commit, when=one.when)
        for one in named[:1]
    ]


def _same_keys(parts: Parts, named: list[Reading]) -> tuple[str, ...]:
    known = {digest for one in named if one.parts for digest in one.parts.keys.values()}
    return tuple(sorted(key for key, digest in parts.keys.items() if digest in known))
