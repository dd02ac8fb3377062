"""How often → not more often than that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection


class Bucket:
    """Lets `per_second` through, and `burst` at once after a rest."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds."""
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._left = self._burst
        self._at = clock()

    def take(self) -> float:
        """Give 0.0 when one may pass; else the seconds until the next one may."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._per_second
        self._left -= 1.0
        return 0.0


class Coalesced:
    """Passes hints on: the first at once, then what has come meanwhile, once every `seconds`."""

    def __init__(self, pass_on: Callable[[Collection[str]], None], seconds: float) -> None:
        """`pass_on` is given addresses; none of them means everything."""
        self._pass_on = pass_on
        self._seconds = seconds
        self._urls: set[str] = set()
        self._everything = False
        self._timer: asyncio.TimerHandle | None = None

    def hint(self, urls: Collection[str] = ()) -> None:
        """Pass it on, now or with the next."""
        self._urls.update(urls)
        self._everything = self._everything or not urls
        if self._timer is None:
            self._now()

    def close(self) -> None:
        """Pass nothing on any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> None:
        urls = () if self._everything else tuple(sorted(self._urls))
        self._urls, self._everything = set(), False
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._due)
        self._pass_on(urls)

    def _due(self) -> None:
        self._timer = None
        if self._urls or self._everything:
            self._now()
