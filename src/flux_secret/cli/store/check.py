"""`flux-secret store check`: what is wrong with a store, before it costs somebody a secret."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli.store.checking import Checking, check_stores


@click.command()
@click.argument("store", required=False)
@click.option(
    "--decrypt", "decrypts", is_flag=True, help="Decrypt every entry, to see that it can."
)
@click.option("--fix", "fixes", is_flag=True, help="Repair what can be repaired without loss.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def check(
    context: click.Context, store: str | None, *, decrypts: bool, fixes: bool, as_json: bool
) -> None:
    """Look for what is wrong in a store; end with 1 when something is.

    STORE is a mount's name; every store when it is left out.
    """
    checking = Checking(store, decrypts=decrypts, fixes=fixes, as_json=as_json)
    context.exit(asyncio.run(check_stores(checking)))
