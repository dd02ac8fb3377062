"""When a namespace was last restarted in + how often it may be → how long to wait. Pure.

At most so many restarts in any minute: tokens that come back a minute after they were spent. What
was spent is kept with the record, so that an agent that starts anew has no full purse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

MINUTE: Final = dt.timedelta(minutes=1)


def wait(recent: Iterable[dt.datetime], per_minute: int, now: dt.datetime) -> dt.timedelta:
    """Give how long the next restart waits; zero when it may be done now."""
    counted = spent(recent, now)
    if len(counted) < per_minute:
        return dt.timedelta()
    return max(counted[-per_minute] + MINUTE - now, dt.timedelta(microseconds=1))


def spent(recent: Iterable[dt.datetime], now: dt.datetime) -> tuple[dt.datetime, ...]:
    """Give the restarts that still count, the oldest first.

    A time that lies far ahead counts no more: the clock went back, and nobody waits for it.
    """
    return tuple(sorted(one for one in recent if abs(now - one) < MINUTE))
