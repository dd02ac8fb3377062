"""Until when nothing is restarted."""

from __future__ import annotations

import datetime as dt

import pytest

from flux_secret.apply.restart.freeze import frozen_until
from flux_secret.model.restart import FreezeWindow


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("windows", "now", "until"),
    [
        # 2026-11-30 is a Monday; Berlin is an hour ahead in winter
        (["mon-fri 08:00-18:00"], "2026-11-30T07:59:59", None),
        (["mon-fri 08:00-18:00"], "2026-11-30T08:00", "2026-11-30T18:00"),
        (["mon-fri 08:00-18:00"], "2026-11-30T18:00", None),
        (["mon-fri 08:00-18:00"], "2026-11-28T12:00", None),
        (["mon-fri 08:00-18:00 Europe/Berlin"], "2026-11-30T07:00", "2026-11-30T17:00"),
        # over midnight, it belongs to the day on which it begins
        (["fri 22:00-06:00"], "2026-12-05T05:59", "2026-12-05T06:00"),
        (["sat 22:00-06:00"], "2026-12-05T05:59", None),
        # whole days are one freeze, and so are windows that touch
        (["sat,sun"], "2026-11-28T12:00", "2026-11-30T00:00"),
        (["mon 08:00-12:00", "mon 12:00-14:00"], "2026-11-30T09:00", "2026-11-30T14:00"),
        (["mon 08:00-12:00", "mon 11:00-14:00"], "2026-11-30T09:00", "2026-11-30T14:00"),
        # the clock in Berlin goes back an hour on 2026-10-25, and forward on 2026-03-29
        (["sun 00:00-12:00 Europe/Berlin"], "2026-10-25T10:59", "2026-10-25T11:00"),
        (["sun 00:00-12:00 Europe/Berlin"], "2026-03-29T09:59", "2026-03-29T10:00"),
        ([], "2026-11-30T09:00", None),
    ],
)
def test_a_freeze_ends_when_its_window_does(
    windows: list[str], now: str, until: str | None
) -> None:
    found = frozen_until(map(FreezeWindow.parse, windows), at(now))
    assert found == (at(until) if until else None)


def test_a_freeze_without_end_is_asked_for_again() -> None:
    now = at("2026-11-30T09:00")
    until = frozen_until([FreezeWindow.parse("mon-sun")], now)
    assert until is not None
    assert until - now > dt.timedelta(days=30)
