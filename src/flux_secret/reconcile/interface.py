"""What delivering needs of each stage; `wiring` connects the rooms that provide it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery, HeldBack, Read, Remark, StoreRevision
from flux_secret.model.manifest import Bundle, Manifests
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.model.workload import Workload


class Head(Protocol):
    """A pinned commit."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def notes(self) -> Sequence[str]:
        """What people should know of it."""


class Checkout(Head, Protocol):
    """A pinned commit, laid out privately; `root` may be written to and is thrown away."""

    @property
    def root(self) -> Path:
        """The repository's root."""

    @property
    def directory(self) -> Path:
        """The target's directory (or the file it names), inside `root`."""


class SecretReader(Protocol):
    """Answers questions from stores pinned for one delivery; remembers what it refused."""

    async def read(self, lookup: Lookup, reason: str) -> Plaintext:
        """Answer one question; raise `AccessError` and remember the refusal.

        It is on the record before it is answered; `reason` says there who asks.
        """

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        """Record at once what is going to be read, and why; raise `RecordError`."""

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        """List the entries whose names start with `prefix` (folder-wise), sorted bytewise."""

    @property
    def refusal(self) -> FluxSecretError | None:
        """The first read that failed: it poisons the whole generation (design decision 2)."""

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        """Every value that left: none may stand outside a `Secret`."""


class LaysOut(Protocol):
    """Gives a target's files."""

    def checkout(self, target: Target) -> AbstractAsyncContextManager[Checkout]:
        """Fetch, pin and lay out; released on every path."""


class Checkouts(LaysOut, Protocol):
    """Lays out what targets' branches hold."""

    async def head(self, target: Target) -> Head:
        """Fetch and pin; give what a checkout would lay out."""


class SourceRound(Checkouts, Protocol):
    """The same with each branch pinned once, at one commit for all of its targets."""

    async def finish(self, delivered: Collection[Source]) -> Sequence[Sync]:
        """Move the markers of the branches that were delivered in full; say how each stands."""


class SourceStage(Checkouts, Protocol):
    """Follows branches."""

    def round(self) -> AbstractAsyncContextManager[SourceRound]:
        """Begin a round."""


class OpensStores(Protocol):
    """Opens the stores that a target may read."""

    def reader(
        self, target: Target, reads: list[Read]
    ) -> AbstractAsyncContextManager[PinnedReader]:
        """Fetch, pin and open; every question is noted in `reads`."""


class Pins(Protocol):
    """The stores that a target may read, pinned, as words that can be sent to another process."""

    @property
    def revisions(self) -> Mapping[StoreName, StoreRevision]:
        """The commit of each."""


class Readers(OpensStores, Protocol):
    """Opens the stores that a target may read, each pinned at one commit."""

    def pins(self, target: Target) -> AbstractAsyncContextManager[Pins]:
        """Fetch and pin, for somebody else to open; what that raises is to be raised inside."""

    async def unchanged(
        self, target: Target, reads: Sequence[Read]
    ) -> Mapping[StoreName, StoreRevision] | None:
        """Fetch; give the newest commits if every entry that was read is the same in them."""

    async def outages(self, target: Target) -> Sequence[str]:
        """Fetch; say which stores that it may read cannot be reached now."""

    async def held_back(
        self, target: Target, reads: Sequence[Read], *, listed: bool
    ) -> Sequence[HeldBack]:
        """Fetch; say which changes of what was read, or listed, wait for owners."""

    async def refused(self, target: Target) -> FluxSecretError | None:
        """Fetch; give why the newest commit of a store is not what a target is made of."""


class StoreStage(Readers, Protocol):
    """Follows stores."""

    def round(self) -> AbstractAsyncContextManager[Readers]:
        """Begin a round: each store is pinned once, at one commit for all targets."""


class PinnedReader(SecretReader, Protocol):
    """A `SecretReader` that knows its commits."""

    @property
    def revisions(self) -> Mapping[StoreName, StoreRevision]:
        """The commit of each store that may be read."""

    @property
    def listed(self) -> bool:
        """Whether anybody asked which entries there are."""

    @property
    def notes(self) -> Sequence[str]:
        """What people should know of the stores."""


class GenerateStage(Protocol):
    """Makes a target's manifests."""

    async def generate(
        self, target: Target, checkout: Checkout, reader: SecretReader, remarks: list[Remark]
    ) -> Manifests:
        """Run the generators, or read the tree, and parse the result; note what to look at."""


