"""`flux-secret store rm`: an entry, or a folder with all in it, taken away."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import agreed
from flux_secret.errors import EntryNotFoundError, UsageError
from flux_secret.model.names import SecretPath
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
@click.option("-r", "--recursive", is_flag=True, help="Take a folder away with all in it.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(entry: str, *, recursive: bool, force: bool) -> None:
    """Take an entry away; git's history keeps what it was."""
    asyncio.run(_rm(SecretPath.parse(entry), recursive=recursive, force=force))


async def _rm(path: SecretPath, *, recursive: bool, force: bool) -> None:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, name = mounts.find(path)
        async with store.changing() as draft:
            gone = [name] if name in draft.names else []
            inside = [one for one in draft.names if one.startswith(f"{name}/")]
            if not gone and not inside:
                raise EntryNotFoundError(
                    f"there is no entry {path}", remedy="look what there is: flux-secret store ls"
                )
            if recursive:
                gone += inside
            elif not gone:
                raise UsageError(f"{path} is a folder", remedy="with all in it: --recursive")
            if not force and not agreed(f"remove {', '.join(map(store.full, gone))}?"):
                return
            for one in gone:
                draft.remove(one)
            await draft.commit(f"Remove {name}")
        for one in gone:
            voice.say(f"{store.full(one)} removed")
        await share(store, settings)
