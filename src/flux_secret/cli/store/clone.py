"""`flux-secret store clone`: a store that others have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from flux_secret.cli import voice
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.stores import founder


@click.command()
@click.argument("url")
@click.argument("mount", default="")
@click.option("--path", type=click.Path(path_type=Path), metavar="DIRECTORY",
              help="Where it lies. Default: where gopass puts it.")  # fmt: skip
def clone(url: str, mount: str, path: Path | None) -> None:
    """Get a store from its host, and mount it; without a name, as the root store."""
    settings = PersonSettings.load()
    place = settings.place(mount, path)
    joined = asyncio.run(founder(settings).join(url, place))
    settings.register(mount, place)
    voice.say(f"{mount or 'root store'}: cloned to {joined.root}")
    if not joined.readable:
        voice.warn(
            f"none of your keys can read it; ask one of {', '.join(joined.recipients)} to run: "
            "flux-secret recipients add YOUR-KEY"
        )
