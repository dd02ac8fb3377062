"""An agent with a settings file that looks after Apps which left it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flux_secret.outside.kubernetes import NotFoundError
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.departures import Departures, Left
from flux_secret.reconcile.replicas import Replicas
from flux_secret.reconcile.resources import kinds
from flux_secret.settings import Settings
from flux_secret.wiring.agent import Connected


@dataclass(frozen=True, slots=True)
class Parted:
    """What outlives a connection."""

    replicas: Replicas
    left: Left


@asynccontextmanager
async def parting(
    settings: Settings, connected: Connected, board: Board, parted: Parted
) -> AsyncIterator[None]:
    """Hold their objects until a person lets them go, while the block runs."""
    if not settings.has_file:
        yield
        return

    async def known() -> Collection[str] | None:
        names = {str(app.name) for app in settings.apps}
        if (
            settings.custom_resources
        ):  # one that cannot be used, or is leaving, is an App all the same
            try:
                apps = await connected.client.list(kinds.APPS, "", "")
                secrets = await connected.client.list(kinds.SECRETS, "", "")
            except NotFoundError:
                return None  # a definition is gone: what it delivered stays
            names |= {str(kinds.name_of(tree)) for tree in apps}
            named = map(kinds.name_of, secrets)
            names |= {str(kinds.secret_name(one.namespace, one.name)) for one in named}
        return names

    departures = Departures(
        connected.applier, known, lambda: parted.replicas.is_leader, parted.left
    )
    looking = asyncio.ensure_future(departures.run())
    before, board.departed = board.departed, departures.confirmed
    try:
        yield
    finally:
        board.departed = before
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
