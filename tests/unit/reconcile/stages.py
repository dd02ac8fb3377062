"""All the stages of a delivery at once, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, HeldBack, Read, Remark, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Bundle, Manifests
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.interface import Checkout, Maker, Owed, Pinned, SecretReader, Stages
from flux_secret.reconcile.making import Here

SOURCE = Source(GitUrl.parse("file:///ops"), "main")
KEY = ObjectKey("", "Secret", "dev-demo", "demo-secret")


@dataclass(frozen=True)
class Owing:
    """What was handed over to a target."""

    delivery: Delivery
    objects: Mapping[ObjectKey, str]


@dataclass
class World:
    """All the stages at once; each notes that it was called, and fails where it is told to."""

    log: list[str] = field(default_factory=list)
    failing: dict[str, FluxSecretError] = field(default_factory=dict)
    outcome: Change = field(default_factory=lambda: Change(KEY, Action.CREATED))
    released: int = 0
    commit: str = "a" * 40
    root: Path = field(default_factory=Path)
    directory: Path = field(default_factory=Path)
    revisions: Mapping[StoreName, StoreRevision] = field(default_factory=dict)
    refusal: FluxSecretError | None = None
    handed_out: Sequence[tuple[Lookup, Plaintext]] = ()
    listed: bool = False
    is_settled: bool = True
    repeats: bool = True
    notes: Sequence[str] = ()
    remarks: Sequence[Remark] = ()
    down: Sequence[str] = ()
    reads: Sequence[Read] = ()
    held: Sequence[HeldBack] = ()
    store_refusal: FluxSecretError | None = None
    delivered: frozenset[Source] = frozenset()
    owed: Mapping[ObjectKey, str] = field(default_factory=dict)
    maker: Maker = field(default_factory=Here)
    questions: list[object] = field(default_factory=list)

    def stages(self) -> Stages:
        return Stages(self, self, self, self, Applier(self), self, self.maker)

    def pinned(self) -> Pinned:
        return Pinned(self, self, self, self, self, self, self.maker)

    def _step(self, name: str, target: Target) -> None:
        self.log.append(f"{name} {target.name}")
        if f"{name} {target.name}" in self.failing:
            raise self.failing[f"{name} {target.name}"]

    @asynccontextmanager
    async def checkout(self, target: Target) -> AsyncIterator[Checkout]:
        self._step("checkout", target)
        try:
            yield self
        finally:
            self.released += 1

    async def head(self, target: Target) -> World:
        self._step("head", target)
        return self

    @asynccontextmanager
    async def round(self) -> AsyncIterator[World]:
        yield self

    async def finish(self, delivered: Collection[Source]) -> Sequence[Sync]:
        self.delivered = frozenset(delivered)
        return ()

    async def unchanged(
        self, target: Target, _reads: Sequence[Read]
    ) -> Mapping[StoreName, StoreRevision] | None:
        self._step("unchanged", target)
        return self.revisions if self.repeats else None

    async def held_back(
        self, _target: Target, reads: Sequence[Read], *, listed: bool
    ) -> Sequence[HeldBack]:
        return [one for one in self.held if listed or reads]

    async def refused(self, _target: Target) -> FluxSecretError | None:
        return self.store_refusal

    async def outages(self, _target: Target) -> Sequence[str]:
        return self.down

    async def settled(self, target: Target, changes: ChangeSet) -> bool:
        self._step("settled", target)
        if self.is_settled:
            changes.add(Change(KEY, Action.UNCHANGED))
        return self.is_settled

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[World]:
        self._step("reader", target)
        assert reads == []
        reads += self.reads
        yield self

    @asynccontextmanager
    async def pins(self, target: Target) -> AsyncIterator[World]:
        self._step("pins", target)
        yield self

    async def order(self, target: Target) -> object:
        self._step("order", target)
        return f"order of {target.name}"

    async def answer(self, question: object) -> object:
        self.questions.append(question)
        return f"answer to {question}"

    async def read(self, lookup: Lookup, reason: str) -> Plaintext:
        raise NotImplementedError(lookup, reason)  # no stage of this world reads

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        raise NotImplementedError(asked)  # the same

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        raise NotImplementedError(prefix)  # the same

    async def generate(
        self, target: Target, _checkout: Checkout, _reader: SecretReader, remarks: list[Remark]
    ) -> Manifests:
        remarks += self.remarks
        self._step("generate", target)
        return Manifests(())

    async def resolve(self, _manifests: Manifests, _reader: SecretReader) -> Bundle:
        return Bundle(())

    async def apply(self, delivery: Delivery, _bundle: Bundle, changes: ChangeSet) -> None:
        self._step("apply", delivery.target)
        changes.add(self.outcome)

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> Sequence[Owed]:
        self.log.append(f"sweep {[delivery.target.name for delivery in delivered]}")
        if "sweep" in self.failing:
            raise self.failing["sweep"]
        del changes
        owed = [Owing(one, self.owed) for one in delivered if self.owed]
        self.owed = {}
        return owed

    async def record(self, delivery: Delivery) -> None:
        self.log.append(f"record {delivery.target.name}")


@dataclass(frozen=True)
class Applier:
    world: World

    def round(self) -> World:
        return self.world


def target(path: str) -> Target:
    return Target(SOURCE, path)
