"""`flux-secret doctor`: whether these settings can deliver, and what they leave open."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import click

import flux_secret
from flux_secret.cli import voice
from flux_secret.cli.agent_options import agent_options
from flux_secret.cli.flux_v1 import flux_v1_options, without_effect
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.record_options import record_options
from flux_secret.cli.recorded import on_record
from flux_secret.cli.sync_options import every_marker_option
from flux_secret.errors import FluxSecretError
from flux_secret.model.finding import Finding, Level
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.doctor import examine


@click.command()
@delivery_options
@agent_options
@every_marker_option
@record_options
@flux_v1_options
@click.version_option(flux_secret.__version__, message="%(version)s")
@click.pass_context
def doctor(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Look at keys, repositories, stores, cluster and sandbox; change nothing."""
    asked = flags(given)
    settings = Settings.load(asked)
    findings = [
        *_of_flags(given),
        *_of_the_agent(asked),
        *asyncio.run(examine(settings, on_record())),
    ]
    findings.sort(key=lambda one: list(Level).index(one.level))
    for finding in findings:
        voice.report_finding(finding)
    context.exit(min((one.exit_code for one in findings if one.exit_code), default=0))


def _of_flags(given: Mapping[str, object]) -> Iterator[Finding]:
    """Say which of Flux v1's flags do nothing here, and why."""
    for why, named in without_effect(given):
        says = f"{' '.join(named)} has no effect: {why.value}"
        yield Finding(Level.WARNING, "flags", says)


def _of_the_agent(asked: Flags) -> Iterator[Finding]:
    """Say what an agent would not start with, though one delivery would be made."""
    try:
        Settings.load(dataclasses.replace(asked, unattended=True))
    except FluxSecretError as failure:
        says = f"it would not start with these flags: {failure.what}"
        yield Finding(Level.WARNING, "agent", says, failure.remedy)