class ResolveStage(Protocol):
    """Fills in values."""

    async def resolve(self, manifests: Manifests, reader: SecretReader) -> Bundle:
        """Replace every reference; refuse null values and values outside a `Secret`."""


class Owed(Protocol):
    """What was handed over to a target, and is applied when it is delivered once more."""

    @property
    def delivery(self) -> Delivery:
        """How it was delivered the first time."""

    @property
    def objects(self) -> Mapping[ObjectKey, str]:
        """Each object, and what to say of it."""


class Applies(Protocol):
    """Makes the cluster equal to a bundle."""

    async def apply(self, delivery: Delivery, bundle: Bundle, changes: ChangeSet) -> None:
        """Apply the bundle; one object's failure is `Action.FAILED`, not an exception."""


class ApplyRound(Applies, Protocol):
    """Makes the cluster equal to the bundles of one round."""

    async def order(self, target: Target) -> object:
        """Say in words what applying a target elsewhere takes, besides its bundle."""

    async def answer(self, question: object) -> object:
        """Answer what whoever applies it elsewhere asks meanwhile."""

    async def settled(self, target: Target, changes: ChangeSet) -> bool:
        """Whether every object of the last `apply` is there as we left it.

        If so each is noted as unchanged, and the sweep knows what the target contains.
        """

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> Sequence[Owed]:
        """Hand over or remove what the delivered targets no longer contain (design decision 13).

        Gives which of them are to be delivered once more, for what was handed over to them.
        """


class ApplyStage(Protocol):
    """Makes the cluster equal to bundles; several rounds may run at once."""

    def round(self) -> ApplyRound:
        """Begin a round."""


class RestartStage(Protocol):
    """Restarts what uses a Secret that changed; a cluster that fails is logged, not raised."""

    async def before(self, targets: Sequence[Target]) -> None:
        """Note what is there before these targets are delivered."""

    async def after(self, delivered: Sequence[Delivery]) -> None:
        """Restart what their deliveries made due, as far as that may be done now."""


class AuditStage(Protocol):
    """Keeps the record."""

    async def record(self, delivery: Delivery) -> None:
        """Note how a delivery ended; it never raises for a delivery that failed."""


class LiveObjects(Protocol):
    """What the targets own, as it is in the cluster now; both raise what the cluster raises."""

    async def workloads(self, namespace: str = "") -> Sequence[Workload]:
        """Give what runs pods in a namespace, `""` for all."""

    async def export(self) -> bytes:
        """Give what holds no value, as YAML that can be applied again."""


class MakingStages(Protocol):
    """What making one target takes: from here on, values are held."""

    @property
    def source(self) -> LaysOut:
        """Where applications come from."""

    @property
    def stores(self) -> OpensStores:
        """Where values come from."""

    @property
    def generator(self) -> GenerateStage:
        """What makes manifests."""

    @property
    def resolver(self) -> ResolveStage:
        """What fills in values."""

    @property
    def applier(self) -> Applies:
        """What changes the cluster."""


class Maker(Protocol):
    """Takes every step of a delivery, in this process or in another."""

    async def make(self, delivery: Delivery, stages: DeliveryStages) -> bool:
        """Fill in `delivery`; say whether a script asked which entries there are.

        Raises what a step raises; `delivery` holds what was done until then.
        """


class DeliveryStages(MakingStages, Protocol):
    """What one delivery needs."""

    @property
    def source(self) -> Checkouts:
        """Where applications come from."""

    @property
    def stores(self) -> Readers:
        """Where values come from."""

    @property
    def applier(self) -> ApplyRound:
        """What changes the cluster."""

    @property
    def auditor(self) -> AuditStage:
        """What keeps the record."""

    @property
    def maker(self) -> Maker:
        """What takes the steps."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The rooms, connected."""

    source: SourceStage
    stores: StoreStage
    generator: GenerateStage
    resolver: ResolveStage
    applier: ApplyStage
    auditor: AuditStage
    maker: Maker
    restarter: RestartStage | None = None
    """None where no target restarts workloads."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """The same for one round: every repository stands still at one commit."""

    source: SourceRound
    stores: Readers
    generator: GenerateStage
    resolver: ResolveStage
    applier: ApplyRound
    auditor: AuditStage
    maker: Maker


@asynccontextmanager
async def pinned(stages: Stages) -> AsyncIterator[Pinned]:
    """Begin a round."""
    async with stages.source.round() as source, stages.stores.round() as stores:
        yield Pinned(
            source,
            stores,
            stages.generator,
            stages.resolver,
            stages.applier.round(),
            stages.auditor,
            stages.maker,
        )
