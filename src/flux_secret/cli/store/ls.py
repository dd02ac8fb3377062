"""`flux-secret store ls`: which entries there are."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("folder", default="")
@click.option("--flat", is_flag=True, help="Write one whole name a line.")
def ls(folder: str, *, flat: bool) -> None:
    """List the entries of every store, or of a folder."""
    asyncio.run(_ls(folder.strip("/"), flat=flat))


async def _ls(folder: str, *, flat: bool) -> None:
    del flat
    async with mounted(PersonSettings.load()) as mounts:
        for store in mounts.stores.values():
            for name in map(store.full, store.tree().names):
                if not folder or name == folder or name.startswith(f"{folder}/"):
                    voice.say(name)
