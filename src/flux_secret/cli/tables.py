"""Rows → columns, as kubectl writes them: three blanks between, the last one as long as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flux_secret.cli.voice import inline

_GAP: Final = "   "
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_FULL: Final = 2
"""Of a unit as many as this are needed before the next smaller one is left out."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """Give the lines, one a row whatever the cells say; the first is the head."""
    lines = [head, *([inline(cell) for cell in row] for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def ago(since: datetime | None, now: datetime) -> str:
    """Write how long ago, as kubectl's AGE: `45s`, `3m10s`, `2h`, `12d`."""
    if since is None:
        return ""
    left = max(0, int((now - since).total_seconds()))
    for at, (size, unit) in enumerate(_UNITS):
        count, rest = divmod(left, size)
        if count:
            below = _UNITS[at + 1] if at + 1 < len(_UNITS) else None
            more = rest // below[0] if below and count < _FULL * 5 else 0
            return f"{count}{unit}{more}{below[1]}" if below and more else f"{count}{unit}"
    return "0s"
