"""Flags → how many deliveries are made at once."""

from __future__ import annotations

import os
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.settings.flags import Flags

FEWEST: Final = 2  # half of the places are for Apps that fail
MOST: Final = 64
_A_PROCESSOR: Final = 4
_FEWEST_UNASKED: Final = 4
_MOST_UNASKED: Final = 16
IN_AN_APP: Final = 4
"""Of the targets of one App among others."""


def concurrent_of(flags: Flags) -> int:
    """Give the number of places; raise `UsageError`.

    Four a processor when nobody says, since a delivery waits for a third of its time (measured:
    ADR 0018), at least 4, as Flux v2's controllers, and at most 16.
    """
    if flags.concurrent is None:
        return max(_FEWEST_UNASKED, min(_A_PROCESSOR * processors(), _MOST_UNASKED))
    if not FEWEST <= flags.concurrent <= MOST:
        raise UsageError(
            f"--concurrent {flags.concurrent} is not possible",
            remedy=f"write a number from {FEWEST} to {MOST}",
        )
    return flags.concurrent


def processors() -> int:
    """Say how many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
