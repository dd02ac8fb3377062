"""`flux-secret audit`: what the record says, and whether it is whole, one file a command."""

from __future__ import annotations

from typing import Final

import click

from flux_secret.cli.lazy import LazyGroup

_COMMANDS: Final = ("export", "log", "verify")


@click.group(cls=LazyGroup, names=_COMMANDS, package="flux_secret.cli.audit")
def audit() -> None:
    """Read the record: who read, delivered and changed which secrets, and when."""
