"""`flux-secret resume`: deliver Apps again."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.cli.suspending import change, suspending_options


@click.command()
@suspending_options
def resume(apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Deliver suspended Apps again, at once."""
    change(apps, given, suspended=False)
