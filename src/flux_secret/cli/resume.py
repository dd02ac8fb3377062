"""`flux-secret resume`: deliver Apps again."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.cli.asking_options import cluster_options
from flux_secret.cli.suspending import change


@click.command()
@click.argument("apps", nargs=-1)
@click.option("--all", "all_apps", is_flag=True, help="Every App of the namespace; of all with -A.")
@cluster_options
def resume(apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Deliver suspended Apps again, at once."""
    change(apps, given, suspended=False)
