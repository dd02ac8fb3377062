"""`flux-secret recipients add`: let people read a store, or a folder of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from flux_secret.cli import voice
from flux_secret.cli.recipients.confirming import Given, ask, carry_out, change_options
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.errors import UsageError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Crypto, Newcomer
from flux_secret.store.working.membership import add as join
from flux_secret.wiring.stores import mounted

MAX_KEY: Final = 1024 * 1024
"""Bytes of a key file; a key with many signatures has some 100 KiB."""


@dataclass(frozen=True, slots=True)
class _Who:
    ids: tuple[str, ...]
    keys: tuple[Path, ...]
    fingerprint: bool
    imports: bool


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--key", "keys", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
              help="Take the key from a file instead of the keyring; may be repeated.")  # fmt: skip
@click.option("--import", "imports", is_flag=True, help="Put such a key into your keyring too.")
@click.option("--fingerprint", is_flag=True, help="Write the whole fingerprint as the id.")
@change_options
def add(
    ids: tuple[str, ...], keys: tuple[Path, ...], given: Given, *, imports: bool, fingerprint: bool
) -> int:
    """Let people read what lies in a store or below a folder, from now on."""
    if not ids and not keys:
        raise UsageError("nobody is named", remedy="name a key by its id, or its file: --key FILE")
    return asyncio.run(_add(_Who(ids, keys, fingerprint, imports), given))


async def _add(who: _Who, given: Given) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, folder = mounts.at(given.folder)
        async with store.changing() as draft:
            newcomers = await _newcomers(store.crypto, who)
            change = await join(draft, folder, newcomers)
            if change is None:
                voice.say(f"all of them are recipients of {store.place(folder)} already")
                return 0
            if not ask(store, [change], given):
                return given.undone
            names = ", ".join(one.id for one in change.joining)
            subject = f"Add {names} to the recipients of {folder or 'the store'}"
            code = await carry_out(draft, [change], subject, given)
        for one in newcomers if who.imports else ():
            await store.crypto.import_key(one)
        await share(store, settings)
    return code


async def _newcomers(crypto: Crypto, who: _Who) -> list[Newcomer]:
    keys = [_read(file) for file in who.keys]
    if len(who.ids) == len(keys) == 1:
        found = [await crypto.newcomer(who.ids[0], keys[0])]
    else:
        found = [await crypto.newcomer(one, None) for one in who.ids]
        found += [await crypto.newcomer("", key) for key in keys]
    return [replace(one, id=one.fingerprint or one.id) if who.fingerprint else one for one in found]


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_KEY + 1)
    except OSError as error:
        raise UsageError(
            f"the key file {file} cannot be read: {error.strerror}", remedy="look with `ls -l`"
        ) from None
    if len(data) > MAX_KEY:
        raise UsageError(
            f"the key file {file} is larger than {MAX_KEY} bytes",
            remedy="export the one key: gpg --armor --export FINGERPRINT >FILE",
        )
    return data
