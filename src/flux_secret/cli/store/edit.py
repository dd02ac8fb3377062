"""`flux-secret store edit`: a secret in the person's own editor."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.editor import edit as edit_text
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.editing import Edited, save
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
@click.pass_context
def edit(context: click.Context, entry: str) -> None:
    """Edit an entry's whole text, or write a new one, in $EDITOR; it lies in memory only."""
    context.exit(asyncio.run(_edit(SecretPath.parse(entry))))


async def _edit(path: SecretPath) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, name = mounts.find(path)
        await store.refuse_unwritable(name)  # before the person has written anything
        is_new = name not in store.tree().names
        before = Plaintext(b"") if is_new else await store.read(name)
        after = edit_text(before, name, settings.editor, settings.editor_env)
        if after == before or (is_new and after.is_empty):
            voice.say(f"{path} not changed")
            return 0
        saved, where = await save(store, name, None if is_new else before, after)
        if saved is Edited.BESIDE:
            voice.warn(
                f"{path} was changed by somebody else meanwhile; what you wrote is in "
                f"{store.full(where)}: compare the two, then remove one"
            )
        else:
            voice.say(f"{path} {'created' if is_new else 'changed'}")
        await share(store, settings)
        return 1 if saved is Edited.BESIDE else 0
