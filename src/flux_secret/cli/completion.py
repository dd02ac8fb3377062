"""`flux-secret completion`: what a shell needs to complete our commands and options."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from flux_secret.cli import voice
from flux_secret.errors import BugError

VARIABLE: Final = "_FLUX_SECRET_COMPLETE"
"""With it in the environment, as the script sets it, the program says what could come next."""
SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and options; no shell is asked for its version."""
    known = get_completion_class(shell)
    if known is None:
        raise BugError(f"click completes nothing for {shell}")
    made = known(context.find_root().command, {}, "flux-secret", VARIABLE)
    voice.say((made.source_template % made.source_vars()).strip())
