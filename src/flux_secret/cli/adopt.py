"""`flux-secret adopt`: take over what a running Flux v1 delivered, or give it back."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.options import delivery_options, flags, go_bool
from flux_secret.model.adoption import Direction, Mode
from flux_secret.settings import Settings
from flux_secret.wiring.agent import connect


@click.command()
@delivery_options
@go_bool("--rollback", "Give the objects back, as Flux v1 would have left them.")
@go_bool("--yes", "Do it; without it, only say what would be done.")
@click.pass_context
def adopt(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Take over what a running Flux v1 delivered; no field of any object changes."""
    direction = Direction.FLUX_V1 if given["rollback"] else Direction.OURS
    mode = Mode(direction, dry=not given["yes"])
    context.exit(asyncio.run(_adopt(Settings.load(flags(given)), mode)))


async def _adopt(settings: Settings, mode: Mode) -> int:
    async with connect(settings) as agent:
        done = await agent.adopt(mode)
    voice.report_round(done, word="examined" if mode.dry else mode.direction.value)
    if mode.dry and done.exit_code == 0:
        voice.say("nothing was changed; do it with --yes")
    return done.exit_code
