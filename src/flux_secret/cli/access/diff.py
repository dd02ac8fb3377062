"""`flux-secret access diff`: who gains and who loses by a change of a store."""

from __future__ import annotations

import asyncio

import click

from flux_secret.access.markdown import markdown
from flux_secret.cli import voice
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.comparing import compared


@click.command()
@click.argument("revisions", metavar="REV..REV")
@click.option("--store", metavar="NAME",
              help="A store that is mounted. Default: the clone that one is in.")  # fmt: skip
@click.pass_context
def diff(context: click.Context, revisions: str, store: str | None) -> None:
    """Write who gains and who loses between two commits of a store, as Markdown.

    REV...REV compares with where the second left the first, as a pull request does. Ends with 1
    when somebody gains, or when that cannot be told. Needs git and a clone; no key and no gpg.
    """
    found, title = asyncio.run(compared(revisions, store, PersonSettings.load()))
    voice.say(markdown(found, title))
    context.exit(1 if found.needs_a_look else 0)
