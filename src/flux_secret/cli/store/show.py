"""`flux-secret store show`: one secret, for a person or for a pipe."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.terminal import print_value, shows_to_a_person
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup, Part
from flux_secret.settings.person import PersonSettings
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.working.revision import tree_at
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
@click.argument("key", required=False)
@click.option("-o", "--password", is_flag=True, help="Only the first line, without a line break.")
@click.option("-r", "--revision", metavar="COMMIT",
              help="Show it as it was then: a commit's id, or HEAD~2.")  # fmt: skip
@click.option("--reveal", is_flag=True, help="Show it on a terminal too.")
def show(
    entry: str, key: str | None, *, password: bool, revision: str | None, reveal: bool
) -> None:
    """Show an entry, its first line, or the value of one key."""
    path = SecretPath.parse(entry)
    if key is not None:
        lookup = Lookup(path, Part.KEY, key)
    else:
        lookup = Lookup(path, Part.PASSWORD if password else Part.WHOLE)
    value = asyncio.run(_show(lookup, revision))
    if shows_to_a_person() and not reveal:
        voice.say("***  (--reveal shows it; a pipe gets it as it is)")
    else:
        print_value(value, newline=shows_to_a_person())


async def _show(lookup: Lookup, revision: str | None) -> Plaintext:
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        store, name = mounts.find(lookup.path)
        tree = await tree_at(store, revision) if revision else None
        document = SecretDocument.parse((await store.read(name, tree)).reveal())
        return Plaintext(document.part(lookup))
