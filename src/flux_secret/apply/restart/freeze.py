"""Freeze windows + now → until when nothing is restarted. Pure.

A window's times are those of a clock on the wall of its zone, also on the days on which that clock
is changed. Windows that touch are one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Final

from flux_secret.model.restart import DAY_MINUTES, FreezeWindow

_MOST: Final = 64  # windows in a row that are looked at; windows without end are asked again then


def frozen_until(windows: Iterable[FreezeWindow], now: dt.datetime) -> dt.datetime | None:
    """Give when the freeze that holds at `now` ends, in UTC; None when there is none."""
    windows, until = tuple(windows), now
    for _ in range(_MOST):
        ends = [end for window in windows for end in _ends(window, until)]
        if not ends:
            break
        until = max(ends)
    return until if until > now else None


def _ends(window: FreezeWindow, now: dt.datetime) -> Iterator[dt.datetime]:
    """Give the ends of its occurrences that contain `now`: today's, or one begun yesterday."""
    zone = window.tz
    today = now.astimezone(zone).date()
    for day in (today, today - dt.timedelta(days=1)):
        if day.weekday() in window.days:
            midnight = dt.datetime.combine(day, dt.time(), zone)
            length = window.ends if window.ends > window.begins else window.ends + DAY_MINUTES
            begins = (midnight + dt.timedelta(minutes=window.begins)).astimezone(dt.UTC)
            ends = (midnight + dt.timedelta(minutes=length)).astimezone(dt.UTC)
            if begins <= now < ends:
                yield ends
