"""`flux-secret recipients`: who can read which secrets, one file a command."""

from __future__ import annotations

from typing import Final

import click

from flux_secret.cli.lazy import LazyGroup

_COMMANDS: Final = ("add", "check", "ls", "remove", "update")


@click.group(cls=LazyGroup, names=_COMMANDS, package="flux_secret.cli.recipients")
def recipients() -> None:
    """Say who can read what, and change it: one commit with everything that goes with it."""
