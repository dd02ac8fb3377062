"""`flux-secret why`: the chain from a commit to pods, its first broken link, and what mends it."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.api.client import ask_for_status
from flux_secret.cli import voice
from flux_secret.cli.asking_options import say_data
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.recorded import persons_record
from flux_secret.cli.sync_options import deliver_marker_options
from flux_secret.model.record import Recorder
from flux_secret.model.report import AppReport
from flux_secret.model.why import Chain, Link, LinkKind, State
from flux_secret.reconcile.why.seen import Again
from flux_secret.settings import Settings
from flux_secret.settings.listening import read_token
from flux_secret.wiring.why import explain
from flux_secret.wiring.whycluster import followed

_FORMATS: Final = ("table", "json", "yaml")
_OWN: Final = frozenset({"subject", "output", "url", "token_file"})
_LOGIN: Final = re.compile(r"//[^/@\s]*@")
_ASK_SECONDS: Final = 30.0
_SHOWN: Final = 12
"""Links of one kind that the table shows; the broken one is always among them."""
_MARKS: Final = {State.WHOLE: "✓", State.BROKEN: "✗", State.UNSEEN: "?"}
_PLAIN: Final = {State.WHOLE: "ok", State.BROKEN: "NO", State.UNSEEN: "?"}
_COLOURS: Final = {State.WHOLE: "green", State.BROKEN: "red", State.UNSEEN: "yellow"}


@click.command()
@click.argument("subject", metavar="APP|OBJECT|ENTRY")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="table", show_default=True,
              help="How it is written.")  # fmt: skip
@click.option("--url", metavar="URL", help="Ask the agent that listens there, too.")
@click.option("--token-file", type=click.Path(path_type=Path), metavar="FILE",
              help="That agent's token, where it asks for one.")  # fmt: skip
@delivery_options
@deliver_marker_options
@click.pass_context
def why(context: click.Context, /, subject: str, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Say why a secret is where it is, or is not: each link, the first broken one, the remedy."""
    chains = asyncio.run(_explained(context, subject, given))
    if given["output"] == "table":
        _print(chains)
    else:
        say_data({"chains": [dict(one.to_json()) for one in chains]}, given["output"])
    context.exit(next((one.exit_code for one in chains if one.broken), 0))


async def _explained(
    context: click.Context, subject: str, given: Mapping[str, Any]
) -> Sequence[Chain]:
    asked = flags(dict(given))
    follows = not asked.git_url and asked.config is None
    settings = Settings.load(dataclasses.replace(asked, custom_resources=follows))
    again = Again(
        flags=_typed(context),
        agent_namespace=settings.cluster.namespace,
        known_hosts=str(settings.git.known_hosts or ""),
    )
    async with persons_record(context) as recorder:
        return await _chains(settings, subject, again, given, recorder)


async def _chains(
    settings: Settings,
    subject: str,
    again: Again,
    given: Mapping[str, Any],
    recorder: Recorder | None,
) -> Sequence[Chain]:
    if settings.custom_resources:
        found = await followed(settings)
        for name, refusal in found.refused.items():
            if _names(subject, name):
                raise refusal
        own = found.settings.cluster.namespace
        again = dataclasses.replace(again, agent_namespace=own)
        return await explain(found.settings, subject, again, found.reports, recorder)
    reports = await _reports(settings, given)
    return await explain(settings, subject, again, reports, recorder)


def _names(subject: str, app: str) -> bool:
    return subject.removeprefix("app:") in {app, app.rpartition("/")[2]}


async def _reports(settings: Settings, given: Mapping[str, Any]) -> Mapping[str, AppReport]:
    """Ask the agent, if one is named, how the Apps stand."""
    if not given["url"]:
        return {}
    token = read_token(given["token_file"]) if given["token_file"] else None
    known = {one.name: one for one in await ask_for_status(given["url"], token, _ASK_SECONDS)}
    return {
        target.name: known[app.name]
        for app in settings.apps
        for target in app.targets
        if app.name in known
    }


def _typed(context: click.Context) -> str:
    """Give the flags that `deliver` would take, as a shell does; no password of an address."""
    words = []
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name in _OWN or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        value, usual = context.params[name], f"--{name.replace('_', '-')}"
        flag = usual if usual in option.opts else max(option.opts, key=len)
        values = value if isinstance(value, tuple) else (value,)
        words += [f"{flag}={str(v).lower() if isinstance(v, bool) else v}" for v in values]
    return shlex.join(_LOGIN.sub("//***@", word) for word in words)


def _print(chains: Sequence[Chain]) -> None:
    for number, chain in enumerate(chains):
        if number:
            voice.say("")
        _print_one(chain)


def _print_one(chain: Chain) -> None:
    about = f" of {chain.target}" if chain.target and chain.target != chain.subject else ""
    voice.say(f"{chain.subject}{about}")
    for kind in LinkKind:
        links = [link for link in chain.links if link.kind is kind]
        shown = sorted(links[_SHOWN:], key=lambda one: one is not chain.broken)[:1]
        shown = links[:_SHOWN] + [one for one in shown if one is chain.broken]
        for link in shown:
            _print_link(link)
        if len(links) > len(shown):
            voice.say(f"  {'':<12} and {len(links) - len(shown)} more: -o json")
    if chain.broken is not None:
        _print_more("first broken link", chain.broken)
    elif any(link.state is State.UNSEEN for link in chain.links):
        voice.say("no link is broken, as far as can be seen")
        remedied = (link for link in chain.links if link.state is State.UNSEEN and link.remedy)
        for link in itertools.islice(remedied, _SHOWN):
            _print_more("not seen", link)
    else:
        voice.say("every link is whole")
    for says in chain.unseen:
        voice.note(says)


def _print_link(link: Link) -> None:
    marks = _MARKS if "utf" in (sys.stdout.encoding or "").lower() else _PLAIN
    mark = click.style(f"{marks[link.state]:<2}", fg=_COLOURS[link.state])
    place = "" if link.place is None else str(link.place).removeprefix(link.name).strip()
    reason = " ".join(link.reason.split()) if link.state is not State.BROKEN else "broken"
    says = "; ".join(filter(None, (place, reason)))
    line = f"{link.kind.value:<10}  {link.name or '-'}{f'  ({says})' if says else ''}"
    click.echo(f"{mark}{voice.inline(line)}")


def _print_more(what: str, link: Link) -> None:
    voice.say(f"\n{what}: {link.kind.value} {link.name}")
    for line in link.reason.splitlines():
        voice.say(f"  {line}")
    if link.place is not None and str(link.place):
        voice.say(f"  where: {link.place}")
    if link.remedy:
        voice.say(f"  remedy: {link.remedy}")
    if link.commands:
        voice.say("  run:")
        for line in link.commands:
            voice.say(f"    {line}")
