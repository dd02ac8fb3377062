"""`flux-secret suspend`: leave Apps as they are."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.cli.suspending import change, suspending_options


@click.command()
@suspending_options
def suspend(apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Leave Apps as they are for now: nothing of them is written or removed."""
    change(apps, given, suspended=True)
