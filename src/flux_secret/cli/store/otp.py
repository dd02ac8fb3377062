"""`flux-secret store otp`: the one-time password of an entry."""

from __future__ import annotations

import asyncio
import time

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import print_value, shows_to_a_person
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.settings.person import PersonSettings
from flux_secret.store.format.otp import otp as one_time
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
def otp(entry: str) -> None:
    """Write the one-time password; a counter is raised and committed before it is shown."""
    asyncio.run(_otp(SecretPath.parse(entry)))


async def _otp(path: SecretPath) -> None:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, name = mounts.find(path)
        made = one_time((await store.read(name)).reveal(), time.time())
        if made.text is not None:  # a counter: read again under the lock, and raised there
            made_token = await _raised(store, name)
            await share(store, settings)
        else:
            made_token = Plaintext(made.token)
    print_value(made_token, newline=True)
    if made.seconds_left is not None and shows_to_a_person():
        voice.warn(f"valid for {made.seconds_left} s")


async def _raised(store: WorkingStore, name: str) -> Plaintext:
    async with store.changing() as draft:
        made = one_time((await draft.read(name)).reveal(), time.time())
        if made.text is not None:
            draft.put(name, Plaintext(made.text))
            await draft.commit(f"Raise the counter of {name}")
    return Plaintext(made.token)
