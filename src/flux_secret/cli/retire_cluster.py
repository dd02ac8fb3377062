"""`flux-secret retire-cluster`: a cluster's key reads nothing any more, and what it could read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.operator.options import admin_option
from flux_secret.cli.operator.steps import STOPPED, Asking, operator_folder
from flux_secret.cli.operator.succeeding import expel, keys_of
from flux_secret.cli.recipients.known import known_json, tell
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.errors import ConfigurationError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.operator import GPG_PUBLIC, OperatorFolder
from flux_secret.store.working.succession import Operator, holds, known
from flux_secret.wiring.stores import mounted, remembering


@click.command("retire-cluster")
@click.argument("cluster")
@admin_option
@click.option("--keep-keys", is_flag=True, help="Leave the cluster's entries in your store.")
@click.option("--json", "as_json", is_flag=True, help="Write what it could read as JSON.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def retire_cluster(  # noqa: PLR0913 -- click's own options
    context: click.Context, /, cluster: str, admin: str, *, keep_keys: bool, as_json: bool,
    yes: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Take a cluster's key out of every store, and say what it could read until now.

    Whoever has the key may have kept what it could read: those values are to be changed at their
    source. Its entries in your own store are removed last.
    """
    readable: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        work = _retire(cluster, admin, Asking(yes, dry_run), readable, keeps=keep_keys)
        code = asyncio.run(work)
    if as_json:
        voice.say(json.dumps({"cluster": cluster, "unchanged": readable}, indent=1))
    context.exit(code)


async def _retire(
    cluster: str, admin: str, asking: Asking, readable: list[dict[str, Any]], *, keeps: bool
) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        folder = operator_folder(mounts, admin, cluster)
        operators = await _operators(folder)
        asking.ensure_answers()
        for store in mounts.stores.values():
            still = await known(store, operators, remembering(settings, store))
            tell(store, still)
            readable += known_json(store, still)
            named = await holds(store, operators)
            if named and not await expel(store, operators, None, asking, settings):
                return STOPPED
        if keeps:
            return 0
        present = folder.present()
        if not asking.agrees(f"remove {len(present)} entries in {folder.place}, the keys"):
            return 0 if asking.dry_run else STOPPED
        await folder.write(dict.fromkeys(present), f"Remove the keys of the cluster {cluster}")
        await share(folder.store, settings)
    return 0


async def _operators(folder: OperatorFolder) -> tuple[Operator, ...]:
    """Give the cluster's key, and the one before it while it is being replaced."""
    present = folder.present()
    names = [one for one in (GPG_PUBLIC, folder.previous(GPG_PUBLIC)) if one in present]
    if not names:
        raise ConfigurationError(
            f"{folder.place} has no {GPG_PUBLIC}, so nothing says which key to take out",
            remedy="look where it is: flux-secret store ls; or take a recipient out by hand: "
            "flux-secret recipients remove ID --everywhere",
        )
    keys = [await keys_of(folder, name) for name in names]
    return tuple(Operator(key) for some in keys for key in some)
