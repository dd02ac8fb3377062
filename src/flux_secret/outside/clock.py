"""The clock that leases are kept by: it never jumps, and it goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime


def uptime() -> float:
    """Give seconds since some moment in the past; setting the time of day does not change it.

    On Linux this is CLOCK_BOOTTIME: `time.monotonic` stands still while a machine is suspended, and
    a holder would wake up sure of a lease that another has taken meanwhile.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    else:  # noqa: RET505 -- or mypy sees code that no platform reaches
        return time.monotonic()


class Clock:
    """What time it is, in two ways."""

    def uptime(self) -> float:
        """Give seconds that only ever go on: what waits and leases are measured by."""
        return uptime()

    def now(self) -> datetime:
        """Give the time of day, which may jump: for people to read, never to decide by."""
        return datetime.now(UTC)
