"""What a delivery puts on the record, by a worker and here: no read and no write without it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import Connected, connect
from simulators.record import ListedRecord
from simulators.world import APPLICATION, FIRST, SECOND, World

BOTH = pytest.mark.parametrize("workers", [False, True], ids=["here", "worker"])


def flags(world: World) -> Flags:
    return Flags(
        git_url=world.ops.url,
        git_path=[APPLICATION],
        store=[f"apps={world.store.url}"],
        git_gpg_key_import=[world.key],
        manifest_generation=True,
        generator_env=["APPLICATIONSTORE=apps"],
        namespace=f"{world.namespace}-flux",
        kubeconfig=world.kubeconfig,
        cache_dir=world.root / "cache",
        sync_garbage_collection=True,
    )


@asynccontextmanager
async def connected(
    world: World, record: ListedRecord, *, workers: bool
) -> AsyncIterator[Connected]:
    settings = Settings.load(flags(world), dict(os.environ))
    async with connect(settings, workers=workers, recorder=record) as found:
        assert record.kinds() == ["key"], "which keys were loaded"
        record.notes.clear()
        yield found


def one_delivery(notes: list[Note]) -> str:
    """Give the id that all of them have."""
    (found,) = {str(note.details["delivery"]) for note in notes}
    return found


@BOTH
def test_a_delivery_is_on_the_record_from_its_first_read_to_its_outcome(
    world: World, workers: bool
) -> None:
    record = ListedRecord()

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            done = await agent.round()
            assert done.exit_code == 0, done.errors
            seen = len(record.notes)
            assert (await agent.round()).exit_code == 0
            assert len(record.notes) == seen, "a pass with nothing to do writes nothing"

    asyncio.run(deliver())
    assert world.secret()[0] == FIRST
    kinds = record.kinds()
    assert kinds == ["key", "read", "intent", *["delivered"] * (len(kinds) - 4), "outcome"]
    one_delivery(record.notes)
    (read,) = record.of(Kind.READ)
    assert (read.about, read.details["store"]) == ("apps/demo", "apps")
    assert read.details["commit"] == world.store.head
    assert read.details["reason"] == f"a command of {APPLICATION}/.flux.yaml"
    assert read.details["target"] == APPLICATION
    (intent,) = record.of(Kind.INTENT)
    assert f"secret/demo-secret in {world.namespace}" in intent.details["objects"]  # type: ignore[operator]
    secret = next(one for one in record.of(Kind.DELIVERED) if "demo-secret" in one.about)
    assert secret.details["resourceVersion"] == world.secret()[1]
    assert secret.details["action"] == "created"
    assert FIRST.decode().strip() not in repr(record.notes)


@BOTH
def test_a_changed_value_is_another_delivery_of_one_object(world: World, workers: bool) -> None:
    record = ListedRecord()

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            await agent.round()
            record.notes.clear()
            world.put("demo", SECOND)
            await agent.round(anew=True)

    asyncio.run(deliver())
    assert record.kinds() == ["key", "read", "intent", "delivered", "outcome"]
    one_delivery(record.notes)


@BOTH
def test_an_object_of_somebody_else_is_a_failure_on_the_record(world: World, workers: bool) -> None:
    record = ListedRecord()
    world.kubectl("create", "namespace", world.namespace)

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            assert (await agent.round()).exit_code == 7

    asyncio.run(deliver())
    (failed,) = record.of(Kind.FAILED)
    assert failed.about == f"namespace/{world.namespace}"
    assert "was not made by flux-secret" in str(failed.details["error"])
    assert len(record.of(Kind.DELIVERED)) == 3
    assert record.notes[-1].details["failed"] == 1


@BOTH
def test_what_left_the_repository_is_pruned_on_the_record(world: World, workers: bool) -> None:
    record = ListedRecord()

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            await agent.round()
            record.notes.clear()
            overlay = f"{APPLICATION}/kustomization.yaml"
            text = (world.ops.path / overlay).read_text()
            world.ops.commit({overlay: text.replace("- service.yaml\n", "")})
            done = await agent.round()
            assert done.exit_code == 0, done.errors

    asyncio.run(deliver())
    gone = [note for note in record.notes if note.kind is Kind.PRUNED]
    assert [note.about for note in gone] == [f"service/demo-service in {world.namespace}"]
    swept = [one for one in record.notes if one.details["delivery"] == gone[0].details["delivery"]]
    assert [note.kind.value for note in swept] == ["intent", "pruned", "outcome"]


@BOTH
def test_while_the_record_is_full_nothing_is_read_or_written_and_the_last_good_stays(
    world: World, workers: bool
) -> None:
    record = ListedRecord()

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            await agent.round()
            before = world.secret()
            world.put("demo", SECOND)
            record.full = True
            refused = await agent.round(anew=True)
            assert isinstance(refused.deliveries[0].error, RecordError)
            assert world.secret() == before
            record.full = False
            assert (await agent.round(anew=True)).exit_code == 0

    asyncio.run(deliver())
    assert world.secret()[0] == SECOND


@BOTH
def test_a_record_that_is_full_after_the_read_lets_nothing_be_written(
    world: World, workers: bool
) -> None:
    record = ListedRecord(full_after=2)

    async def deliver() -> None:
        async with connected(world, record, workers=workers) as agent:
            done = await agent.round()
            assert isinstance(done.deliveries[0].error, RecordError)

    asyncio.run(deliver())
    assert record.kinds() == ["key", "read"]
    assert world.get("secret", "demo-secret") is None
    assert world.get("deployment", "demo") is None
