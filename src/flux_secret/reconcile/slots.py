"""Who may deliver now: so many at once, and no more than half of them such as fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class Slots:
    """Places for deliveries, first come, first served.

    Apps that failed the last time may take half of the places: however long each of them hangs,
    the others go on (design decision 9).
    """

    def __init__(self, places: int) -> None:
        """Give at least two places, so that half of them is one."""
        places = max(2, places)
        self._all = asyncio.Semaphore(places)
        self._failing = asyncio.Semaphore(places // 2)

    @asynccontextmanager
    async def place(self, *, failing: bool) -> AsyncIterator[None]:
        """Wait for a place, and keep it."""
        async with AsyncExitStack() as held:
            if failing:
                await held.enter_async_context(self._failing)
            await held.enter_async_context(self._all)
            yield
