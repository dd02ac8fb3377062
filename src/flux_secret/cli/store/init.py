"""`flux-secret store init`: a new store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from flux_secret.cli import voice
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import founder


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]…")
@click.option(
    "--crypto",
    type=click.Choice(["gpg", "age"]),
    default="gpg",
    show_default=True,
    help="What entries are encrypted with.",
)
@click.option("--mount", default="", metavar="NAME", help="Mount it there. Default: the root.")
@click.option("--path", type=click.Path(path_type=Path), metavar="DIRECTORY",
              help="Where it lies. Default: where gopass puts it.")  # fmt: skip
def init(keys: tuple[str, ...], crypto: str, mount: str, path: Path | None) -> None:
    """Make a store that these keys can read; without any, your only key.

    With --crypto=age a key is age1…, or a quoted line of ssh-ed25519 or ssh-rsa.
    """
    settings = PersonSettings.load()
    place = settings.place(mount, path)
    made = asyncio.run(founder(settings).found(place, keys, age=crypto == "age"))
    settings.register(mount, place)
    voice.say(f"{mount or 'root store'}: made in {made.root}, for {', '.join(made.recipients)}")
