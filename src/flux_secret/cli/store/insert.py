"""`flux-secret store insert`: a secret, or one key of it, from standard input or a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import given_value, is_asked
from flux_secret.errors import UsageError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.settings.person import PersonSettings
from flux_secret.store.format import edit
from flux_secret.wiring.stores import mounted

MAX_VALUE: Final = 8 * 1024 * 1024
"""Bytes; what the agent reads at most."""


@dataclass(frozen=True, slots=True)
class Inserting:
    """What is to become of an entry."""

    path: SecretPath
    key: str = ""
    """The key whose value is read; empty for the password or the whole text."""
    pairs: Sequence[tuple[str, str]] = ()
    """Keys whose values stand on the command line."""
    append: bool = False
    force: bool = False

    @property
    def replaces(self) -> bool:
        """Whether something that is there may get lost."""
        return not (self.key or self.pairs or self.append)


@click.command()
@click.argument("entry")
@click.argument("fields", nargs=-1, metavar="[KEY | KEY=VALUE…]")
@click.option("-a", "--append", is_flag=True, help="Add lines to what is there.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
def insert(entry: str, fields: tuple[str, ...], *, append: bool, force: bool) -> None:
    """Set an entry's text, or some keys of it; what else it holds keeps every byte.

    A secret value comes from standard input or a prompt. What stands on the command line can be
    seen by others on this machine, so KEY=VALUE is for what is no secret.
    """
    path = SecretPath.parse(entry)
    keys = [field for field in fields if "=" not in field]
    pairs = [(key, value) for key, _, value in (one.partition("=") for one in fields if "=" in one)]
    if len(keys) > 1 or (keys and append):
        raise UsageError(
            "one value can be read, and you named several places for it",
            remedy="name one key, and KEY=VALUE for what is no secret",
        )
    inserting = Inserting(path, "".join(keys), pairs, append=append, force=force)
    value = None if pairs and not keys else given_value(_asked(inserting), limit=MAX_VALUE)
    asyncio.run(_insert(inserting, value))


def _asked(inserting: Inserting) -> str:
    return f"{inserting.key} of {inserting.path}" if inserting.key else f"value of {inserting.path}"


async def _insert(inserting: Inserting, value: Plaintext | None) -> None:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, name = mounts.find(inserting.path)
        async with store.changing() as draft:
            is_new = name not in draft.names
            if not is_new and inserting.replaces and not inserting.force:
                raise UsageError(
                    f"there is an entry {inserting.path} already", remedy="overwrite it: --force"
                )
            before = b"" if is_new else (await draft.read(name)).reveal()
            draft.put(name, Plaintext(_text(inserting, before, value)))
            await draft.commit(f"{_verb(inserting, is_new=is_new)} {name}")
        voice.say(f"{inserting.path} {'created' if is_new else 'changed'}")
        await share(store, settings)


def _text(inserting: Inserting, before: bytes, value: Plaintext | None) -> bytes:
    """Give the whole text after the change."""
    text = before
    if value is not None:
        given = value.reveal()
        if inserting.key:
            text = edit.set_key(text, inserting.key, given.removesuffix(b"\n"))
        elif inserting.append:
            text = edit.append(text, given)
        elif is_asked():  # a person typed a password: what else the entry holds stays, as in gopass
            text = edit.set_password(text, given)
        else:
            text = given
    for key, plain in inserting.pairs:
        text = edit.set_key(text, key, plain.encode())
    return text


def _verb(inserting: Inserting, *, is_new: bool) -> str:
    if is_new:
        return "Insert"
    names = ", ".join([*filter(None, [inserting.key]), *(key for key, _ in inserting.pairs)])
    return f"Set {names} of" if names else "Append to" if inserting.append else "Overwrite"
