"""`flux-secret store insert`: set a secret from standard input or a prompt."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from flux_secret.cli import voice
from flux_secret.cli.store.terminal import given_value
from flux_secret.errors import UsageError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import mounted

MAX_VALUE: Final = 8 * 1024 * 1024
"""Bytes; what the agent reads at most."""


@click.command()
@click.argument("entry")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
def insert(entry: str, *, force: bool) -> None:
    """Set an entry's whole text."""
    path = SecretPath.parse(entry)
    asyncio.run(_insert(path, given_value(f"text of {path}", limit=MAX_VALUE), force=force))


async def _insert(path: SecretPath, text: Plaintext, *, force: bool) -> None:
    async with mounted(PersonSettings.load()) as mounts:
        store, name = mounts.find(path)
        async with store.changing() as draft:
            is_new = name not in draft.names
            if not is_new and not force:
                raise UsageError(
                    f"there is an entry {path} already", remedy="overwrite it: --force"
                )
            draft.put(name, text)
            await draft.commit(f"{'Insert' if is_new else 'Overwrite'} {name}")
    voice.say(f"{path} {'created' if is_new else 'changed'}")
