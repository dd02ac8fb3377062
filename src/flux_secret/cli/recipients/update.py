"""`flux-secret recipients update`: the recipients' keys in the store, brought up to date."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Newcomer
from flux_secret.store.working.circles import circles
from flux_secret.store.working.exports import Kept, kept
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("store", required=False)
@click.option("--import", "imports", is_flag=True,
              help="Take newer keys of the store into your keyring.")  # fmt: skip
def update(store: str | None, *, imports: bool) -> None:
    """Put the recipients' keys from your keyring into the store, where they are newer.

    STORE is a mount's name; every store when it is left out.
    """
    asyncio.run(_update(store, imports=imports))


async def _update(place: str | None, *, imports: bool) -> None:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        for store, _ in mounts.below(place):
            async with store.changing() as draft:
                listed = await circles(draft.before, store.crypto)
                readers = (reader for circle in listed for reader in circle.readers)
                found = await kept(draft.before, store.crypto, readers)
                for one in found:
                    if one.update is not None:
                        draft.put_file(one.path, one.update)
                updated = [one for one in found if one.update is not None]
                if updated:
                    names = ", ".join(one.reader.id for one in updated)
                    await draft.commit(f"Update the exported keys of {names}")
            for one in updated:
                voice.say(f"{store.place(one.path)}: {one.reader.name}")
            await _renew(store, found, imports=imports)
            if updated:
                await share(store, settings)


async def _renew(store: WorkingStore, found: list[Kept], *, imports: bool) -> None:
    for one in found:
        if one.renewal is None:
            continue
        if imports:
            await store.crypto.import_key(Newcomer(one.reader.id, one.renewal))
            voice.say(f"imported {one.reader.name} from {store.place(one.path)}")
        else:
            voice.warn(f"{store.place(one.path)} is newer than in your keyring: --import takes it")
