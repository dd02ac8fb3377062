"""Moments of git and of the record, in one order."""

from __future__ import annotations

import pytest

from flux_secret.model.timeline import Moment, in_order


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00.000Z"),
        ("2026-03-01T08:00:00.123Z", "2026-03-01T08:00:00.123Z"),
        ("not a time", "not a time"),
    ],
)
def test_times_are_shown_in_utc(time: str, utc: str) -> None:
    assert Moment(time, "git", "created", "Ann").utc == utc


def test_what_happened_in_other_zones_is_sorted_by_its_moment() -> None:
    early = Moment("2026-03-01T10:00:00+02:00", "git", "created", "Ann")
    late = Moment("2026-03-01T08:30:00.000Z", "record", "read", "demo")
    same = Moment("2026-03-01T08:30:00.000Z", "record", "delivered", "demo")
    assert in_order([late, same], [early]) == [early, late, same]


def test_programs_read_every_field() -> None:
    one = Moment("2026-03-01T08:00:00Z", "git", "created", "Ann", "c0ffee", ["Bob"], {"blob": "b"})
    assert one.to_json() == {
        "time": "2026-03-01T08:00:00.000Z", "source": "git", "what": "created", "who": "Ann",
        "says": "c0ffee", "readers": ["Bob"], "details": {"blob": "b"},
    }  # fmt: skip
