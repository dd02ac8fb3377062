"""What each target was last delivered from, so that nothing is made again from the same inputs.

Generation is hermetic (design decision 8): the same commit, settings and entries give the same
objects. So a target is generated anew only when its commit or an entry that it read has changed, an
object of it has drifted, or the regenerate interval is over. Remembered are names and object ids,
never a value. The inputs are still coarse: the whole commit of the repository counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from flux_secret.model.change import Action
from flux_secret.model.delivery import Delivery, HeldBack, Read, Revision, StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.interface import ApplyRound, Checkouts, Readers

_DELIVERED = frozenset({Action.CREATED, Action.CONFIGURED, Action.UNCHANGED})


_Key: TypeAlias = tuple[str, Source, str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one delivery was made of."""

    target: Target
    commit: str
    stores: Mapping[StoreName, StoreRevision]
    reads: tuple[Read, ...]
    listed: bool
    """Whether a script asked which entries there are: then every change of a store counts."""
    made: float
    """When, on the clock of the memory; seconds."""


@dataclass(slots=True)
class Memory:
    """Remembers sound deliveries for `interval_seconds`; 0 remembers none, as Flux v1."""

    interval_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _inputs: dict[_Key, Inputs] = field(default_factory=dict)
    _held: dict[_Key, tuple[HeldBack, ...]] = field(default_factory=dict)

    def forget(self, targets: Iterable[Target]) -> None:
        """Make these anew in the next round: somebody asked for it."""
        for target in targets:
            self._inputs.pop(_key(target), None)

    def keep(self, delivery: Delivery, *, listed: bool) -> None:
        """Remember a delivery, if every object of it is as the repository wants it.

        A target that may use the network is not remembered: what it fetched is no input that we
        know.
        """
        revision, hermetic = delivery.revision, not delivery.target.generation.network
        if revision and hermetic and self.interval_seconds > 0 and _is_whole(delivery):
            self._inputs[_key(delivery.target)] = Inputs(
                delivery.target,
                revision.commit,
                revision.stores,
                tuple(delivery.reads),
                listed,
                self.clock(),
            )

    def asked(self, delivery: Delivery) -> tuple[Sequence[Read], bool]:
        """Give which questions a delivery, or the one that it repeats, asked of stores.

        And whether a script asked which entries there are.
        """
        known = self._inputs.get(_key(delivery.target))
        if known is None:
            return delivery.reads, False
        return [*delivery.reads, *known.reads], known.listed

    async def is_touched(self, target: Target, stores: Readers) -> bool:
        """Whether the newest commits of its stores may give the target other values.

        Or whether something else waits for owners than what was said last. One that was never
        delivered, or whose scripts asked which entries there are, counts as touched by every
        commit.
        """
        known = self._inputs.get(_key(target))
        if known is None or await self._revisions(known, stores) is None:
            return True
        held = await stores.held_back(target, known.reads, listed=known.listed)
        return tuple(held) != self._held.get(_key(target), ())

    def waits(self, target: Target, held: Sequence[HeldBack]) -> None:
        """Remember what was said to wait for owners."""
        self._held[_key(target)] = tuple(held)

    async def holds(
        self, delivery: Delivery, source: Checkouts, stores: Readers, applier: ApplyRound
    ) -> bool:
        """Whether the last delivery still holds; then `delivery` says so, object by object.

        One that does not is forgotten: from here on the cluster may hold half of another. Raises
        what the stages raise, and then nothing is forgotten.
        """
        known = self._inputs.get(_key(delivery.target))
        holds = await self._holds(known, delivery, source, stores, applier)
        if not holds:
            self._inputs.pop(_key(delivery.target), None)
        return holds

    async def _holds(
        self, known: Inputs | None, delivery: Delivery, source: Checkouts,
        stores: Readers, applier: ApplyRound,
    ) -> bool:  # fmt: skip
        if known is None or known.target != delivery.target:
            return False
        if self.clock() - known.made >= self.interval_seconds:
            return False
        head = await source.head(delivery.target)
        if head.commit != known.commit:
            return False
        revisions = await self._revisions(known, stores)
        if revisions is None or not await applier.settled(delivery.target, delivery.changes):
            return False
        delivery.revision, delivery.repeated = Revision(head.commit, revisions), True
        delivery.notes += [*head.notes, *await stores.outages(delivery.target)]
        return True

    @staticmethod
    async def _revisions(
        known: Inputs, stores: Readers
    ) -> Mapping[StoreName, StoreRevision] | None:
        revisions = await stores.unchanged(known.target, known.reads)
        if revisions is None or (known.listed and revisions != known.stores):
            return None
        return revisions


def _is_whole(delivery: Delivery) -> bool:
    """Whether nothing was left out, left to others, or is to be tried again."""
    done = all(change.action in _DELIVERED or change.lasting for change in delivery.changes)
    return done and delivery.error is None and not delivery.notes


def _key(target: Target) -> _Key:
    return target.app, target.source, target.path
