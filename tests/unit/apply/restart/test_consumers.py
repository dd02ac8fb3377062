"""What becomes due, and what becomes of it: decided on digests alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import pytest

from flux_secret.apply.restart.consumers import Seen, Verdict, changed, noted, verdict, without
from flux_secret.apply.restart.record import Due, Record
from flux_secret.apply.restart.references import Reference
from flux_secret.apply.restart.values import Values
from flux_secret.model.names import ObjectKey

NOW = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
A: Mapping[str, Values] = {"s": {"k": "id:a", "l": "id:a"}}
B: Mapping[str, Values] = {"s": {"k": "id:b", "l": "id:a"}}
C: Mapping[str, Values] = {"s": {"k": "id:c", "l": "id:a"}}


def seen(name: str = "web", *uses: Reference, template: str = "t") -> Seen:
    key = ObjectKey("apps", "Deployment", "demo", name)
    return Seen(key, "uid", template, "", frozenset(uses or [Reference("s")]))


def due(record: Record) -> list[str]:
    return sorted(key.name for key in record.due)


def note(record: Record, now: Mapping[str, Values], *them: Seen, when: dt.datetime = NOW) -> Record:
    return noted(record, now, them, when, lambda _secret, _workload: True)


def test_first_contact_makes_nothing_due() -> None:
    record = note(Record("demo"), A, seen())
    assert (record.secrets, due(record)) == (A, [])


def test_a_change_makes_exactly_its_consumers_due() -> None:
    them = [
        seen("whole"),
        seen("key", Reference("s", "k")),
        seen("other-key", Reference("s", "l")),
        seen("other-secret", Reference("t")),
        replace(seen("never"), never=True),
    ]
    record = note(Record("demo", A), B, *them)
    assert due(record) == ["key", "whole"]
    assert record.secrets == B
    assert {one.ran["s"]["k"] for one in record.due.values()} == {"id:a"}
    assert due(note(record, B, *them)) == ["key", "whole"]  # the same value again: nothing more


def test_what_another_target_does_not_reach_is_not_due() -> None:
    record = noted(Record("demo", A), B, [seen("ours"), seen("theirs")], NOW,
                   lambda _secret, workload: workload.name == "ours")  # fmt: skip
    assert due(record) == ["ours"]


def test_two_changes_before_the_restart_are_one() -> None:
    record = note(note(Record("demo", A), B, seen()), C, seen(), when=LATER)
    (one,) = record.due.values()
    assert (one.ran, one.since) == (A, NOW)
    assert verdict(one, seen(), C) is Verdict.RESTART
    assert verdict(one, seen(), A) is Verdict.BACK


def test_a_change_after_somebody_rolled_it_out_counts_anew() -> None:
    rolled = seen(template="t2")
    record = note(note(Record("demo", A), B, seen()), C, rolled, when=LATER)
    (one,) = record.due.values()
    assert (one.ran, one.since) == (B, LATER)
    assert verdict(one, rolled, C) is Verdict.RESTART


def test_a_change_while_its_rollout_is_going_on_counts_anew() -> None:
    record = note(Record("demo", A), B, seen())
    (one,) = record.due.values()
    marked = replace(record, due={one.workload: replace(one, mark="m")})
    again = note(marked, C, seen(template="t2"), when=LATER)
    assert again.due[one.workload] == Due(one.workload, "uid", "t2", LATER, B)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, Verdict.GONE),
        (replace(seen(), uid="another"), Verdict.GONE),
        (replace(seen(), never=True), Verdict.NEVER),
        (seen(template="t2"), Verdict.ROLLED),
        (seen("web", Reference("s", "l")), Verdict.BACK),
        (seen("web", Reference("t")), Verdict.BACK),
        (seen(), Verdict.RESTART),
    ],
)
def test_what_becomes_of_it(live: Seen | None, expected: Verdict) -> None:
    (one,) = note(Record("demo", A), B, seen()).due.values()
    assert verdict(one, live, B) is expected


def test_a_secret_that_is_nobodys_any_more_is_forgotten() -> None:
    record = Record("demo", {**A, "t": {}})
    assert without(record, {"t"}).secrets == A
    assert without(record, ()) is record
    assert changed(record, B) == A
