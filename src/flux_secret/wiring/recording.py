"""An agent that tells people what happens: Events beside what delivers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flux_secret.reconcile.board import Board
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.recorder import Recorder
from flux_secret.settings import Settings
from flux_secret.wiring.agent import Connected


@asynccontextmanager
async def recording(settings: Settings, connected: Connected, board: Board) -> AsyncIterator[None]:
    """Write an Event for whatever happens to an App, while this agent runs."""
    named = {app.name for app in settings.apps}
    async with Chores() as chores:
        recorder = Recorder(
            connected.client,
            chores,
            settings.cluster.namespace,
            lambda name: settings.custom_resources and name not in named,
        )
        board.noted, board.left = recorder.told, recorder.forget
        try:
            yield
        finally:
            board.quiet()
