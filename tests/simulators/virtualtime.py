"""Time that passes at once: hours of back-off and leases run in milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    # asyncio's own loop body, which typeshed does not show
    def _run_once(self) -> None:
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        timers = [timer for timer in scheduled if not timer.cancelled()]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self._now = max(self._now, min(timer.when() for timer in timers))
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(coroutine: Coroutine[object, object, T]) -> T:
    """Run it on a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(coroutine)
