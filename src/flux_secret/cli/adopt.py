"""`flux-secret adopt`: take over what a running Flux v1 delivered, or give it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.flux_v1 import whole_command_line, without_effect
from flux_secret.cli.options import delivery_options, flags, go_bool
from flux_secret.cli.recorded import persons_record
from flux_secret.cli.sync_options import marker_options
from flux_secret.model.adoption import Direction, Mode
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import connect


@click.command()
@delivery_options
@marker_options
@click.option(
    "--k8s-unsafe-exclude-resource",
    multiple=True,
    default=Flags().k8s_unsafe_exclude_resource,
    metavar="GLOB[,…]",
    help="Kinds, as group/version/Kind, that are not listed when what Flux v1 left is looked for.",
)
@go_bool("--rollback", "Give the objects back, as Flux v1 would have left them.")
@go_bool("--yes", "Do it; without it, only say what would be done.")
@whole_command_line
@click.pass_context
def adopt(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Take over what a running Flux v1 delivered; no field of any object changes."""
    for why, named in without_effect(given):
        voice.warn(f"{' '.join(named)} has no effect here: {why.value}")
    direction = Direction.FLUX_V1 if given["rollback"] else Direction.OURS
    mode = Mode(direction, dry=not given["yes"])
    try:
        context.exit(asyncio.run(_adopt(Settings.load(flags(given)), mode, context)))
    except KeyboardInterrupt:
        if not mode.dry:
            voice.warn("what was done stays done; run the same command again, and it goes on")
        raise


async def _adopt(settings: Settings, mode: Mode, context: click.Context) -> int:
    settings = replace(settings, delivers=False)
    async with persons_record(context) as recorder, connect(settings, recorder=recorder) as agent:
        done = await agent.adopt(mode)
    voice.report_round(done, word="examined" if mode.dry else mode.direction.value)
    if mode.dry and done.exit_code == 0:
        voice.say("nothing was changed; do it with --yes")
    return done.exit_code
