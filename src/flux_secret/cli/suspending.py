"""Let Apps be as they are, or deliver them again: what `suspend` and `resume` share."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from flux_secret.cli import voice
from flux_secret.cli.asking_options import asked_cluster
from flux_secret.errors import UsageError
from flux_secret.reconcile.resources import kinds
from flux_secret.wiring.asking import apps_of


def change(names: Collection[str], given: Mapping[str, Any], *, suspended: bool) -> None:
    """Do it, and say which changed."""
    word = "suspend" if suspended else "resume"
    if bool(names) == given["all_apps"]:
        raise UsageError(
            f"{word} wants to know which Apps", remedy=f"flux-secret {word} APP…, or --all"
        )
    asyncio.run(_change(names, given, suspended=suspended))


async def _change(names: Collection[str], given: Mapping[str, Any], *, suspended: bool) -> None:
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
