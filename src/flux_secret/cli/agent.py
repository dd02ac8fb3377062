"""`flux-secret agent`: deliver in a loop, with Flux v1's flags."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from typing import Any

import click
import structlog

import flux_secret
from flux_secret.cli import voice
from flux_secret.cli.flux_v1 import flux_v1_options, warn_of
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.sync_options import agent_marker_options
from flux_secret.reconcile.loop import Intervals, Loop
from flux_secret.settings import Flags, Settings
from flux_secret.wiring import connect

_DEFAULTS = Flags()
_FORCED = "--git-readonly prevents use of --sync-state=git. Forcing to --sync-state=secret"
_log = structlog.get_logger("flux_secret.agent")


@click.command()
@delivery_options
@click.option(
    "--sync-interval",
    default=_DEFAULTS.sync_interval,
    show_default=True,
    metavar="DURATION",
    help="Deliver at least this often.",
)
@click.option(
    "--git-poll-interval",
    default=_DEFAULTS.git_poll_interval,
    show_default=True,
    metavar="DURATION",
    help="Look for new commits, of stores too, this often.",
)
@click.option(
    "--regenerate-interval",
    default=_DEFAULTS.regenerate_interval,
    show_default=True,
    metavar="DURATION",
    help="Generate anew at least this often, changed or not; 0 is at every sync, as Flux v1 does.",
)
@agent_marker_options
@flux_v1_options
@click.version_option(flux_secret.__version__, message="%(version)s")
def agent(**given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Deliver applications with their secrets whenever a repository or a store has changed."""
    warn_of(given)
    settings = Settings.load(dataclasses.replace(flags(given), unattended=True))
    if settings.sync.forced:
        _log.warning("sync_state.forced", reason=_FORCED)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    async with connect(settings) as connected:
        loop = Loop(
            connected.round,
            connected.heads,
            Intervals(settings.sync_interval_seconds, settings.git_poll_interval_seconds),
            voice.report_round,
        )
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, loop.stop)
        await loop.run()
