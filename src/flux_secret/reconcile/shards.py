"""The replicas that live → whose each App is: rendezvous hashing, so that few Apps ever move."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from flux_secret.outside.kubernetes.lease import Lease


@dataclass(frozen=True, slots=True)
class Ring:
    """Who shares the Apps, as one replica knows it."""

    me: str
    members: frozenset[str] = frozenset()
    """Everybody who lives, with `me`."""
    unaware: frozenset[str] = frozenset()
    """Who may still think that our share is theirs; as long as there are any, we take nothing."""

    @classmethod
    def of(cls, me: str, others: Iterable[Lease], *, settled: bool) -> Ring:
        """Make one; `settled` when whoever does not know of us has no valid lease any more."""
        leases = tuple(others)
        unaware = () if settled else (one.holder for one in leases if me not in one.sees)
        return cls(me, frozenset({me, *(one.holder for one in leases)}), frozenset(unaware))

    def owner(self, app: str) -> str:
        """Give the member with the highest score: each App's order of members is its own."""
        return max(self.members, key=lambda member: (_score(app, member), member), default="")

    def owns(self, app: str) -> bool:
        """Whether the App is ours to deliver."""
        return not self.unaware and self.owner(app) == self.me


@functools.lru_cache(maxsize=16384)
def _score(app: str, member: str) -> bytes:
    return hashlib.blake2b(f"{app}\0{member}".encode(), digest_size=8).digest()
