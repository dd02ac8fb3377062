"""When rounds run: at once, on the interval, on a new commit; sooner after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, field

import pytest

from flux_secret.errors import UnreachableError
from flux_secret.reconcile.loop import Intervals, Loop
from flux_secret.reconcile.round import Round
from simulators.virtualtime import VirtualTime


@dataclass
class World:
    """Rounds and heads, and when they happened."""

    until: float
    head: Hashable = "first"
    failing: bool = False
    unreachable: bool = False
    rounds: list[float] = field(default_factory=list)
    asked_anew: list[bool] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    changes: dict[float, str] = field(default_factory=dict)

    async def poll(self) -> Hashable:
        now = asyncio.get_running_loop().time()
        self.polls.append(now)
        for when, head in self.changes.items():
            if now >= when:
                self.head = head
        if self.unreachable:
            raise UnreachableError("the host does not answer")
        return self.head

    async def round(self, *, anew: bool = False, confirmed: Collection[str] = ()) -> Round:
        assert not confirmed
        self.asked_anew.append(anew)
        self.rounds.append(asyncio.get_running_loop().time())
        failure = UnreachableError("gone") if self.failing else None
        return Round((), sweep_error=failure)

    def live(self, intervals: Intervals) -> list[float]:
        async def main() -> None:
            loop = Loop(self.round, self, intervals, lambda _round, _seconds: None)
            asyncio.get_running_loop().call_later(self.until, loop.stop)
            await loop.run()

        with asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(main())
        return self.rounds


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    import structlog

    with structlog.testing.capture_logs():
        yield


def test_the_first_round_runs_at_once_and_then_on_the_interval() -> None:
    assert World(until=1000).live(Intervals(300, 5000)) == [0, 300, 600, 900]


def test_a_new_commit_runs_a_round_at_the_next_poll_and_restarts_the_interval() -> None:
    world = World(until=700, changes={100: "second"})
    assert world.live(Intervals(300, 60)) == [0, 120, 420]


def test_polls_that_see_nothing_new_run_no_round() -> None:
    world = World(until=290)
    assert world.live(Intervals(300, 60)) == [0]
    assert world.polls == [0, 60, 120, 180, 240]


def test_a_failed_round_is_tried_again_with_growing_pauses_up_to_the_interval() -> None:
    world = World(until=1000, failing=True)
    assert world.live(Intervals(300, 5000)) == [0, 10, 30, 70, 150, 310, 610, 910]


def test_an_unreachable_host_stops_no_round() -> None:
    world = World(until=700, unreachable=True)
    assert world.live(Intervals(300, 60)) == [0, 300, 600]


def test_stopping_waits_for_no_interval() -> None:
    assert World(until=5).live(Intervals(300, 300)) == [0]
