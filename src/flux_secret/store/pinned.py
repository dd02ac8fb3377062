"""Stores pinned at one commit each, as words → a reader that answers from there.

Whoever pins them and whoever opens them may be two processes: they share the bare repositories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder
from flux_secret.model.target import Target
from flux_secret.store.composed import opened
from flux_secret.store.interface import Decryptors, OpenCommit
from flux_secret.store.owned import ReadRule
from flux_secret.store.reader import About, PinnedStores
from flux_secret.store.recorded import Reads


@dataclass(frozen=True, slots=True)
class PinnedStore:
    """Where a store's commit is."""

    repository: Path
    """Bare."""
    revision: StoreRevision
    rules: tuple[ReadRule, ...] = ()
    """Who may read what of it."""


@dataclass(frozen=True, slots=True)
class Pins:
    """The stores that one target may read."""

    stores: Mapping[StoreName, PinnedStore]
    notes: tuple[str, ...] = ()
    """What people should know of them."""
    cluster: str = ""
    """What owners call the cluster."""

    @property
    def revisions(self) -> Mapping[StoreName, StoreRevision]:
        """The commit of each."""
        return {name: pinned.revision for name, pinned in self.stores.items()}


@dataclass(frozen=True, slots=True)
class OpenedPins:
    """Opens them."""

    pins: Pins
    open_commit: OpenCommit
    decryptors: Decryptors
    recorder: Recorder | None = None
    """Has what is read before anybody gets it."""

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[PinnedStores]:
        """Open every store; note every question in `reads`.

        Raises `DamagedRepositoryError`, which whoever pinned them must hear of.
        """
        trees = {
            name: opened(self.open_commit, pinned.repository, pinned.revision)
            for name, pinned in self.pins.stores.items()
        }
        rules = {name: pinned.rules for name, pinned in self.pins.stores.items()}
        about = About(self.pins.notes, self.pins.revisions, rules, self.pins.cluster)
        noted = Reads(reads, self.recorder)
        yield PinnedStores(target, trees, self.decryptors, noted, about)
