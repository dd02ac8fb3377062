"""Many writes at once are few, and none of them returns before its own notes are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from flux_secret.audit.gathered import Gathered
from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note


@dataclass
class Slow:
    """Takes one write at a time, and finishes it when it is told to."""

    taken: list[list[str]] = field(default_factory=list)
    go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    failing: bool = False

    async def write(self, notes: Sequence[Note]) -> None:
        self.taken.append([note.about for note in notes])
        await self.go.acquire()
        if self.failing:
            raise RecordError("no space left")


def note(about: str) -> list[Note]:
    return [Note(Kind.READ, about)]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_meanwhile_goes_with_the_next() -> None:
    slow = Slow()
    gathered = Gathered(slow)
    first = asyncio.ensure_future(gathered.write(note("a")))
    await settle()
    rest = [asyncio.ensure_future(gathered.write(note(name))) for name in "bcd"]
    await settle()
    assert slow.taken == [["a"]]
    assert not first.done()
    slow.go.release()
    await settle()
    assert first.done()
    assert slow.taken == [["a"], ["b", "c", "d"]]
    assert not any(one.done() for one in rest)
    slow.go.release()
    await asyncio.gather(*rest)


async def test_all_of_a_batch_hear_that_it_failed_and_the_next_is_tried() -> None:
    slow = Slow(failing=True)
    gathered = Gathered(slow)
    tasks = [asyncio.ensure_future(gathered.write(note(name))) for name in "abc"]
    await settle()
    slow.go.release()
    slow.go.release()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done] == [RecordError] * 3
    slow.failing = False
    slow.go.release()
    await gathered.write(note("d"))


async def test_nobody_goes_on_when_the_one_who_wrote_for_all_was_interrupted() -> None:
    slow = Slow()
    gathered = Gathered(slow)
    first = asyncio.ensure_future(gathered.write(note("a")))
    await settle()
    second, third = (asyncio.ensure_future(gathered.write(note(name))) for name in "bc")
    await settle()
    slow.go.release()
    await first
    await settle()
    assert slow.taken == [["a"], ["b", "c"]]
    second.cancel()
    with pytest.raises(RecordError, match="interrupted"):
        await third
