"""`flux-secret audit log`: what happened, the newest last."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import click

from flux_secret.audit.line import Record
from flux_secret.audit.selecting import Found, shown_details
from flux_secret.cli import voice
from flux_secret.cli.audit.asked import place_options, places_of, selection_of, selection_options
from flux_secret.cli.tables import table

_HEAD: Final = ("TIME", "KIND", "ABOUT", "WRITER", "DETAILS")
_OF_CHAINS: Final = frozenset({"segment", "signature", "anchor"})


@click.command()
@place_options
@selection_options
@click.option("--all", "everything", is_flag=True,
              help="Also what the record says of itself: signatures, anchors, files.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True,
              metavar="NUMBER", help="Only the newest; 0 is all.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
def log(*, limit: int, output: str, everything: bool, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show what happened to secrets: reads, deliveries, changes; nothing is verified."""
    found = Found(places_of(given), selection_of(given))
    hidden = frozenset() if everything or given["kinds"] else _OF_CHAINS
    records: deque[Record] = deque(maxlen=limit or None)
    count = 0
    for record, _ in found:
        if record.kind not in hidden:
            records.append(record)
            count += 1
    if output == "json":
        shown = [_tree(record) for record in records]
        click.echo(json.dumps({"records": shown}, indent=2, ensure_ascii=False))
    else:
        _say(records)
    if count > len(records):
        voice.note(f"the newest {len(records)} of {count}; all of them: --limit 0")
    if found.unreadable:
        voice.warn(f"{voice.counted(found.unreadable, 'line')} cannot be read: "
                   "flux-secret audit verify says which")  # fmt: skip


def _say(records: Sequence[Record] | deque[Record]) -> None:
    if not records:
        voice.note("nothing on the record is like that")
        return
    rows = [
        (one.time, one.kind, _flat(one.about), f"{one.writer}:{one.seq}", _flat(shown_details(one)))
        for one in records
    ]
    for line in table(_HEAD, rows):
        voice.say(line)


def _tree(record: Record) -> dict[str, object]:
    return {**record._asdict(), "details": dict(record.details)}


def _flat(text: str) -> str:
    return " ".join(text.split())
