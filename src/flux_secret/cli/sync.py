"""`flux-secret sync`: ask the running agent, wait, and say how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.api.client import ask_for_sync
from flux_secret.api.interface import SyncOutcome
from flux_secret.cli import voice
from flux_secret.cli.asking_options import asked_cluster, cluster_options
from flux_secret.cli.status import short
from flux_secret.errors import UsageError
from flux_secret.model.duration import parse_duration
from flux_secret.reconcile.asked.reports import report_of
from flux_secret.settings.listening import read_token
from flux_secret.wiring.asking import apps_of

DEFAULT_URL: Final = "http://127.0.0.1:3030"


@click.command()
@click.argument("apps", nargs=-1)
@cluster_options
@click.option("--url", default=DEFAULT_URL, show_default=True, metavar="URL",
              help="Where the agent listens; it is asked when no App is named.")  # fmt: skip
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
def sync(context: click.Context, /, apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Make the agent deliver everything, or these Apps of the cluster, anew; and wait for it."""
    seconds = parse_duration(given["timeout"])
    if apps or given["namespace"] or given["all_namespaces"]:
        context.exit(asyncio.run(_of_cluster(apps, given, seconds)))
    token = read_token(given["token_file"]) if given["token_file"] else None
    done = asyncio.run(ask_for_sync(given["url"], token, seconds, given["confirm"]))
    _tell(done)
    context.exit(done.exit_code)


async def _of_cluster(names: Collection[str], given: Mapping[str, Any], seconds: float) -> int:
    """Ask with an annotation, and give the most telling exit code."""
    if given["confirm"]:
        raise UsageError(
            "an App of the cluster takes no confirmation by an annotation",
            remedy="ask its agent: flux-secret sync --confirm TOKEN --url URL",
        )
    async with apps_of(asked_cluster(given)) as apps:
        asked = await apps.find(names)
        if not names:
            asked = [tree for tree in asked if not report_of(tree).suspended]
        done = await apps.sync(asked, seconds)
    for one in done:
        revision = one.applied if one.ready else one.attempted
        at = f" at {short(revision)}" if revision else ""
        voice.say(f"{one.name}: {'delivered' if one.ready else 'not delivered'}{at}")
        if not one.ready:
            for line in one.message.splitlines():
                voice.warn(line)
    return min({one.exit_code for one in done} - {0}, default=0)


def _tell(done: SyncOutcome) -> None:
    for target in done.targets:
        for change in target.changes:
            voice.say(change)
        for note in target.notes:
            voice.warn(f"{target.target}: {note}")
        at = f" at {target.revision}" if target.revision else ""
        how = "removed" if target.removed else "delivered"
        voice.say(f"{target.target}: {'not ' if target.error else ''}{how}{at}")
    if done.commit and done.head not in {"", done.commit}:
        voice.warn(
            f"{done.commit[:12]} was delivered and not {done.head[:12]}, which is not signed as "
            "it must be"
        )
    for line in done.error.splitlines():
        voice.warn(line)
