"""Let Apps be as they are, or deliver them again: what `suspend` and `resume` share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from flux_secret.cli import voice
from flux_secret.cli.asking_options import asked_cluster, cluster_options
from flux_secret.errors import UsageError
from flux_secret.model.app import AppName
from flux_secret.model.hold import EVERYTHING, key_of, name_of
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.suspension import LOOK_SECONDS
from flux_secret.wiring.asking import apps_of
from flux_secret.wiring.suspending import suspension_of

F = TypeVar("F", bound=Callable[..., Any])


def suspending_options(command: F) -> F:
    """Add which Apps, of which cluster, or of which agent."""
    command = click.option("--agent", metavar="NAMESPACE",
                           help="Apps of the agent in this namespace, also those of its flags "
                           "and its settings file.")(command)  # fmt: skip
    command = cluster_options(command)
    command = click.option(
        "--all", "all_apps", is_flag=True,
        help="Every App of the namespace; of all with -A; of the agent with --agent.",
    )(command)  # fmt: skip
    return click.argument("apps", nargs=-1)(command)


def change(names: Collection[str], given: Mapping[str, Any], *, suspended: bool) -> None:
    """Do it, and say which changed."""
    word = "suspend" if suspended else "resume"
    if bool(names) == given["all_apps"]:
        raise UsageError(
            f"{word} wants to know which Apps", remedy=f"flux-secret {word} APP…, or --all"
        )
    work = _of_agent if given["agent"] else _of_cluster
    asyncio.run(work(names, given, suspended=suspended))


async def _of_cluster(names: Collection[str], given: Mapping[str, Any], *, suspended: bool) -> None:
    word = "suspended" if suspended else "resumed"
    async with apps_of(asked_cluster(given)) as apps:
        found = await apps.find(names)
        for tree in found:
            name = kinds.name_of(tree)
            is_new = await apps.suspend(tree, suspended=suspended)
            was = "is suspended already" if suspended else "was not suspended"
            voice.say(f"app/{name.name} in {name.namespace} {word if is_new else was}")
        if not found:
            voice.say("no Apps found; look everywhere with -A", err=True)


async def _of_agent(names: Collection[str], given: Mapping[str, Any], *, suspended: bool) -> None:
    """Note it beside the agent, which looks there."""
    where: str = given["agent"]
    if given["all_namespaces"]:
        raise UsageError("--agent names one agent, and -A all namespaces", remedy="leave one out")
    settings = asked_cluster({**given, "namespace": where})
    async with suspension_of(settings, where) as held:
        asked = {_named(name, given["namespace"] or where) for name in names}
        for unknown in sorted(asked - held.delivered):
            known = ", ".join(map(str, sorted(held.delivered))) or "nothing"
            voice.warn(f"the agent in {where} has not delivered {unknown} so far, but {known}")
        keys = {key_of(name) for name in asked}
        if suspended:
            done = await held.suspension.suspend(keys or {EVERYTHING})
            _tell(keys or {EVERYTHING}, done, where, ("suspended", "suspended already"))
        else:
            done = await held.suspension.resume(keys)
            _tell(keys or {EVERYTHING, *done}, done, where, ("resumed", "not suspended"))
    if done:
        voice.say(f"the agent notices within {LOOK_SECONDS:g} s")


def _named(text: str, namespace: str) -> AppName:
    space, _, name = text.rpartition("/")
    if not name or "/" in space:
        raise UsageError(
            f"{ascii(text)[1:-1]} names no App", remedy="write NAME, or NAMESPACE/NAME"
        )
    return AppName(space or namespace, name)


def _tell(keys: Collection[str], done: Collection[str], where: str, words: tuple[str, str]) -> None:
    for key in sorted(keys):
        name = name_of(key)
        what = "all Apps are" if key == EVERYTHING else f"app/{name.name} in {name.namespace} is"
        voice.say(f"{what} {words[0] if key in done else words[1]}: agent in {where}")
