"""`flux-secret age`: since when each value is what it is, and which have to be changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.aging.calendar import calendar
from flux_secret.cli.aging.exposition import exposition
from flux_secret.cli.aging.rows import data, in_order, lines
from flux_secret.cli.asking_options import say_data
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.terminal import counting
from flux_secret.errors import ConfigurationError, EntryNotFoundError
from flux_secret.model.due import Standing
from flux_secret.model.owners import OWNERS_FILE, parse_age
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.aging import Aged, Aging, Wanted, aging
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted, remembering

_FORMATS: Final = ("table", "wide", "json", "yaml", "ical", "prometheus")
_SHOWN: Final = frozenset({Standing.OVERDUE, Standing.UNKNOWN, Standing.SOON})


@dataclass(frozen=True, slots=True)
class _Asked:
    places: tuple[str, ...]
    wanted: Wanted
    only_due: bool
    output: str
    is_only: bool = False
    """Whether there is one store only."""


@click.command()
@click.argument("entries", nargs=-1, metavar="[ENTRY]...")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="table", show_default=True,
              help="How it is written.")  # fmt: skip
@click.option("--ical", is_flag=True, help="A calendar of the deadlines: the same as -o ical.")
@click.option("--due", is_flag=True,
              help="Only what is due, or soon; end with 1 when something is overdue.")  # fmt: skip
@click.option("--warn-before", metavar="TIME", default="14d", show_default=True,
              help="How long ahead a deadline is warned of: 14d, 2w, 36h.")  # fmt: skip
@click.pass_context
def age(context: click.Context, /, entries: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Say since when each value is what it is: the value, not its file.

    ENTRY is an entry, a folder or a store; all stores when none is named. Deadlines are those of
    rotateEvery in the store's owners file.
    """
    wanted = Wanted(int(time.time()), parse_age(given["warn_before"]))
    output = "ical" if given["ical"] else given["output"]
    asked = _Asked(entries, wanted, only_due=given["due"], output=output)
    context.exit(asyncio.run(_age(asked)))


async def _age(asked: _Asked) -> int:
    settings = PersonSettings.load()
    found: list[Aged] = []
    scans: list[tuple[str, Aging]] = []
    async with mounted(settings, on_record()) as mounts:
        asked = replace(asked, is_only=len(mounts.stores) == 1)
        for store, paths in _places(mounts, asked.places):
            scan = await _scan(settings, store, asked)
            if scan is not None:
                scans.append((store.place(""), scan))
                found += _meant(store, scan, paths)
    shown = in_order([one for one in found if not asked.only_due or one.due.standing in _SHOWN])
    _say(shown, scans, asked)
    return int(asked.only_due and any(one.due.standing.is_due for one in shown))


def _places(mounts: Mounts, texts: Sequence[str]) -> list[tuple[WorkingStore, list[str]]]:
    """Give the stores that are meant, and what of each: folders or entries, "" for all of it."""
    if not mounts.stores:
        raise ConfigurationError(
            "you have no store",
            remedy="make one: flux-secret store init, or flux-secret store clone URL MOUNT",
        )
    places: dict[str, list[str]] = {}
    named: Sequence[str | None] = texts or [None]
    for text in named:
        for store, path in mounts.below(text):
            places.setdefault(store.name, []).append(path)
    return [(mounts.stores[name], paths) for name, paths in places.items()]


def _meant(store: WorkingStore, scan: Aging, paths: Sequence[str]) -> list[Aged]:
    """Give the entries that are named, or lie below a folder that is; raise for one that is not."""
    meant: dict[str, Aged] = {}
    for path in paths:
        below = {
            one.name: one for one in scan.entries
            if not path or one.age.entry == path or one.age.entry.startswith(f"{path}/")
        }  # fmt: skip
        if path and not below:
            raise EntryNotFoundError(
                f"there is no entry {store.full(path)}, and no folder, in the last commit",
                remedy=f"look what there is: flux-secret store ls {store.name}".strip(),
            )
        meant |= below
    return list(meant.values())


async def _scan(settings: PersonSettings, store: WorkingStore, asked: _Asked) -> Aging | None:
    """Look through one store; one that nobody named is only warned of when it cannot be."""
    memory = remembering(settings, store)
    try:
        with counting("decrypting") as watch:
            found = await aging(store, asked.wanted, memory, watch)
    except ConfigurationError as failure:
        if asked.places or asked.is_only:
            raise
        voice.warn(f"{failure.what} ({failure.remedy})")
        return None
    if memory.problem:
        voice.warn(f"nothing is remembered for the next time: {memory.problem}")
    return found


def _say(shown: Sequence[Aged], scans: Sequence[tuple[str, Aging]], asked: _Asked) -> None:
    now, warn_before = asked.wanted.now, asked.wanted.warn_before
    if asked.output in {"json", "yaml"}:
        say_data(data(shown, scans), asked.output)
    elif asked.output == "prometheus":
        click.echo(exposition(shown, now), nl=False)
    elif asked.output == "ical":
        if not any(one.due.deadline is not None for one in shown):
            raise ConfigurationError(
                "none of these entries has a deadline, and a calendar is never empty",
                remedy=f"say rotateEvery: 90d for them in {OWNERS_FILE} of the store",
            )
        click.echo(calendar(shown, now, warn_before), nl=False)
    else:
        _say_table(shown, now, asked)


def _say_table(shown: Sequence[Aged], now: int, asked: _Asked) -> None:
    wide = asked.output == "wide"
    for line in lines(shown, now, wide=wide) if shown else ():
        voice.say(line)
    counts = {which: sum(one.due.standing is which for one in shown) for which in Standing}
    said = [f"{counts[which]} {which.value}" for which in Standing if counts[which]]
    if said:
        voice.note(f"{voice.counted(len(shown), 'entry', 'entries')}: {', '.join(said)}")
    else:
        voice.note("nothing is due" if asked.only_due else "there are no entries")
    if any(one.due.standing.is_due for one in shown):
        voice.note("change a value at its source, then: flux-secret store edit ENTRY")
    doubtful = sum(not one.age.is_certain for one in shown)
    if doubtful and not wide:
        voice.note(f"of {voice.counted(doubtful, 'value')} not every version could be compared, "
                   "which ≥ marks: -o wide says why")  # fmt: skip
