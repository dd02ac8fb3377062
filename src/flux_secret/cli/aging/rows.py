"""Ages of values → a table for people, and data for programs; what is due stands first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flux_secret.cli.tables import ago, table
from flux_secret.model.due import Standing
from flux_secret.model.report import stamp
from flux_secret.store.working.aging import Aged, Aging

_HEAD: Final = ("ENTRY", "AGE", "CHANGED", "BY", "OWNERS", "DEADLINE", "STATE")
_WIDE: Final = ("COMMIT", "FIRST SEEN AS", "CONTACT", "DOUBTS")
_ORDER: Final = tuple(Standing)
_SHORT: Final = 12  # digits of a commit


def in_order(found: Sequence[Aged]) -> list[Aged]:
    """Sort: overdue, unknown, due soon, the rest by deadline, then the oldest."""
    return sorted(
        found,
        key=lambda one: (
            _ORDER.index(one.due.standing), one.due.deadline or one.age.earliest, one.name
        ),
    )  # fmt: skip


def lines(found: Sequence[Aged], now: int, *, wide: bool) -> Sequence[str]:
    """Write the table."""
    head = (*_HEAD, *_WIDE * wide)
    return table(head, [_row(one, now, wide=wide) for one in found])


def _row(one: Aged, now: int, *, wide: bool) -> Sequence[str]:
    age, at_least = one.age, "" if one.age.is_certain else "≥"
    row = (
        one.name, at_least + span(now - age.since), _day(age.since),
        age.author.partition(" <")[0] or "-",
        ",".join(one.rule.owners) if one.rule else "-",
        _deadline(one), _state(one, now),
    )  # fmt: skip
    if not wide:
        return row
    first = "-" if age.first == age.entry else age.first
    return (*row, age.commit[:_SHORT], first, ", ".join(one.contacts) or "-",
            "; ".join(age.doubts) or "-")  # fmt: skip


def span(seconds: float) -> str:
    """Write a time span as kubectl's AGE."""
    now = datetime.now(UTC)
    return ago(datetime.fromtimestamp(now.timestamp() - max(0.0, seconds), UTC), now)


def _deadline(one: Aged) -> str:
    if one.due.deadline is None:
        return "-"
    return _day(one.due.deadline) + ("" if one.age.is_certain else "?")


def _state(one: Aged, now: int) -> str:
    deadline = one.due.deadline or 0
    if one.due.standing is Standing.OVERDUE:
        return f"overdue for {span(now - deadline)}"
    if one.due.standing is Standing.SOON:
        return f"due in {span(deadline - now)}"
    return str(one.due.standing.value)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _stamp(seconds: float) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC))


def data(found: Sequence[Aged], scans: Sequence[tuple[str, Aging]]) -> dict[str, Any]:
    """Give everything for programs; never a value, and no digest of one."""
    return {
        "entries": [_data(one) for one in found],
        "scans": [
            {
                "store": store, "commits": one.commits, "versions": one.versions,
                "remembered": one.counted.known, "decrypted": one.counted.decrypted,
                "undecryptable": one.counted.failed,
            }
            for store, one in scans
        ],
    }  # fmt: skip


def _data(one: Aged) -> dict[str, Any]:
    age, rule = one.age, one.rule
    return {
        "entry": one.name, "state": one.due.standing.value, "due": one.due.standing.is_due,
        "changed": _stamp(age.since), "changed_earliest": _stamp(age.earliest),
        "certain": age.is_certain, "doubts": list(age.doubts), "commit": age.commit,
        "author": age.author, "first_seen_as": age.first,
        "owners": list(rule.owners) if rule else [], "contacts": list(one.contacts),
        "rotate_every_seconds": rule.rotate_every if rule else None,
        "deadline": None if one.due.deadline is None else _stamp(one.due.deadline),
    }  # fmt: skip
