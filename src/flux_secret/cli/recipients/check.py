"""`flux-secret recipients check`: whether everybody can read what they should, and nobody else."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli.store.checking import Checking, check_stores
from flux_secret.store.working.findings import ABOUT_RECIPIENTS


@click.command()
@click.argument("store", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def check(context: click.Context, store: str | None, *, as_json: bool) -> None:
    """Look only for what concerns recipients and their keys; end with 1 when something is wrong.

    STORE is a mount's name; every store when it is left out.
    """
    checking = Checking(store, as_json=as_json, kinds=ABOUT_RECIPIENTS)
    context.exit(asyncio.run(check_stores(checking)))
