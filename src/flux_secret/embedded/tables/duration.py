"""A time ago → `5s`, `3m20s`, `8d` (apimachinery util/duration HumanDuration)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


def since(timestamp: str, now: datetime | None = None) -> str:
    """Give how long ago that was; `<unknown>` for no time."""
    if not timestamp:
        return "<unknown>"
    then = datetime.fromisoformat(timestamp)
    return human(int(((now or datetime.now(UTC)) - then).total_seconds()))


def human(seconds: int) -> str:
    """Give a duration in at most two units, coarser the longer it is."""
    if seconds < -1:
        return "<invalid>"
    steps = (
        (2 * _MINUTE, 1, "s", 0, ""),
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    )
    seconds = max(seconds, 0)
    for limit, unit, name, smaller, smaller_name in steps:
        if seconds < limit:
            rest = seconds % unit // smaller if smaller else 0
            return f"{seconds // unit}{name}" + (f"{rest}{smaller_name}" if rest else "")
    return f"{seconds // _YEAR}y"
