"""Deadlines → a calendar that any program subscribes to: iCalendar (RFC 5545).

Each entry has one event, on the day its value has to be another one. Its UID is the entry's, so a
calendar that is fetched again moves the event instead of adding one. It names entries and owners,
and never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from shlex import quote
from typing import Final

from flux_secret.model.due import DAY
from flux_secret.store.working.aging import Aged

_OCTETS: Final = 75  # of a line, without its end (RFC 5545 §3.1)
_PRODUCT: Final = "-//flux-secret//age//EN"


def calendar(found: Sequence[Aged], now: int, warn_before: float) -> str:
    """Write a VCALENDAR of everything that has a deadline; `warn_before` in seconds."""
    body = [line for one in found if one.due.deadline is not None
            for line in _event(one, one.due.deadline, now, warn_before)]  # fmt: skip
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{_PRODUCT}", "METHOD:PUBLISH",
            "X-WR-CALNAME:Rotation of secrets"]  # fmt: skip
    return "".join(f"{_folded(line)}\r\n" for line in [*head, *body, "END:VCALENDAR"])


def _event(one: Aged, deadline: float, now: int, warn_before: float) -> Iterator[str]:
    summary = f"Rotate {one.name}"
    yield "BEGIN:VEVENT"
    yield f"UID:{hashlib.sha256(one.name.encode(errors='replace')).hexdigest()[:40]}@flux-secret"
    yield f"DTSTAMP:{_time(now)}"
    yield f"DTSTART;VALUE=DATE:{_time(deadline)[:8]}"
    yield f"SEQUENCE:{max(0, one.age.since) // DAY}"  # grows with each rotation (§3.8.7.4)
    yield f"SUMMARY:{_text(summary)}"
    yield f"DESCRIPTION:{_text(_description(one))}"
    yield "CATEGORIES:flux-secret"
    yield "TRANSP:TRANSPARENT"
    yield "BEGIN:VALARM"
    yield "ACTION:DISPLAY"
    yield f"DESCRIPTION:{_text(summary)}"
    yield f"TRIGGER:-{_duration(int(warn_before))}"
    yield "END:VALARM"
    yield "END:VEVENT"


def _description(one: Aged) -> str:
    changed = datetime.fromtimestamp(one.age.since, UTC).date()
    said = [f"The value has been the same since {changed}."]
    if not one.age.is_certain:
        said[0] = f"The value has been the same since {changed} or longer."
    if one.rule is not None:
        said.append(f"Owners: {', '.join(one.rule.owners)}")
    if one.contacts:
        said.append(f"Contact: {', '.join(one.contacts)}")
    return "\n".join(
        [*said, f"Change it at its source, then: flux-secret store edit {quote(one.name)}"]
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _duration(seconds: int) -> str:
    """Write a DURATION (§3.3.6)."""
    days, rest = divmod(seconds, DAY)
    return f"P{days}D" + (f"T{rest}S" if rest else "")


def _text(text: str) -> str:
    """Escape a TEXT (§3.3.11); control characters, which it may not hold, are left out."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    kept = (one for one in escaped.replace("\n", "\\n") if one.isprintable())
    return "".join(kept).encode(errors="replace").decode()


def _folded(line: str) -> str:
    """Fold after 75 octets, never inside a character (§3.1)."""
    pieces, piece, size = [], "", 0
    for char in line:
        width = len(char.encode())
        if size + width > _OCTETS:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + char, size + width
    return "\r\n".join([*pieces, piece])
