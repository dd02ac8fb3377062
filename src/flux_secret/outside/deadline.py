"""Until when this agent may write: told by who renews its lease, asked by each request it sends."""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from collections.abc import Callable
from typing import Final

from flux_secret.outside.clock import uptime

NEVER: Final = float("-inf")
ALWAYS: Final = float("inf")
_DOUBLE_BYTES: Final = 8


class Deadline:
    """A moment on `clock.uptime`, in memory that workers share: they see each renewal at once.

    One aligned double is read and written whole. A process that is forked afterwards has it, and so
    has one that inherits `handle`.
    """

    def __init__(
        self, at: float = ALWAYS, clock: Callable[[], float] = uptime, handle: int = -1
    ) -> None:
        """Make one, or take that of a parent, whose `handle` was inherited, as it is."""
        self._clock = clock
        inherited = handle >= 0
        self.handle = handle
        """Of the memory; none but on Linux."""
        if not inherited and sys.platform == "linux":
            self.handle = os.memfd_create("flux-secret-deadline")
            os.ftruncate(self.handle, _DOUBLE_BYTES)
        if self.handle >= 0:
            weakref.finalize(self, os.close, self.handle)
        self._memory = memoryview(mmap.mmap(self.handle, _DOUBLE_BYTES)).cast("d")
        if not inherited:
            self.move(at)

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
