"""`flux-secret store mv`: entries under another name, for those who are to read them there."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli.store.moved import carry


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
def mv(source: str, target: str, *, force: bool) -> None:
    """Move an entry or a folder; it is encrypted anew where other people are to read it."""
    asyncio.run(carry(source, target, force=force, keeps=False))
