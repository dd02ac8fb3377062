"""An agent that follows custom resources: the controller beside what delivers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flux_secret.model.app import AppName
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.replicas import Replicas
from flux_secret.reconcile.resources.controller import Controller
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.undertaking import removing
from flux_secret.settings import Settings
from flux_secret.wiring.agent import Connected


@asynccontextmanager
async def following(
    settings: Settings, connected: Connected, board: Board, replicas: Replicas
) -> AsyncIterator[asyncio.Task[None] | None]:
    """Follow Stores and Apps of the cluster, if the settings say so; the task ends with a bug."""
    if not settings.custom_resources:
        yield None
        return

    async def retire(name: AppName, account: str, *, prune: bool) -> None:
        retire = connected.applier.retire(str(name), prune=prune, account=account)
        await removing(str(name), retire)

    async with Chores() as chores:
        around = Surroundings(
            client=connected.client,
            board=board,
            mounts=connected.repositories,
            retire=retire,
            namespace=settings.cluster.namespace,
            owns=lambda name: replicas.owns(str(name)),
            leads=lambda: replicas.is_leader,
        )
        controller = Controller(around, chores)
        running = asyncio.ensure_future(controller.run())
        ended = replicas.subscribe(controller.settle)
        try:
            yield running
        finally:
            ended()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
