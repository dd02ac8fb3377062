"""`flux-secret sync`: ask the running agent, wait, and say how it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from flux_secret.api.client import ask_for_sync
from flux_secret.cli import voice
from flux_secret.model.duration import parse_duration
from flux_secret.settings.listening import read_token

DEFAULT_URL: Final = "http://127.0.0.1:3030"


@click.command()
@click.option("--url", default=DEFAULT_URL, show_default=True, metavar="URL",
              help="Where the agent listens.")  # fmt: skip
@click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE",
              help="The agent's token, where it asks for one.")  # fmt: skip
@click.option("--timeout", default="5m", show_default=True, metavar="DURATION",
              help="How long to wait; the agent goes on all the same.")  # fmt: skip
@click.option(
    "--confirm",
    multiple=True,
    metavar="TOKEN",
    help="Let a held change through; the error that holds it back names the token.",
)
@click.pass_context
def sync(
    context: click.Context,
    /,
    url: str,
    token_file: Path | None,
    timeout: str,
    confirm: tuple[str, ...],
) -> None:
    """Make the running agent deliver everything anew, and wait for it."""
    token = read_token(token_file) if token_file else None
    done = asyncio.run(ask_for_sync(url, token, parse_duration(timeout), confirm))
    for target in done.targets:
        for change in target.changes:
            voice.say(change)
        for note in target.notes:
            voice.warn(f"{target.target}: {note}")
        at = f" at {target.revision}" if target.revision else ""
        voice.say(f"{target.target}: {'not delivered' if target.error else 'delivered'}{at}")
    if done.commit and done.head not in {"", done.commit}:
        voice.warn(
            f"{done.commit[:12]} was delivered and not {done.head[:12]}, which is not signed as "
            "it must be"
        )
    for line in done.error.splitlines():
        voice.warn(line)
    context.exit(done.exit_code)
