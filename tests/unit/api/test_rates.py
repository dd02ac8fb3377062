"""No more often than that, and hints that come together are one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import pytest

from flux_secret.api.rates import Bucket, Coalesced


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_so_many_a_second_and_a_rest_fills_no_more_than_the_burst() -> None:
    clock = Clock()
    bucket = Bucket(2.0, 3, clock)
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take() == pytest.approx(0.5)
    clock.now += 0.25
    assert bucket.take() == pytest.approx(0.25)
    clock.now += 0.25
    assert bucket.take() == 0.0
    clock.now += 3600.0
    assert [bucket.take() == 0.0 for _ in range(4)] == [True, True, True, False]


async def test_the_first_hint_is_passed_on_at_once_and_the_rest_together() -> None:
    passed: list[Collection[str]] = []
    more = asyncio.Event()

    def pass_on(urls: Collection[str]) -> None:
        passed.append(urls)
        if len(passed) > 1:
            more.set()

    hints = Coalesced(pass_on, 0.01)
    hints.hint(["a"])
    assert passed == [("a",)]
    for name in ("b", "c", "b"):
        hints.hint([name])
    assert passed == [("a",)]
    await asyncio.wait_for(more.wait(), 5)
    assert passed == [("a",), ("b", "c")]


async def test_a_hint_at_everything_swallows_those_at_one_repository() -> None:
    passed: list[Collection[str]] = []
    more = asyncio.Event()

    def pass_on(urls: Collection[str]) -> None:
        passed.append(urls)
        if len(passed) > 1:
            more.set()

    hints = Coalesced(pass_on, 0.01)
    hints.hint()
    hints.hint(["a"])
    hints.hint()
    await asyncio.wait_for(more.wait(), 5)
    assert passed == [(), ()]


async def test_after_its_end_no_hint_is_passed_on() -> None:
    passed: list[Collection[str]] = []
    hints = Coalesced(passed.append, 0.0)
    hints.hint(["a"])
    hints.hint(["b"])
    hints.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert passed == [("a",)]
