"""One round: applied first, swept last; what happened stays known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.errors import DecryptError, FluxSecretError, HeldError, RejectedError
from flux_secret.errors import UnreachableError as Unreachable
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Read, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Bundle, Manifests
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.interface import Checkout, SecretReader, Stages
from flux_secret.reconcile.round import deliver_round

SOURCE = Source(GitUrl.parse("file:///ops"), "main")
KEY = ObjectKey("", "Secret", "dev-demo", "demo-secret")


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

    def stages(self) -> Stages:
        return Stages(self, self, self, self, self, self)

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

    @asynccontextmanager
    async def reader(self, target: Target, reads: list[Read]) -> AsyncIterator[World]:
        self._step("reader", target)
        assert reads == []
        yield self

    async def read(self, lookup: Lookup) -> Plaintext:
        raise NotImplementedError(lookup)  # no stage of this world reads

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        raise NotImplementedError(prefix)  # the same

    async def generate(
        self, target: Target, _checkout: Checkout, _reader: SecretReader
    ) -> Manifests:
        self._step("generate", target)
        return Manifests(())

    async def resolve(self, _manifests: Manifests, _reader: SecretReader) -> Bundle:
        return Bundle(())

    async def apply(self, delivery: Delivery, _bundle: Bundle, changes: ChangeSet) -> None:
        self._step("apply", delivery.target)
        changes.add(self.outcome)

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> None:
        self.log.append(f"sweep {[delivery.target.name for delivery in delivered]}")
        if "sweep" in self.failing:
            raise self.failing["sweep"]
        del changes

    async def record(self, delivery: Delivery) -> None:
        self.log.append(f"record {delivery.target.name}")


def target(path: str) -> Target:
    return Target(SOURCE, path)


async def test_every_target_is_applied_before_anything_is_swept() -> None:
    world = World()
    done = await deliver_round([target("a"), target("b")], world.stages())
    assert world.log[-1] == "sweep ['a', 'b']"
    assert {"apply a", "apply b", "record a", "record b"} <= set(world.log[:-1])
    assert done.exit_code == 0


async def test_one_broken_target_does_not_stop_the_others() -> None:
    world = World(failing={"generate a": DecryptError("entry apps/demo is damaged")})
    done = await deliver_round([target("a"), target("b")], world.stages())
    assert "apply b" in world.log
    assert "apply a" not in world.log
    assert [delivery.exit_code for delivery in done.deliveries] == [4, 0]
    assert done.exit_code == 4
    assert world.released == 2


async def test_a_failed_delivery_keeps_its_revision_and_is_recorded() -> None:
    world = World(failing={"apply a": Unreachable("the API server does not answer")})
    delivery = await deliver(target("a"), world.stages())
    assert delivery.revision is not None
    assert world.log[-1] == "record a"
    assert delivery.exit_code == 5


async def test_a_failed_sweep_is_part_of_the_round() -> None:
    world = World(failing={"sweep": Unreachable("the API server does not answer")})
    done = await deliver_round([target("a")], world.stages())
    assert done.exit_code == 5


@pytest.mark.parametrize(
    ("error", "code"), [(RejectedError("invalid"), 7), (HeldError("would become empty"), 4)]
)
async def test_failed_objects_give_7_and_a_held_value_gives_4(
    error: FluxSecretError, code: int
) -> None:
    world = World(outcome=Change(KEY, Action.FAILED, error=error))
    done = await deliver_round([target("a")], world.stages())
    assert done.exit_code == code


async def test_the_record_is_written_even_when_the_delivery_is_cancelled() -> None:
    started = asyncio.Event()

    class Slow(World):
        async def generate(
            self, target: Target, _checkout: Checkout, _reader: SecretReader
        ) -> Manifests:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError(target)

    world = Slow()
    task = asyncio.create_task(deliver(target("a"), world.stages()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.log[-1] == "record a"
    assert world.released == 1
