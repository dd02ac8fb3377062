"""Who asks for a sync gets the next round's outcome, together with all who asked before it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable

import pytest

from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.reconcile.loop import Intervals, Loop
from flux_secret.reconcile.requests import Requests
from flux_secret.reconcile.round import Round


class World:
    """Rounds that end when they are told to."""

    def __init__(self) -> None:
        self.rounds: list[bool] = []
        self.confirmed: list[set[str]] = []
        self.polls = 0
        self.go_on = asyncio.Event()
        self.failure: FluxSecretError | None = None

    async def round(self, *, anew: bool = False, confirmed: Collection[str] = ()) -> Round:
        self.rounds.append(anew)
        self.confirmed.append(set(confirmed))
        await self.go_on.wait()
        return Round((), sweep_error=self.failure)

    async def poll(self) -> Hashable:
        self.polls += 1
        return "head"

    def loop(self, requests: Requests) -> Loop:
        return Loop(self.round, self, Intervals(1000.0, 1000.0), lambda _r, _s: None, requests)


async def until(world: World, rounds: int) -> None:
    while len(world.rounds) < rounds:
        await asyncio.sleep(0)


async def test_who_asks_while_a_round_runs_gets_the_next_and_shares_it() -> None:
    world, requests = World(), Requests()
    loop = world.loop(requests)
    running = asyncio.ensure_future(loop.run())
    await until(world, 1)
    asked = [asyncio.ensure_future(requests.sync([token])) for token in "abc"]
    await asyncio.sleep(0)
    assert world.rounds == [False]
    world.failure = UnreachableError("gone")
    world.go_on.set()
    done = await asyncio.gather(*asked)
    assert world.rounds == [False, True]
    assert world.confirmed == [set(), {"a", "b", "c"}]
    assert {one.exit_code for one in done} == {5}
    loop.stop()
    await running


async def test_who_asks_is_told_when_their_round_begins_and_is_counted_until_then() -> None:
    world, requests = World(), Requests()
    loop = world.loop(requests)
    running = asyncio.ensure_future(loop.run())
    await until(world, 1)
    begun: list[int] = []
    asked = [
        asyncio.ensure_future(requests.sync(begun=lambda: begun.append(len(world.rounds))))
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    assert (requests.waiting, begun) == (2, [])
    world.go_on.set()
    await asyncio.gather(*asked)
    assert (requests.waiting, begun) == (0, [1, 1])
    loop.stop()
    await running


async def test_a_hint_only_looks_for_commits() -> None:
    world, requests = World(), Requests()
    world.go_on.set()
    loop = world.loop(requests)
    running = asyncio.ensure_future(loop.run())
    await until(world, 1)
    polls = world.polls
    requests.hint()
    while world.polls == polls:
        await asyncio.sleep(0)
    assert world.rounds == [False]
    loop.stop()
    await running


async def test_who_waits_when_the_agent_stops_is_told() -> None:
    requests = Requests()
    asked = asyncio.ensure_future(requests.sync())
    await asyncio.sleep(0)
    requests.close()
    with pytest.raises(UnreachableError, match="is stopping"):
        await asked
