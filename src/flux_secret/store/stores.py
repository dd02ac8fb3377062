"""Configured stores → each pinned at one commit, and readers that answer from there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import HeldBack, Read, StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder
from flux_secret.model.target import Target
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.outside.once import Lately, Once
from flux_secret.store.advance import Gate, Ungated
from flux_secret.store.composed import AnyTree, opened
from flux_secret.store.interface import Decryptors, MirrorOf, OpenCommit
from flux_secret.store.owned import ReadRule
from flux_secret.store.pinned import PinnedStore, Pins
from flux_secret.store.reader import About, PinnedStores
from flux_secret.store.recorded import Reads


@dataclass(frozen=True, slots=True)
class Pin:
    """A store at one commit."""

    tree: AnyTree
    revision: StoreRevision
    note: str = ""
    """What people should know of it; empty when it is the newest."""
    refusal: FluxSecretError | None = None
    """Why the head of its remote is not what is read."""
    held: tuple[HeldBack, ...] = ()
    """Changes of it that wait for owners."""
    rules: tuple[ReadRule, ...] = ()
    """Who may read what of it."""


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Where stores come from."""

    of: MirrorOf
    gate: Gate = field(default_factory=Ungated)
    """What may be read of each; else whatever is newest."""
    cluster: str = ""
    """What owners call the cluster that is delivered to."""


class Stores:
    """All configured stores and the keys that open them."""

    def __init__(
        self,
        mirrors: Mirrors,
        open_commit: OpenCommit,
        decryptors: Decryptors,
        fresh_seconds: float = 0.0,
        recorder: Recorder | None = None,
    ) -> None:
        """Begin; a store that was fetched is not fetched again for `fresh_seconds`.

        `recorder` has what is read before anybody gets it.
        """
        self._recorder = recorder
        self._mirrors = mirrors
        self._lately = Lately[StoreName, Pin](self._pin, fresh_seconds)
        self._open_commit = open_commit
        self._decryptors = decryptors

    def forget(self, name: StoreName) -> None:
        """Fetch anew the next time: there is a new commit."""
        self._lately.forget(name)

    @asynccontextmanager
    async def round(self) -> AsyncIterator[StoresRound]:
        """Pin each store once, however many targets read it: all get the same commit."""
        async with Once[StoreName, Pin](self._lately) as pins:
            yield StoresRound(self._mirrors, self._decryptors, pins, self._recorder)

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

    async def held_back(
        self, target: Target, reads: Sequence[Read], *, listed: bool
    ) -> Sequence[HeldBack]:
        """Do it for one delivery alone."""
        async with self.round() as one:
            return await one.held_back(target, reads, listed=listed)

    async def refused(self, target: Target) -> FluxSecretError | None:
        """Do it for one delivery alone."""
        async with self.round() as one:
            return await one.refused(target)

    async def _pin(self, name: StoreName) -> Pin:
        mirror = self._mirrors.of(name)
        admitted = await self._mirrors.gate.admit(name, mirror)
        note = f"store {name} is read {admitted.outage}" if admitted.outage else ""
        tree = opened(self._open_commit, mirror.path, admitted.revision)
        return Pin(tree, admitted.revision, note, admitted.refusal, admitted.held, admitted.rules)


class StoresRound:
    """The stores at the commits that one round reads."""

    def __init__(
        self,
        mirrors: Mirrors,
        decryptors: Decryptors,
        pins: Once[StoreName, Pin],
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder
        self._mirror_of = mirrors.of
        self._cluster = mirrors.cluster
        self._decryptors = decryptors
        self._pins = pins

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[PinnedStores]:
        """Open every store that the target may read; note every question in `reads`."""
        async with self._pinned(target) as pins:
            trees = {name: pin.tree for name, pin in pins.items()}
            revisions = {name: pin.revision for name, pin in pins.items()}
            rules = {name: pin.rules for name, pin in pins.items()}
            about = About(_notes(pins.values()), revisions, rules, self._cluster)
            noted = Reads(reads, self._recorder)
            yield PinnedStores(target, trees, self._decryptors, noted, about)

    @asynccontextmanager
    async def pins(self, target: Target) -> AsyncIterator[Pins]:
        """Pin every store that the target may read; somebody else opens them, and tells us here."""
        async with self._pinned(target) as pins:
            places = {
                name: PinnedStore(self._mirror_of(name).path, pin.revision, pin.rules)
                for name, pin in pins.items()
            }
            yield Pins(places, _notes(pins.values()), self._cluster)

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

    async def held_back(
        self, target: Target, reads: Sequence[Read], *, listed: bool
    ) -> Sequence[HeldBack]:
        """Say which changes of what was read, or listed, wait for owners."""
        held = [one for name in sorted(target.stores) for one in (await self._pins(name)).held]
        asked = [(read.store, read.lookup.path) for read in reads if read.store]
        return [
            one
            for one in held
            if listed or any(one.concerns(store, path.under(store) or "") for store, path in asked)
        ]

    async def refused(self, target: Target) -> FluxSecretError | None:
        """Give why the newest commit of a store is not what a target is made of."""
        pins = [await self._pins(name) for name in sorted(target.stores)]
        return next((pin.refusal for pin in pins if pin.refusal), None)


def _notes(pins: Iterable[Pin]) -> tuple[str, ...]:
    return tuple(pin.note for pin in pins if pin.note)
