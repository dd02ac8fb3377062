"""`flux-secret recipients ls`: who can read what."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.model.openpgp import day
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Reader
from flux_secret.store.working.circles import Circle, circles
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("place", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def ls(place: str | None, *, as_json: bool) -> None:
    """List whom each recipients file names, and the entries that it counts for.

    PLACE is a store or a folder; every store when it is left out.
    """
    found = asyncio.run(_found(place))
    if as_json:
        voice.say(json.dumps([_json(store, circle) for store, circle in found], indent=1))
        return
    for store, circle in found:
        _show(store, circle)


async def _found(place: str | None) -> list[tuple[WorkingStore, Circle]]:
    found = []
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        for store, below in mounts.below(place):
            tree = store.tree()
            nearest = tree.nearest(below)
            found += [
                (store, one) for one in await circles(tree, store.crypto)
                if one.file == nearest or not below or f"{one.folder}/".startswith(f"{below}/")
            ]  # fmt: skip
    return found


def _show(store: WorkingStore, circle: Circle) -> None:
    count = len(circle.entries)
    voice.say(f"{store.place(circle.folder)}: {count} entr{'y' if count == 1 else 'ies'}")
    for one in circle.readers:
        voice.say(f"  {line(one)}")
    if circle.problem:
        voice.warn(circle.problem)


def line(one: Reader) -> str:
    """Write one recipient as people read it."""
    words = [one.id] if one.id in one.name else [one.id, one.name]
    words = [one.name] if one.name.startswith(one.id) else words
    notes = [
        "you" if one.is_self else "",
        f"until {day(one.expires)}" if one.expires and not one.problem else "",
        one.problem.upper() if one.problem else "",
    ]
    said = ", ".join(note for note in notes if note)
    return " ".join(words) + (f" ({said})" if said else "")


def _json(store: WorkingStore, circle: Circle) -> dict[str, Any]:
    return {
        "store": store.name,
        "folder": circle.folder,
        "file": circle.file,
        "entries": list(circle.entries),
        "problem": circle.problem,
        "recipients": [reader_json(one) for one in circle.readers],
    }


def reader_json(one: Reader) -> dict[str, Any]:
    """Give one recipient for programs."""
    return {
        "id": one.id,
        "name": one.name,
        "fingerprint": one.fingerprint,
        "key_ids": sorted(one.marks),
        "expires": one.expires,
        "problem": one.problem,
        "is_you": one.is_self,
    }
