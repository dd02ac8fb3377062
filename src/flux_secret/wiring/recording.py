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
    async with Chores() as chores:
        own = settings.cluster.namespace
        recorder = Recorder(connected.client, chores, own, board.uid)
        board.noted, board.left = recorder.told, recorder.forget
        try:
            yield
        finally:
            board.quiet()
