"""`flux-secret recipients remove`: let people read a store, or a folder of it, no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import click

from flux_secret.cli import voice
from flux_secret.cli.recipients.confirming import Given, ask, carry_out, change_options
from flux_secret.cli.recipients.known import known_json, tell
from flux_secret.cli.recipients.ls import reader_json
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.errors import UsageError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Reader
from flux_secret.store.working.exposure import Unchanged
from flux_secret.store.working.hindsight import still_known
from flux_secret.store.working.membership import Membership, inherit, listed, still_named
from flux_secret.store.working.membership import remove as leave
from flux_secret.store.working.store import Draft, WorkingStore
from flux_secret.wiring.stores import mounted, remembering


@dataclass(frozen=True, slots=True)
class _Who:
    ids: tuple[str, ...]
    everywhere: bool
    inherits: bool


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--everywhere", is_flag=True, help="Also from the folders below that name them.")
@click.option("--inherit", is_flag=True,
              help="The folder's own recipients go away: those above it count.")  # fmt: skip
@click.option("--myself", is_flag=True, help="Also if you cannot read it any more then.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON: what was done, and all values.")
@change_options
def remove(ids: tuple[str, ...], given: Given, *, everywhere: bool, inherit: bool) -> int:
    """Let people read what is written from now on no more.

    What they could read they may have kept, and old revisions stay readable to them: the values
    that are still the same are listed, to be changed at their source.
    """
    if bool(ids) == inherit:
        raise UsageError(
            "nobody is named" if not ids else "--inherit names nobody",
            remedy="name a recipient as `flux-secret recipients ls` shows them, or --inherit",
        )
    return asyncio.run(_remove(_Who(ids, everywhere, inherit), given))


async def _remove(who: _Who, given: Given) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, folder = mounts.at(given.folder)
        async with store.changing() as draft:
            changes, leaving = await _changes(draft, folder, who)
            known = await still_known(store, tuple(leaving.values()), remembering(settings, store))
            if not given.as_json:
                tell(store, known)
            if not ask(store, changes, given):
                if given.as_json:
                    voice.say(_json(store, changes, known, committed=False))
                return given.undone
            subject = f"Remove {', '.join(sorted(leaving))} from the recipients of "
            subject += ", ".join(change.folder or "the store" for change in changes)
            if who.inherits:
                subject = f"Let {folder} have the recipients above it"
            code = await carry_out(draft, changes, subject, given)
            elsewhere = await still_named(draft, leaving.values())
        if elsewhere:
            places = ", ".join(map(store.place, elsewhere))
            voice.warn(f"still a recipient of {places}: --everywhere")
        if given.as_json:
            voice.say(_json(store, changes, known, committed=True))
        await share(store, settings)
    return code


def _json(
    store: WorkingStore,
    changes: Sequence[Membership],
    known: Sequence[Unchanged],
    *,
    committed: bool,
) -> str:
    told = {
        "store": store.name,
        "committed": committed,
        "changes": [
            {
                "folder": one.folder, "removed": [reader_json(reader) for reader in one.leaving],
                "entries": list(one.entries), "encrypted_anew": [look.name for look in one.due],
            }
            for one in changes
        ],
        "unchanged": known_json(store, known),
    }  # fmt: skip
    return json.dumps(told, indent=1)


async def _changes(
    draft: Draft, folder: str, who: _Who
) -> tuple[list[Membership], dict[str, Reader]]:
    """Draft all of it; give each change, and who leaves by their ids."""
    if who.inherits:
        change = await inherit(draft, folder)
        return [change], {one.id: one for one in change.leaving}
    leaving = {one.id: one for text in who.ids for one in [await listed(draft, folder, text)]}
    changes = [await leave(draft, folder, tuple(leaving.values()))]
    if who.everywhere:
        below = await still_named(draft, leaving.values(), folder)
        changes += [await leave(draft, other, named) for other, named in below.items()]
    return changes, leaving
