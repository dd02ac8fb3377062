"""`flux-secret logs`: what the agent in the cluster has to say, of all Apps or of some."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.reconcile.asked.logs import LEVELS, Wanted, show_logs
from flux_secret.settings.asking import AskingSettings
from flux_secret.wiring.asking import asking


@click.command()
@click.argument("apps", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on, and write what comes.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", show_default=True,
              help="Leave out what is less important.")  # fmt: skip
@click.option("--tail", type=click.IntRange(0), default=1000, show_default=True, metavar="LINES",
              help="Look at the last lines of each pod; 0: at all.")  # fmt: skip
@click.option("-n", "--namespace", default="flux", show_default=True, metavar="NAMESPACE",
              help="Where the agent runs.")  # fmt: skip
@click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
              help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own."
              )  # fmt: skip
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
def logs(apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show the log of the agent in the cluster: of all Apps, or the lines about some."""
    asyncio.run(_logs(apps, **given))


async def _logs(  # noqa: PLR0913, RUF100 -- click's own options
    names: Sequence[str], *, follow: bool, level: str, tail: int, namespace: str,
    kubeconfig: Path | None, context: str | None,
) -> None:  # fmt: skip
    settings = AskingSettings.load(kubeconfig, context, namespace)
    async with asking(settings) as (client, where):
        wanted = Wanted(names, level)
        await show_logs(client, where, wanted, voice.say, tail=tail, follow=follow)
