"""`flux-secret status`: how each App stands, what is wrong since when, and what comes next."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.api.client import ask_for_status
from flux_secret.cli import voice
from flux_secret.cli.asking_options import (
    FORMATS,
    asked_cluster,
    cluster_options,
    output_options,
    say_data,
)
from flux_secret.cli.tables import ago, table
from flux_secret.errors import UsageError
from flux_secret.model.report import AppReport, stamp
from flux_secret.reconcile.asked.apps import Apps
from flux_secret.reconcile.asked.reports import report_of
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.settings.listening import read_token
from flux_secret.wiring.asking import apps_of

_HEAD: Final = ("NAMESPACE", "NAME", "READY", "REASON", "REVISION", "SINCE")
_WIDE: Final = ("OBJECTS", "FAILURES", "ATTEMPTED", "STATUS")
_COMMIT: Final = re.compile(r"\b[0-9a-f]{12,64}\b")
_SHORT: Final = 8  # digits of a commit in a table
_ASK_SECONDS: Final = 30.0


@click.command()
@click.argument("apps", nargs=-1)
@cluster_options
@output_options(FORMATS)
@click.option("--exit-code", is_flag=True, help="End with 1 when an App is not ready.")
@click.option("--url", metavar="URL", help="Ask the agent that listens there, not the cluster.")
@click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE",
              help="That agent's token, where it asks for one.")  # fmt: skip
@click.pass_context
def status(context: click.Context, /, apps: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show how Apps stand: what is delivered, what is wrong since when, what comes next."""
    shown = asyncio.run(_of_agent(apps, given) if given["url"] else _of_cluster(apps, given))
    waits = any(one.ready is not True and not one.suspended for one in shown)
    context.exit(1 if given["exit_code"] and waits else 0)


async def _of_agent(apps: Collection[str], given: Mapping[str, Any]) -> Sequence[AppReport]:
    if given["watch"]:
        raise UsageError("-w watches the cluster, and --url asks an agent", remedy="leave one out")
    token = read_token(given["token_file"]) if given["token_file"] else None
    known = await ask_for_status(given["url"], token, _ASK_SECONDS)
    shown = [one for one in known if not apps or {one.name.name, str(one.name)} & set(apps)]
    if missing := [name for name in apps if not any(_is_named(one, name) for one in shown)]:
        raise UsageError(
            f"the agent delivers no App {ascii(missing[0])[1:-1]}",
            remedy=f"it delivers: {', '.join(str(one.name) for one in known) or 'none'}",
        )
    _say(shown, given["output"])
    return shown


def _is_named(one: AppReport, name: str) -> bool:
    return name in {one.name.name, str(one.name)}


async def _of_cluster(names: Collection[str], given: Mapping[str, Any]) -> Sequence[AppReport]:
    async with apps_of(asked_cluster(given)) as apps:
        shown = [report_of(tree) for tree in await apps.find(names)]
        _say(shown, given["output"])
        if given["watch"]:
            await _watch(apps, {one.name: one for one in shown} if names else None, shown, given)
        return shown


async def _watch(
    apps: Apps, only: Collection[object] | None, shown: Sequence[AppReport],
    given: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write each App again whose report changes, until it is interrupted."""
    said = {one.name: one for one in shown}

    def look(trees: Sequence[Tree]) -> bool:
        now = {one.name: one for one in map(report_of, trees) if only is None or one.name in only}
        for name in said.keys() - now.keys():
            voice.say(f"{name} is gone")
        changed = [one for one in now.values() if said.get(one.name) != one]
        said.clear()
        said.update(now)
        if changed:
            _say(changed, given["output"], more=True)
        return False

    await apps.watch(look)


def _say(shown: Sequence[AppReport], output: str, *, more: bool = False) -> None:
    if output in {"json", "yaml"}:
        say_data({"apps": [dict(one.to_json()) for one in shown]}, output, more=more)
        return
    if not shown:
        click.echo("no Apps found; look everywhere with -A", err=True)
        return
    now, wide = datetime.now(UTC), output == "wide"
    head, rows = (*_HEAD, *_WIDE * wide), [_row(one, now, wide=wide) for one in shown]
    lines = table(head, rows)
    for line in lines[1:] if more else lines:
        voice.say(line)
    for one in shown:
        if one.ready is not True and not wide:
            _explain(one, now)


def _row(one: AppReport, now: datetime, *, wide: bool) -> Sequence[str]:
    ready = {True: "True", False: "False", None: "Unknown"}[one.ready]
    row = (
        one.name.namespace, one.name.name, ready, "Suspended" if one.suspended else one.reason,
        short(one.applied) or "-", ago(one.since, now) or "-",
    )  # fmt: skip
    if not wide:
        return row
    says = " ".join(one.message.split())
    return (*row, str(one.objects), str(one.failures), short(one.attempted) or "-", says)


def short(revision: str) -> str:
    """Write a revision with commits that people can read."""
    return _COMMIT.sub(lambda commit: commit[0][:_SHORT], revision).replace(", ", ",")


def _explain(one: AppReport, now: datetime) -> None:
    """Say what is wrong since when, and what will be tried when."""
    since = f" since {stamp(one.since)} ({ago(one.since, now)})" if one.since else ""
    is_wrong = one.ready is False
    voice.say(f"\n{one.name}: {'not ready' if is_wrong else 'not known yet'}{since}")
    for line in one.message.splitlines():
        voice.say(f"  {line}")
    if one.suspended:
        resume = (
            f"flux-secret resume {one.name.name} -n {one.name.namespace}; of what an agent has "
            f"otherwise: flux-secret resume {one.name} --agent NAMESPACE, or --all for the name"
        )
        voice.say(f"  next: nothing, it is suspended: {resume}")
    elif one.next:
        voice.say(f"  next: {one.next}")
    elif one.stalled:
        voice.say("  next: it is tried again, which hardly helps before somebody mends it")
    if is_wrong and one.applied:
        voice.say(f"  what the cluster has: {short(one.applied)}")
