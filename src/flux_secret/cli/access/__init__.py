"""`flux-secret access`: who can come to which secrets, and why, one file a command."""

from __future__ import annotations

from typing import Final

import click

from flux_secret.cli.lazy import LazyGroup

_COMMANDS: Final = ("diff", "graph", "what", "who")


@click.group(cls=LazyGroup, names=_COMMANDS, package="flux_secret.cli.access")
def access() -> None:
    """Say who can come to which secrets, and why; nothing is decrypted."""
