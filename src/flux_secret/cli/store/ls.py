"""`flux-secret store ls`: which entries there are."""

from __future__ import annotations

import asyncio
import json

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.drawing import tree
from flux_secret.errors import ConfigurationError, EntryNotFoundError
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("folder", default="")
@click.option("--flat", is_flag=True, help="Write one whole name a line.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list of whole names.")
def ls(folder: str, *, flat: bool, as_json: bool) -> None:
    """List the entries of every store, or of a folder; nothing is decrypted."""
    names, mounts = asyncio.run(_names(folder.strip("/")))
    if as_json:
        click.echo(json.dumps(names, indent=2))
    elif flat:
        for name in names:
            voice.say(voice.inline(name))
    else:
        below = f"{folder.strip('/')}/" if folder.strip("/") else ""
        shown = [name.removeprefix(below) for name in names]
        notes = [(name, place) for name, place in mounts.items() if name and not below]
        for line in tree(folder.strip("/") or mounts.get("", "stores"), shown, notes):
            voice.say(voice.inline(line))


async def _names(folder: str) -> tuple[list[str], dict[str, str]]:
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        stores = mounts.stores.values()
        if not stores:
            raise ConfigurationError(
                "you have no store",
                remedy="make one: flux-secret store init; or get one: flux-secret store clone URL",
            )
        every = [store.full(name) for store in stores for name in store.tree().names]
        names = sorted(
            name for name in every if f"{name}/".startswith(f"{folder}/" if folder else "")
        )
        if folder and not names:
            raise EntryNotFoundError(
                f"there is no entry and no folder {folder}",
                remedy="see all: flux-secret store ls",
            )
        return names, {name: str(store.folder.root) for name, store in mounts.stores.items()}
