"""`flux-secret store history`: who changed an entry when, and what it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import click

from flux_secret.cli import voice
from flux_secret.cli.store.terminal import shown
from flux_secret.errors import ConfigurationError, EntryNotFoundError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.log import Change, changes_of
from flux_secret.settings.person import PersonSettings
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
@click.option("-p", "--password", is_flag=True, help="Show the first line that each had.")
@click.option("--reveal", is_flag=True, help="Show them on a terminal too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list, without values.")
def history(entry: str, *, password: bool, reveal: bool, as_json: bool) -> None:
    """List the commits that changed an entry, the newest first, across its renames."""
    asyncio.run(_history(SecretPath.parse(entry), password=password, reveal=reveal, json_=as_json))


async def _history(path: SecretPath, *, password: bool, reveal: bool, json_: bool) -> None:
    async with mounted(PersonSettings.load()) as mounts:
        store, name = mounts.find(path)
        if store.clone is None:
            raise ConfigurationError(
                f"{store.folder.root} has no git history",
                remedy=f"begin one: git -C {store.folder.root} init",
            )
        changes = await changes_of(store.clone, name + store.crypto.layout.extension)
        if not changes:
            raise EntryNotFoundError(
                f"git knows no entry {path}", remedy="look what there is: flux-secret store ls"
            )
        if json_:
            click.echo(json.dumps([change.facts() for change in changes], indent=2))
            return
        values = await _passwords(store, changes) if password else [None] * len(changes)
        for change, value in zip(changes, values, strict=True):
            tail = "" if value is None else f" - {shown(value, reveal=reveal)}"
            voice.say(f"{change.commit[:12]} - {change.author} - {change.when} - {change.subject}"
                      f"{tail}")  # fmt: skip


async def _passwords(store: WorkingStore, changes: Sequence[Change]) -> list[Plaintext | None]:
    """Decrypt what each commit made of the entry; None where it took it away or nobody can."""
    assert store.clone is not None  # noqa: S101 -- there are changes
    messages = [store.clone.file(change.commit, change.path) for change in changes]
    there = [message for message in messages if message is not None]
    texts = iter(await store.crypto.decrypt_all(there))
    answers = [None if message is None else next(texts) for message in messages]
    return [
        Plaintext(SecretDocument.parse(answer.reveal()).password)
        if isinstance(answer, Plaintext)
        else None
        for answer in answers
    ]
