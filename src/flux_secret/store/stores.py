"""Configured stores → each pinned at one commit, and readers that answer from there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder
from flux_secret.model.target import Target
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.outside.once import Lately, Once
from flux_secret.store.interface import Decryptors, MirrorOf, OpenCommit
from flux_secret.store.pinned import PinnedStore, Pins
from flux_secret.store.reader import PinnedStores
from flux_secret.store.recorded import Reads
from flux_secret.store.tree import StoreTree, layout_of


@dataclass(frozen=True, slots=True)
class Pin:
    """A store at one commit."""

    tree: StoreTree
    note: str = ""
    """What people should know of it; empty when it is the newest."""


class Stores:
    """All configured stores and the keys that open them."""

    def __init__(
        self,
        mirror_of: MirrorOf,
        open_commit: OpenCommit,
        decryptors: Decryptors,
        fresh_seconds: float = 0.0,
        recorder: Recorder | None = None,
    ) -> None:
        """Begin; a store that was fetched is not fetched again for `fresh_seconds`.

        `recorder` has what is read before anybody gets it.
        """
        self._recorder = recorder
        self._lately = Lately[StoreName, Pin](self._pin, fresh_seconds)
        self._mirror_of = mirror_of
        self._open_commit = open_commit
        self._decryptors = decryptors

    def forget(self, name: StoreName) -> None:
        """Fetch anew the next time: there is a new commit."""
        self._lately.forget(name)

    @asynccontextmanager
    async def round(self) -> AsyncIterator[StoresRound]:
        """Pin each store once, however many targets read it: all get the same commit."""
        async with Once[StoreName, Pin](self._lately) as pins:
            yield StoresRound(self._mirror_of, self._decryptors, pins, self._recorder)

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[PinnedStores]:
        """Do it for one delivery alone."""
        async with self.round() as one, one.reader(target, reads) as reader:
            yield reader

    @asynccontextmanager
    async def pins(self, target: Target) -> AsyncIterator[Pins]:
        """Do it for one delivery alone."""
        async with self.round() as one, one.pins(target) as pins:
            yield pins

    async def unchanged(
        self, target: Target, reads: Sequence[Read]
    ) -> Mapping[StoreName, StoreRevision] | None:
        """Do it for one delivery alone."""
        async with self.round() as one:
            return await one.unchanged(target, reads)

    async def outages(self, target: Target) -> Sequence[str]:
        """Do it for one delivery alone."""
        async with self.round() as one:
            return await one.outages(target)

    async def _pin(self, name: StoreName) -> Pin:
        mirror = self._mirror_of(name)
        fetched = await mirror.fetch(None)
        note = f"store {name} is read {fetched.outage}" if fetched.outage else ""
        commit = self._open_commit(mirror.path, fetched.commit)
        return Pin(StoreTree(commit, layout_of(commit)), note)


class StoresRound:
    """The stores at the commits that one round reads."""

    def __init__(
        self,
        mirror_of: MirrorOf,
        decryptors: Decryptors,
        pins: Once[StoreName, Pin],
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder
        self._mirror_of = mirror_of
        self._decryptors = decryptors
        self._pins = pins

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[PinnedStores]:
        """Open every store that the target may read; note every question in `reads`."""
        async with self._pinned(target) as pins:
            trees = {name: pin.tree for name, pin in pins.items()}
            notes = _notes(pins.values())
            noted = Reads(reads, self._recorder)
            yield PinnedStores(target, trees, self._decryptors, noted, notes)

    @asynccontextmanager
    async def pins(self, target: Target) -> AsyncIterator[Pins]:
        """Pin every store that the target may read; somebody else opens them, and tells us here."""
        async with self._pinned(target) as pins:
            places = {
                name: PinnedStore(self._mirror_of(name).path, pin.tree.commit)
                for name, pin in pins.items()
            }
            yield Pins(places, _notes(pins.values()))

    @asynccontextmanager
    async def _pinned(self, target: Target) -> AsyncIterator[Mapping[StoreName, Pin]]:
        names = sorted(target.stores)
        try:
            yield {name: await self._pins(name) for name in names}
        except DamagedRepositoryError:
            for name in names:
                self._mirror_of(name).condemn()
                self._pins.forget(name)
            raise

    async def unchanged(
        self, target: Target, reads: Sequence[Read]
    ) -> Mapping[StoreName, StoreRevision] | None:
        """Give the commits if every entry that was read is the same in them."""
        async with self.reader(target, []) as pinned:
            return pinned.revisions if all(map(pinned.would_repeat, reads)) else None

    async def outages(self, target: Target) -> Sequence[str]:
        """Say which stores that a target may read cannot be reached now."""
        return _notes([await self._pins(name) for name in sorted(target.stores)])


def _notes(pins: Iterable[Pin]) -> tuple[str, ...]:
    return tuple(pin.note for pin in pins if pin.note)
