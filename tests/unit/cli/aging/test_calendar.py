"""Deadlines as iCalendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.cli.aging.calendar import calendar
from flux_secret.model.due import DAY, Due
from flux_secret.model.owners import Rule
from flux_secret.store.working.ages import BEFORE, Age
from flux_secret.store.working.aging import Aged
from simulators.ical import Component, read

NOW = int(datetime(2026, 11, 29, 20, 0, tzinfo=UTC).timestamp())


def aged(
    name: str, *, days: float = 80, contact: str = "", doubts: tuple[str, ...] = (),
    every: int | None = 90 * DAY,
) -> Aged:  # fmt: skip
    since = NOW - int(days * DAY)
    rule = Rule("", ("alice", "bob"), rotate_every=every)
    age = Age(name, since, since, "c", "A <a@b>", name, doubts)
    contacts = [contact] if contact else []
    return Aged(name, age, rule, contacts, Due.of(since, since, every, NOW))


def events(*found: Aged, warn_before: float = 14 * DAY) -> list[Component]:
    return read(calendar(found, NOW, warn_before).encode()).children


def test_each_deadline_is_an_event_of_a_day_with_an_alarm_ahead() -> None:
    (event,) = events(aged("apps/db", contact="#team"), aged("apps/free", every=None))
    assert event["SUMMARY"] == "Rotate apps/db"
    assert event["DTSTART;VALUE=DATE"] == "20261209"
    assert event["DTSTAMP"] == "20261129T200000Z"
    assert event["DESCRIPTION"] == (
        "The value has been the same since 2026-09-10.\nOwners: alice, bob\nContact: #team\n"
        "Change it at its source, then: flux-secret store edit apps/db"
    )
    (alarm,) = event.children
    assert (alarm["ACTION"], alarm["TRIGGER"]) == ("DISPLAY", "-P14D")


def test_an_entrys_event_moves_when_its_value_changes_and_is_no_other_event() -> None:
    (before,), (after,), (other,) = events(aged("a")), events(aged("a", days=1)), events(aged("b"))
    assert before["UID"] == after["UID"] != other["UID"]
    assert int(after["SEQUENCE"]) > int(before["SEQUENCE"])
    assert after["DTSTART;VALUE=DATE"] > before["DTSTART;VALUE=DATE"]


def test_doubt_is_said() -> None:
    (event,) = events(aged("a", doubts=(BEFORE,)))
    assert "since 2026-09-10 or longer" in event["DESCRIPTION"]


@pytest.mark.parametrize(
    ("seconds", "written"), [(DAY, "-P1D"), (DAY * 1.5, "-P1DT43200S"), (3600, "-P0DT3600S")]
)
def test_the_warning_is_as_long_ahead_as_is_asked(seconds: float, written: str) -> None:
    (event,) = events(aged("a"), warn_before=seconds)
    assert event.children[0]["TRIGGER"] == written


@given(st.text(min_size=1, max_size=120), st.text(max_size=120))
def test_whatever_names_hold_it_is_read_back(name: str, contact: str) -> None:
    """Commas, backslashes, line breaks, characters of four octets at the fold; no control ones."""
    (event,) = events(aged(name, contact=contact))
    shown = "".join(one for one in name if one.isprintable() or one == "\n")
    assert event["SUMMARY"] == f"Rotate {shown}"
