"""`flux-secret events`: what happened to Apps, the newest last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.asking_options import (
    asked_cluster,
    cluster_options,
    output_options,
    say_data,
)
from flux_secret.cli.tables import ago, table
from flux_secret.reconcile.asked.events import AppEvent, follow
from flux_secret.reconcile.asked.events import events as happened
from flux_secret.wiring.asking import asking

_HEAD: Final = ("LAST", "TYPE", "REASON", "OBJECT", "MESSAGE")


@click.command()
@click.argument("apps", nargs=-1)
@cluster_options
@output_options(("table", "json", "yaml"))
def events(apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show what happened to Apps: deliveries, failures, held changes, removals."""
    asyncio.run(_events(apps, given))


async def _events(names: Sequence[str], given: Mapping[str, Any]) -> None:
    async with asking(asked_cluster(given)) as (client, namespace):
        show = _Shown(given["output"], everywhere=not namespace)
        if given["watch"]:
            await follow(client, namespace, names, lambda one: show([one], more=True))
        else:
            show(await happened(client, namespace, names))


class _Shown:
    """Writes events; the head of a table once."""

    def __init__(self, output: str, *, everywhere: bool) -> None:
        self._output = output
        self._everywhere = everywhere

    def __call__(self, found: Sequence[AppEvent], *, more: bool = False) -> None:
        if self._output != "table":
            shown = [dict(one.to_json()) for one in found]
            say_data({"events": shown}, self._output, more=more)
            return
        if not found:
            click.echo("no events found; the API server forgets them after an hour", err=True)
            return
        now = datetime.now(UTC)
        lines = table(self._head(), [self._row(one, now) for one in found])
        for line in lines[1:] if more else lines:
            voice.say(line)

    def _head(self) -> Sequence[str]:
        return ("NAMESPACE", *_HEAD) if self._everywhere else _HEAD

    def _row(self, one: AppEvent, now: datetime) -> Sequence[str]:
        times = f" (x{one.count})" if one.count > 1 else ""
        says = " ".join(one.message.split())
        row = (ago(one.last, now) + times, one.type, one.reason, one.about, says)
        return (one.namespace, *row) if self._everywhere else row
