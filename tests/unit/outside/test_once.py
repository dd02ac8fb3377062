"""Many ask, one answer: the same for all, and no work is left behind."""

from __future__ import annotations

import asyncio

import pytest

from flux_secret.outside.once import Once


async def test_everybody_gets_the_answer_of_one_question() -> None:
    asked: list[str] = []

    async def ask(key: str) -> int:
        asked.append(key)
        await asyncio.sleep(0)
        return len(asked)

    async with Once(ask) as once:
        assert await asyncio.gather(*(once("a") for _ in range(5))) == [1] * 5
        assert await once("b") == 2
        assert await once("a") == 1
        once.forget("a")
        assert await once("a") == 3
    assert asked == ["a", "b", "a"]


async def test_everybody_gets_the_same_failure() -> None:
    async def ask(_key: str) -> None:
        raise ValueError("no")

    async with Once(ask) as once:
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await once("a")


async def test_one_that_is_cancelled_takes_the_answer_from_nobody() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def ask(_key: str) -> str:
        started.set()
        await go_on.wait()
        return "answer"

    async with Once(ask) as once:
        first = asyncio.create_task(once("a"))
        await started.wait()
        second = asyncio.create_task(once("a"))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        assert await second == "answer"


async def test_what_is_still_asked_at_the_end_is_ended() -> None:
    ended = asyncio.Event()

    async def ask(_key: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Once(ask) as once:
        asking = asyncio.create_task(once("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ended.is_set()
