"""`flux-secret store`: what an administrator does with secrets, one file a command."""

from __future__ import annotations

from typing import Final

import click

from flux_secret.cli.lazy import LazyGroup

_COMMANDS: Final = (
    "accept-rewind", "check", "clone", "cp", "edit", "generate", "grep", "history", "init",
    "insert", "ls", "mv", "otp", "rm", "show", "sync",
)  # fmt: skip


@click.group(cls=LazyGroup, names=_COMMANDS, package="flux_secret.cli.store")
def store() -> None:
    """Read and change secrets in the gopass and pass stores that you have."""
