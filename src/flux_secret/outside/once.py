"""A question that many ask at once → one answer, or one failure, for all of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Asks once for each key; whoever asks meanwhile or later gets the same.

    Who asked first may be cancelled: the others still get their answer. Whatever is still being
    asked when it is closed is cancelled and waited for.
    """

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._answers: dict[K, asyncio.Future[V]] = {}

    async def __call__(self, key: K) -> V:
        """Give the answer; raise what the asking raised."""
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = asyncio.ensure_future(self._ask(key))
        return await asyncio.shield(answer)

    def forget(self, key: K) -> None:
        """Ask anew the next time, unless it is being asked just now."""
        answer = self._answers.get(key)
        if answer is not None and answer.done():
            del self._answers[key]

    def drop(self, key: K) -> None:
        """Ask anew the next time; who waits for the answer that is on its way still gets it."""
        self._answers.pop(key, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for answer in self._answers.values():
            answer.cancel()
        await asyncio.gather(*self._answers.values(), return_exceptions=True)


class Lately(Generic[K, V]):
    """`Once`, whose answers count for a while: whoever asks soon after gets the same.

    A failure counts as long as an answer: a host that is down is not asked by each of many.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds` are counted from when the asking began; 0: everybody asks anew."""
        self._once = Once(ask)
        self._seconds = seconds
        self._clock = clock
        self._began: dict[K, float] = {}

    async def __call__(self, key: K) -> V:
        """Give the answer; raise what the asking raised."""
        now = self._clock()
        if now - self._began.get(key, -math.inf) >= self._seconds:
            self._once.drop(key)
            self._began[key] = now
        return await self._once(key)

    def forget(self, key: K) -> None:
        """Ask anew the next time, also when it is being asked just now."""
        self._began.pop(key, None)
