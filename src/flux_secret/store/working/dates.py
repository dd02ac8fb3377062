"""Commits and the dates that they bear → when each was made, as far as that can be believed; pure.

Anybody writes any date into a commit, and clocks are wrong. No commit is made before those that it
builds upon, none in the future, and none before git was. So the longest run of dates that only go
forward is believed, and a commit beside it is taken to be as old as the one before it: a value then
looks older than it is, never younger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.outside.git.past import Made

GIT: Final = 1_112_911_993  # 2005-04-07: git's own first commit
SKEW: Final = 86_400  # seconds that clocks may differ without anybody being told


@dataclass(frozen=True, slots=True)
class Dated:
    """When a commit was made."""

    when: int
    """Seconds since the epoch."""
    is_believed: bool
    """Whether it is what the commit says, within a day."""
    author: str


def dated(made: Sequence[Made], now: int) -> dict[str, Dated]:
    """Date each commit; `made` has parents first, `now` is in seconds since the epoch.

    The author's date counts where it is before the committer's: a rebase leaves it as it was.
    """
    believed = _forward([one.committed for one in made], now + SKEW)
    whens: dict[int, int] = {}
    after = now
    for at in range(len(made) - 1, -1, -1):  # what comes next that is believed
        after = min(made[at].committed, now) if at in believed else after
        whens[at] = after
    found, last = {}, whens[0] if made else now
    for at, one in enumerate(made):
        if at in believed:
            last = whens[at]
        near = min(max(one.committed, last), whens[at])  # its own, put between its neighbours
        is_near = abs(near - one.committed) <= SKEW
        when = near if is_near else last
        if is_near and one.authored >= GIT:
            when = min(when, one.authored)
        found[one.commit] = Dated(when, is_near, one.author)
    return found


def _forward(dates: Sequence[int], now: int) -> set[int]:
    """Give where the longest run of dates that do not go backwards stands (patience sorting)."""
    ends: list[int] = []  # the least date that a run of each length ends with
    places: list[int] = []
    before: dict[int, int | None] = {}
    for at, date in enumerate(dates):
        if GIT <= date <= now:
            length = bisect_right(ends, date)
            before[at] = places[length - 1] if length else None
            ends[length : length + 1], places[length : length + 1] = [date], [at]
    run: set[int] = set()
    last = places[-1] if places else None
    while last is not None:
        run.add(last)
        last = before[last]
    return run
