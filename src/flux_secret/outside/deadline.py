"""Until when this agent may write: told by who renews its lease, asked by each request it sends."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Final

from flux_secret.outside.clock import uptime

NEVER: Final = float("-inf")
ALWAYS: Final = float("inf")
_DOUBLE_BYTES: Final = 8


class Deadline:
    """A moment on `clock.uptime`, shared with the processes that are forked after it is made.

    A worker that delivers sees each renewal at once, and none any more when its parent is gone. One
    aligned double is read and written whole.
    """

    def __init__(self, at: float = ALWAYS, clock: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._memory = memoryview(mmap.mmap(-1, _DOUBLE_BYTES)).cast("d")
        self._memory[0] = at

    @property
    def at(self) -> float:
        """The moment."""
        return self._memory[0]

    def move(self, at: float) -> None:
        """Set it: later when a lease was renewed, `NEVER` when it was given back."""
        self._memory[0] = at

    def seconds_left(self) -> float:
        """How long anything may still be written; 0 or less for not at all."""
        return self.at - self._clock()
