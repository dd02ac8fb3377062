"""`flux-secret deliver`: once, from here, with the credentials at hand."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.recorded import persons_record
from flux_secret.cli.sync_options import deliver_marker_options
from flux_secret.settings import Settings
from flux_secret.wiring.agent import connect


@click.command()
@delivery_options
@deliver_marker_options
@click.pass_context
def deliver(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Deliver applications with their secrets once, and print what changed."""
    settings = Settings.load(flags(given))
    done = asyncio.run(_deliver(settings, context))
    context.exit(done)


async def _deliver(settings: Settings, context: click.Context) -> int:
    async with persons_record(context) as recorder, connect(settings, recorder=recorder) as agent:
        done = await agent.round()
    voice.report_round(done)
    return done.exit_code
