"""Since when a value is what it is, and how often it is to change → what is due; pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400  # seconds
WARN_BEFORE: Final = 14 * DAY


class Standing(enum.Enum):
    """How a value stands against its deadline."""

    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    """It may be overdue: when it changed cannot be told here."""
    SOON = "due soon"
    OK = "ok"
    FREE = "no deadline"

    @property
    def is_due(self) -> bool:
        """Whether it has to be changed now, as far as can be told: what is unknown counts."""
        return self in {Standing.OVERDUE, Standing.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Due:
    """When a value has to be another one."""

    deadline: float | None
    """Seconds since the epoch, of the earliest time at which it may have changed; None for none."""
    standing: Standing

    @classmethod
    def of(
        cls, since: int, earliest: int, rotate_every: float | None, now: float,
        warn_before: float = WARN_BEFORE,
    ) -> Due:  # fmt: skip
        """Judge; all in seconds. A rule without an interval sets no deadline."""
        if not rotate_every:
            return cls(None, Standing.FREE)
        deadline = earliest + rotate_every
        if since + rotate_every <= now:
            standing = Standing.OVERDUE
        elif deadline <= now:
            standing = Standing.UNKNOWN
        else:
            standing = Standing.SOON if deadline - warn_before <= now else Standing.OK
        return cls(deadline, standing)
