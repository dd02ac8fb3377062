"""Leases as they are read, again and again → which of their holders live (client-go's rule).

Nobody's clock is trusted but our own: a holder is dead when its Lease has not changed for as long
as the Lease says, measured from when *we* saw it change. It is decided only at the moment of a
reading: while nothing can be read, nobody dies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flux_secret.outside.kubernetes.lease import Lease


@dataclass(frozen=True, slots=True)
class _Sight:
    record: tuple[str, str, str, int]
    since: float


class Observed:
    """What was seen of each Lease, and when it last changed."""

    def __init__(self) -> None:
        self._sights: dict[str, _Sight] = {}
        self._at = 0.0

    def see(self, leases: Iterable[Lease], at: float) -> None:
        """Take a reading that was answered at `at`, on our clock."""
        before, self._sights, self._at = self._sights, {}, at
        for lease in leases:
            known = before.get(lease.name)
            if known is None or known.record != lease.record:
                known = _Sight(lease.record, at)
            self._sights[lease.name] = known

    def is_live(self, lease: Lease) -> bool:
        """Whether somebody held it at the last reading."""
        return bool(lease.holder) and self.unchanged_seconds(lease) < lease.duration_seconds

    def unchanged_seconds(self, lease: Lease) -> float:
        """How long it had not changed at the last reading; 0 for one that was not in it."""
        sight = self._sights.get(lease.name)
        return 0.0 if sight is None else self._at - sight.since

    def next_death(self, leases: Iterable[Lease]) -> float:
        """Give the moment at which the first of these dies unless it is renewed."""
        return min(
            (
                self._at - self.unchanged_seconds(lease) + lease.duration_seconds
                for lease in leases
                if self.is_live(lease)
            ),
            default=float("inf"),
        )
