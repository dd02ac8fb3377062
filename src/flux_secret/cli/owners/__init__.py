"""`flux-secret owners`: who answers for which secrets, one file a command."""

from __future__ import annotations

from typing import Final

import click

from flux_secret.cli.lazy import LazyGroup

_COMMANDS: Final = ("approve", "check", "edit", "ls")


@click.group(cls=LazyGroup, names=_COMMANDS, package="flux_secret.cli.owners")
def owners() -> None:
    """Say who answers for which secrets, and let them agree to changes."""
