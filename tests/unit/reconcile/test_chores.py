"""Small writes: one at a time for each key, the newest counts, and what fails is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog

from flux_secret.errors import UnreachableError
from flux_secret.reconcile.chores import Chores
from simulators.virtualtime import in_virtual_time


class Desk:
    """What was done, and when."""

    def __init__(self, failing: int = 0, takes_seconds: float = 0.0) -> None:
        self.done: list[tuple[str, float]] = []
        self.failing = failing
        self.takes_seconds = takes_seconds
        self.at_once = self.most_at_once = 0

    def chore(self, name: str) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
            await asyncio.sleep(self.takes_seconds)
            self.at_once -= 1
            self.done.append((name, asyncio.get_running_loop().time()))
            if self.failing:
                self.failing -= 1
                raise UnreachableError("gone")

        return do


def run(desk: Desk, act: Callable[[Chores, Desk], Awaitable[None]]) -> list[tuple[str, float]]:
    async def main() -> None:
        async with Chores(at_once=2) as chores:
            await act(chores, desk)
            await asyncio.sleep(1000)

    with structlog.testing.capture_logs():
        in_virtual_time(main())
    return desk.done


def test_what_was_not_begun_is_replaced_by_what_is_new() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        chores.want("a", desk.chore("old"), after_seconds=3)
        chores.want("a", desk.chore("new"))

    assert run(Desk(), act) == [("new", 0)]


def test_what_is_asked_for_while_it_is_done_is_done_after_it() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        chores.want("a", desk.chore("first"))
        await asyncio.sleep(1)
        chores.want("a", desk.chore("lost"))
        chores.want("a", desk.chore("second"))

    assert run(Desk(takes_seconds=5), act) == [("first", 5), ("second", 10)]


def test_what_fails_is_tried_again_with_growing_pauses() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        chores.want("a", desk.chore("a"))

    assert run(Desk(failing=3), act) == [("a", 0), ("a", 1), ("a", 3), ("a", 7)]


def test_what_is_new_does_not_wait_for_the_pause_of_what_failed() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        chores.want("a", desk.chore("old"))
        await asyncio.sleep(0.5)
        chores.want("a", desk.chore("new"))

    assert run(Desk(failing=1), act) == [("old", 0), ("new", 0.5)]


def test_what_is_forgotten_is_not_done() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        chores.want("a", desk.chore("a"), after_seconds=3)
        chores.forget("a")
        chores.forget("b")

    assert run(Desk(), act) == []


def test_so_many_at_once() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        for name in "abcd":
            chores.want(name, desk.chore(name))

    desk = Desk(takes_seconds=1)
    assert [when for _, when in run(desk, act)] == [1, 1, 2, 2]
    assert desk.most_at_once == 2


async def test_a_bug_is_raised_to_who_waits_for_one() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    async with Chores() as chores:
        chores.want("a", broken)
        with pytest.raises(ZeroDivisionError):
            await chores.failed()


def test_what_comes_while_it_waits_for_a_place_is_done_instead_and_when_it_is_due() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        for key in ("a", "b"):
            chores.want(key, desk.chore(key))
        chores.want("c", desk.chore("old"))
        chores.want("d", desk.chore("old"))
        await asyncio.sleep(1)
        chores.want("c", desk.chore("new"))
        chores.want("d", desk.chore("later"), after_seconds=10)

    done = run(Desk(takes_seconds=2), act)
    assert done == [("a", 2), ("b", 2), ("new", 4), ("later", 13)]


def test_what_waits_for_something_long_takes_no_place() -> None:
    async def act(chores: Chores, desk: Desk) -> None:
        for name in ("a", "b", "c"):
            chores.want(name, lambda: asyncio.sleep(500), waits=True)
        chores.want("d", desk.chore("d"))

    assert run(Desk(), act) == [("d", 0.0)]
