"""How long the next restart waits: at most so many in any minute."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.restart.budget import MINUTE, spent, wait

NOW = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)


def ago(*seconds: float) -> list[dt.datetime]:
    return [NOW - dt.timedelta(seconds=one) for one in seconds]


def test_what_is_left_is_spent_at_once_and_comes_back_after_a_minute() -> None:
    assert wait([], 2, NOW) == dt.timedelta()
    assert wait(ago(59), 2, NOW) == dt.timedelta()
    assert wait(ago(50, 10), 2, NOW) == dt.timedelta(seconds=10)
    assert wait(ago(50, 10, 5), 2, NOW) == dt.timedelta(seconds=50)
    assert wait(ago(60, 10), 2, NOW) == dt.timedelta()


def test_a_clock_that_went_back_blocks_nothing_for_long() -> None:
    assert wait(ago(-3600), 1, NOW) == dt.timedelta()
    assert wait(ago(-10), 1, NOW) == dt.timedelta(seconds=70)
    assert spent(ago(-3600, 3600, 5), NOW) == tuple(ago(5))


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_has_more_than_the_budget(per_minute: int, pauses: list[float]) -> None:
    now, done = NOW, list[dt.datetime]()
    for pause in pauses:
        now += dt.timedelta(seconds=pause)
        if not wait(done, per_minute, now):
            done.append(now)
    for first in done:
        assert sum(first <= one < first + MINUTE for one in done) <= per_minute
