"""Ages as a table and as data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flux_secret.cli.aging.calendar import calendar
from flux_secret.cli.aging.exposition import exposition
from flux_secret.cli.aging.rows import data, in_order, lines
from flux_secret.model.due import DAY, Due
from flux_secret.model.owners import Rule
from flux_secret.store.working.ages import BEFORE, Age
from flux_secret.store.working.aging import Aged

NOW = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp())


def aged(name: str, days: float, *, every: int | None = 90, earliest: float | None = None) -> Aged:
    since, first = NOW - int(days * DAY), NOW - int((earliest or days) * DAY)
    rule = Rule("", ("alice", "bob"), rotate_every=every and every * DAY) if every else None
    doubts = (BEFORE,) if earliest else ()
    age = Age(name, since, first, "0123456789abcdef", "Ann <ann@b>", "first", doubts)
    return Aged(name, age, rule, ["#team"], Due.of(since, first, every and every * DAY, NOW))


FOUND = in_order([
    aged("young", 1), aged("free", 900, every=None), aged("soon", 80), aged("late", 100),
    aged("later", 91), aged("unknown", 10, earliest=300), aged("older", 1000, every=None),
])  # fmt: skip


def test_what_is_due_stands_first() -> None:
    assert [one.name for one in FOUND] == [
        "late", "later", "unknown", "soon", "young", "older", "free",
    ]  # fmt: skip


def test_the_table() -> None:
    assert list(lines([FOUND[0], FOUND[2], FOUND[3], FOUND[5]], NOW, wide=False)) == [
        "ENTRY     AGE     CHANGED      BY    OWNERS      DEADLINE      STATE",
        "late      100d    2026-08-21   Ann   alice,bob   2026-11-19    overdue for 10d",
        "unknown   ≥10d    2026-11-19   Ann   alice,bob   2026-05-03?   unknown",
        "soon      80d     2026-09-10   Ann   alice,bob   2026-12-09    due in 10d",
        "older     1000d   2024-03-04   Ann   -           -             no deadline",
    ]
    wide = lines([FOUND[2]], NOW, wide=True)[1]
    assert wide.endswith(f"0123456789ab   first           #team     {BEFORE}")


def test_the_data() -> None:
    late, unknown = (data([one], [])["entries"][0] for one in (FOUND[0], FOUND[2]))
    assert late == {
        "entry": "late", "state": "overdue", "due": True, "changed": "2026-08-21T00:00:00Z",
        "changed_earliest": "2026-08-21T00:00:00Z", "certain": True, "doubts": [],
        "commit": "0123456789abcdef", "author": "Ann <ann@b>", "first_seen_as": "first",
        "owners": ["alice", "bob"], "contacts": ["#team"], "rotate_every_seconds": 90 * DAY,
        "deadline": "2026-11-19T00:00:00Z",
    }  # fmt: skip
    differing: dict[str, Any] = {key: unknown[key] for key in ("state", "due", "certain")}
    assert differing == {"state": "unknown", "due": True, "certain": False}
    assert unknown["changed_earliest"] < unknown["changed"]


def test_metrics_are_times_of_which_an_alert_makes_ages() -> None:
    text = exposition([FOUND[0], FOUND[2], FOUND[5]], NOW)
    expected = {
        'flux_secret_value_changed_timestamp_seconds{entry="late"}': NOW - 100 * DAY,
        'flux_secret_value_changed_timestamp_seconds{entry="unknown"}': NOW - 300 * DAY,
        'flux_secret_value_age_certain{entry="unknown"}': 0,
        'flux_secret_rotation_deadline_timestamp_seconds{entry="late",owners="alice,bob"}':
            NOW - 10 * DAY,
        "flux_secret_age_scan_timestamp_seconds": NOW,
    }  # fmt: skip
    said = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert {name: float(said[name]) for name in expected} == expected
    assert not any("deadline" in name and "older" in name for name in said)


def test_a_name_of_any_bytes_can_be_written_everywhere() -> None:
    odd = aged("a\udcff\x1b[31m", 1)
    assert b"?" in exposition([odd], NOW).encode()
    assert calendar([odd], NOW, DAY).encode()
    assert data([odd], [])["entries"][0]["entry"] == odd.name
