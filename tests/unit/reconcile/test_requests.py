"""Who asks for a sync gets the next round's outcome, together with all who asked before it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.app import App, Followed
from flux_secret.reconcile.requests import Requests
from flux_secret.reconcile.round import Round
from flux_secret.reconcile.scheduler import Scheduler, Told
from unit.reconcile import scheduled


class World:
    """Rounds that end when they are told to."""

    def __init__(self) -> None:
        self.rounds: list[bool] = []
        self.confirmed: list[set[str]] = []
        self.polls = 0
        self.go_on = asyncio.Event()
        self.failure: FluxSecretError | None = None

    async def round(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Round:
        assert app.name.name == "a"
        self.rounds.append(anew)
        self.confirmed.append(set(confirmed))
        await self.go_on.wait()
        return Round((), sweep_error=self.failure)

    async def poll(self, urls: Collection[str] = ()) -> dict[Followed, str | FluxSecretError]:
        assert not urls
        self.polls += 1
        return {}

    def scheduler(self) -> Scheduler:
        scheduler = Scheduler(1000.0, Told())
        scheduler.put(scheduled.app("a"))
        return scheduler


async def until(world: World, rounds: int) -> None:
    while len(world.rounds) < rounds:
        await asyncio.sleep(0)


async def test_who_asks_while_a_round_runs_gets_the_next_and_shares_it() -> None:
    world = World()
    scheduler = world.scheduler()
    running = asyncio.ensure_future(scheduler.run(world.round, world))
    await until(world, 1)
    asked = [asyncio.ensure_future(scheduler.sync(confirmed=[token])) for token in "abc"]
    await asyncio.sleep(0)
    assert world.rounds == [False]
    world.failure = UnreachableError("gone")
    world.go_on.set()
    done = await asyncio.gather(*asked)
    assert world.rounds == [False, True]
    assert world.confirmed == [set(), {"a", "b", "c"}]
    assert {one.exit_code for one in done} == {5}
    scheduler.stop()
    await running


async def test_who_asks_is_told_when_their_round_begins_and_is_counted_until_then() -> None:
    world = World()
    scheduler = world.scheduler()
    running = asyncio.ensure_future(scheduler.run(world.round, world))
    await until(world, 1)
    begun: list[int] = []
    asked = [
        asyncio.ensure_future(scheduler.sync(begun=lambda: begun.append(len(world.rounds))))
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    assert (scheduler.waiting, begun) == (2, [])
    world.go_on.set()
    await asyncio.gather(*asked)
    assert (scheduler.waiting, begun) == (0, [1, 1])
    scheduler.stop()
    await running


async def test_a_hint_only_looks_for_commits() -> None:
    world = World()
    world.go_on.set()
    scheduler = world.scheduler()
    running = asyncio.ensure_future(scheduler.run(world.round, world))
    await until(world, 1)
    polls = world.polls
    scheduler.poller.hint()
    while world.polls == polls:
        await asyncio.sleep(0)
    assert world.rounds == [False]
    scheduler.stop()
    await running


async def test_who_waits_when_the_agent_stops_is_told() -> None:
    requests = Requests()
    asked = asyncio.ensure_future(requests.sync())
    await asyncio.sleep(0)
    requests.close()
    with pytest.raises(UnreachableError, match="is stopping"):
        await asked
