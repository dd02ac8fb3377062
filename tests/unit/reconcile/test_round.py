"""One round: applied first, swept last; what happened stays known."""

from __future__ import annotations

import asyncio
import re

import pytest
from structlog.contextvars import get_contextvars

from flux_secret.errors import (
    DecryptError,
    FluxSecretError,
    HeldError,
    RejectedError,
    StoreRewoundError,
)
from flux_secret.errors import UnreachableError as Unreachable
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery, HeldBack, Read, Remark
from flux_secret.model.manifest import Manifests
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Target
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.interface import Checkout, SecretReader
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.round import deliver_round
from unit.reconcile.stages import KEY, World, target


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
    delivery = await deliver(target("a"), world.pinned())
    assert delivery.revision is not None
    assert world.log[-1] == "record a"
    assert delivery.exit_code == 5


async def test_every_line_of_the_log_about_a_delivery_has_its_id() -> None:
    ids: list[str] = []

    class Noting(World):
        async def record(self, delivery: Delivery) -> None:
            await super().record(delivery)
            ids.append(str(get_contextvars()["delivery"]))

    await deliver_round([target("a"), target("b")], Noting().stages())
    assert len({*ids}) == 2
    assert all(re.fullmatch("[0-9a-f]{8}", one) for one in ids)
    assert "delivery" not in get_contextvars()


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
            self, target: Target, _checkout: Checkout, _reader: SecretReader, _told: list[Remark]
        ) -> Manifests:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError(target)

    world = Slow()
    task = asyncio.create_task(deliver(target("a"), world.pinned()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.log[-1] == "record a"
    assert world.released == 1


async def test_a_target_that_was_handed_something_is_delivered_once_more() -> None:
    world = World(owed={KEY: "handed over by b"}, outcome=Change(KEY, Action.CONFIGURED))
    done = await deliver_round([target("a")], world.stages())
    assert world.log.index("sweep ['a']") < len(world.log) - world.log[::-1].index("apply a") - 1
    assert world.log.count("apply a") == 2
    assert [str(change) for change in done.swept] == [f"{KEY} configured (handed over by b)"]
    assert done.exit_code == 0


async def test_a_second_delivery_that_fails_makes_the_target_fail() -> None:
    class Failing(World):
        async def record(self, delivery: Delivery) -> None:
            await super().record(delivery)
            self.failing = {"generate a": DecryptError("entry apps/demo is damaged")}

    world = Failing(owed={KEY: "handed over by b"})
    done = await deliver_round([target("a")], world.stages())
    assert [one.exit_code for one in done.deliveries] == [4]
    assert world.delivered == frozenset()


async def test_a_store_whose_head_is_refused_is_read_as_before_and_is_a_fault() -> None:
    world = World(store_refusal=StoreRewoundError("store apps was rewound"))
    memory = Memory(3600.0)
    for repeated in (False, True):
        done = await deliver_round([target("a")], world.stages(), memory)
        (one,) = done.deliveries
        assert one.repeated is repeated
        assert len(one.changes) == 1
        assert (one.error, done.exit_code) == (world.store_refusal, 6)
        assert world.delivered == frozenset()
    world.store_refusal = None
    done = await deliver_round([target("a")], world.stages(), memory)
    assert done.exit_code == 0
    assert world.delivered


async def test_what_waits_for_owners_is_said_and_is_no_failure() -> None:
    held = HeldBack(StoreName("apps"), "demo/prod", "it is not approved")
    read = Read(Lookup(SecretPath.parse("apps/demo/prod/db")), StoreName("apps"), "c", "b")
    world = World(held=[held])
    memory = Memory(3600.0)
    done = await deliver_round([target("a")], world.stages(), memory)
    assert done.deliveries[0].held == [], "nothing was read of it"
    world.reads = [read]
    memory.forget([target("a")])
    for repeated in (False, True):
        done = await deliver_round([target("a")], world.stages(), memory)
        (one,) = done.deliveries
        assert (one.repeated, one.held, one.exit_code) == (repeated, [held], 0)
        assert world.delivered
    world.failing["checkout a"] = Unreachable("down")
    memory.forget([target("a")])
    world.reads = []
    world.listed = True
    done = await deliver_round([target("a")], world.stages(), memory)
    assert done.deliveries[0].held == []


def test_a_held_change_concerns_what_is_below_its_prefix() -> None:
    apps = StoreName("apps")
    held = HeldBack(apps, "demo/prod", "why")
    assert held.concerns(apps, "demo/prod")
    assert held.concerns(apps, "demo/prod/db")
    assert not held.concerns(apps, "demo/production")
    assert not held.concerns(StoreName("other"), "demo/prod/db")
    assert HeldBack(apps, "", "why").concerns(apps, "anything")
    assert str(held) == "store apps: why"
