"""`flux-secret doctor`: whether these settings can deliver, and what they leave open."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.sync_options import deliver_marker_options
from flux_secret.settings import Settings
from flux_secret.wiring.doctor import examine


@click.command()
@delivery_options
@deliver_marker_options
@click.pass_context
def doctor(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Look at keys, repositories, stores, cluster and sandbox; change nothing."""
    findings = asyncio.run(examine(Settings.load(flags(given))))
    for finding in findings:
        voice.report_finding(finding)
    context.exit(min((one.exit_code for one in findings if one.exit_code), default=0))
