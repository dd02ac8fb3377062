"""Two agents deliver one target at once: whatever comes first, nothing stale stays unnoticed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from cluster.apply.test_races import Vanishing
from cluster.apply.world import CONFIG_MAPS, Object, World, config_map, deployment, secret
from flux_secret.apply.applier import ClusterApplier
from flux_secret.errors import UnreachableError
from flux_secret.model.change import Action, ChangeSet
from flux_secret.outside.kubernetes import Client, Limits
from flux_secret.outside.kubernetes.transport import Answer, Transport

APP: Final = "demo"
STALE: Final = secret("s", {"k": b"stale"})
NEWER: Final = secret("s", {"k": b"newer"})
FIRST: Final = secret("s", {"k": b"first"})


class Pausing(Transport):
    """Something happens just before the nth request of one kind arrives."""

    def plan(self, method: str, part: str, happens: Callable[[], Awaitable[object]]) -> None:
        self.method, self.part, self.happens = method, part, happens
        self.seen = 0
        self.at = 1

    async def send(
        self,
        method: str,
        path: str,
        **details: Any,  # noqa: ANN401 -- passes on whatever it is given
    ) -> Answer:
        if method == self.method and self.part in path:
            self.seen += 1
            if self.seen == self.at:
                await self.happens()
        return await super().send(method, path, **details)


class Slow(Transport):
    """Every request takes a while, now longer and now shorter."""

    async def send(
        self,
        method: str,
        path: str,
        **details: Any,  # noqa: ANN401 -- passes on whatever it is given
    ) -> Answer:
        await asyncio.sleep(random.random() / 50)  # noqa: S311 -- any will do
        return await super().send(method, path, **details)


async def is_settled(world: World, applier: ClusterApplier) -> bool:
    return await applier.round().settled(world.target(APP), ChangeSet())


async def overtaken(
    world: World, method: str, part: str, *, at: int = 1, before: bool
) -> tuple[ClusterApplier, object]:
    """Deliver STALE, and NEWER by another agent in the middle of it; give that agent, the error."""
    newer = world.new_applier()
    if before:
        await world.deliver({APP: [FIRST]}, applier=newer)

    async def other() -> None:
        done = await world.deliver({APP: [NEWER]}, applier=newer)
        assert done.deliveries[0].error is None

    async with Pausing(world.connection) as transport:
        transport.plan(method, part, other)
        transport.at = at
        slow = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [STALE]}, applier=slow)
    assert transport.seen >= at, "nobody was overtaken"
    return newer, done.deliveries[0].error


async def test_who_is_overtaken_before_its_write_writes_nothing(world: World) -> None:
    newer, error = await overtaken(world, "PATCH", "/secrets/", before=True)
    assert isinstance(error, UnreachableError)
    assert "changed by somebody else" in error.what
    assert await world.values("s") == {"k": b"newer"}
    assert await is_settled(world, newer)


@pytest.mark.parametrize("at", [1, 2])
async def test_who_is_overtaken_at_its_list_says_so(world: World, at: int) -> None:
    newer, error = await overtaken(world, "PUT", "/configmaps/", at=at, before=True)
    assert isinstance(error, UnreachableError)
    assert await world.values("s") == {"k": b"newer"}
    assert await is_settled(world, newer)


async def test_what_an_overtaken_creation_overwrites_is_written_again(world: World) -> None:
    newer, error = await overtaken(world, "PATCH", "/secrets/", before=False)
    assert isinstance(error, UnreachableError)
    assert await world.values("s") == {"k": b"stale"}, "server-side apply has no create-only"
    assert not await is_settled(world, newer), "it was told"
    done = await world.deliver({APP: [NEWER]}, applier=newer)
    assert done.action("s") is Action.CONFIGURED
    assert await world.values("s") == {"k": b"newer"}


async def test_an_agent_notices_that_another_has_delivered_something_else(world: World) -> None:
    first, second = world.new_applier(), world.new_applier()
    await world.deliver({APP: [NEWER]}, applier=first)
    assert await is_settled(world, first)
    await world.deliver({APP: [STALE]}, applier=second)
    assert not await is_settled(world, first)
    await world.deliver({APP: [NEWER]}, applier=first)
    assert await is_settled(world, first)
    assert not await is_settled(world, second)


async def test_who_is_killed_between_object_and_list_leaves_nothing_believed(world: World) -> None:
    await world.deliver({APP: [FIRST]})
    async with Vanishing(world.connection, Limits(tries=1)) as transport:
        transport.writes_left = 1
        killed = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [NEWER]}, applier=killed)
        assert isinstance(done.deliveries[0].error, UnreachableError)
    assert await world.values("s") == {"k": b"newer"}
    done = await world.deliver({APP: [FIRST]}, applier=world.new_applier())
    assert done.action("s") is Action.CONFIGURED
    assert await world.values("s") == {"k": b"first"}


async def test_a_controller_that_changes_an_object_meanwhile_disturbs_nothing(
    world: World,
) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1"})]})

    async def annotate() -> None:
        await world.edit(CONFIG_MAPS, "c", {"metadata": {"annotations": {"seen": "yes"}}})

    async with Pausing(world.connection) as transport:
        transport.plan("PATCH", "/configmaps/", annotate)
        applier = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [config_map("c", {"a": "2"})]}, applier=applier)
    assert done.action("c") is Action.CONFIGURED
    tree = await world.read(CONFIG_MAPS, "c")
    assert tree["data"] == {"a": "2"}
    assert tree["metadata"]["annotations"]["seen"] == "yes"


async def test_what_another_agent_wants_again_is_not_deleted_by_an_older_sweep(
    world: World,
) -> None:
    newer = world.new_applier()
    both = [config_map("kept", {}), config_map("leaving", {"a": "1"})]
    await world.deliver({APP: both}, applier=newer)
    wanted = [config_map("kept", {}), config_map("leaving", {"a": "2"})]

    async def other() -> None:
        await world.deliver({APP: wanted}, applier=newer)

    async with Pausing(world.connection) as transport:
        transport.plan("DELETE", "/configmaps/", other)
        slow = world.new_applier(Client(transport, "default"))
        await world.deliver({APP: both[:1]}, applier=slow)
    assert transport.seen == 1
    assert (await world.read(CONFIG_MAPS, "leaving"))["data"] == {"a": "2"}


async def test_many_double_deliveries_end_with_what_the_last_one_wants(world: World) -> None:
    """Force them: two agents, slow and at once, each with contents of its own."""

    def content(agent: int, turn: int) -> list[Object]:
        value = f"{agent}-{turn}"
        maps = [config_map(f"c{number}", {"by": value}) for number in range(3)]
        return [*maps, secret("s", {"k": value.encode()}), deployment("d", 1 + turn % 3)]

    async with Slow(world.connection) as one, Slow(world.connection) as other:
        agents = [world.new_applier(Client(one, "x")), world.new_applier(Client(other, "x"))]
        failed = 0

        async def several(agent: int) -> None:
            nonlocal failed
            for turn in range(12):
                done = await world.deliver({APP: content(agent, turn)}, applier=agents[agent])
                failed += any(change.error for change in done.changes)
                failed += sum(one.error is not None for one in done.deliveries)

        await asyncio.gather(several(0), several(1))
        assert failed, "they met"
        last = content(1, 99)
        for _ in range(2):  # the first may be told that the other one was faster
            done = await world.deliver({APP: last}, applier=agents[1])
        assert done.deliveries[0].error is None
        assert await is_settled(world, agents[1])
        assert not await is_settled(world, agents[0])
    assert await world.values("s") == {"k": b"1-99"}
    for number in range(3):
        assert (await world.read(CONFIG_MAPS, f"c{number}"))["data"] == {"by": "1-99"}
    done = await world.deliver({APP: last}, applier=world.new_applier())
    assert {change.action for change in done.changes} == {Action.UNCHANGED}
