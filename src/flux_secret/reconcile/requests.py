"""Somebody asks for a sync → the round that answers it.

All who ask before a round begins share that round; who asks while one is running gets the next,
since the running one may have read its commits already. Requests outlive a `Loop`: an agent that
connects anew, because a store was registered, answers them with its next one.
"""

from __future__ import annotations

import asyncio

from flux_secret.errors import UnreachableError
from flux_secret.reconcile.round import Round


class Requests:
    """What the next round is asked for."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[Round] | None = None
        self._hinted = False
        self._wake = asyncio.Event()

    async def sync(self) -> Round:
        """Ask for a round that makes everything anew, and wait for it.

        Raises `UnreachableError` when the agent stops first.
        """
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        self._wake.set()
        return await asyncio.shield(self._waiting)

    def hint(self) -> None:
        """Say that there may be a new commit; the loop looks now instead of at its interval."""
        self._hinted = True
        self._wake.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._wake.wait()

    def take(self) -> tuple[asyncio.Future[Round] | None, bool]:
        """Give who waits for the round that begins now, and whether to look for commits."""
        waiting, hinted = self._waiting, self._hinted
        self._waiting, self._hinted = None, False
        self._wake.clear()
        return waiting, hinted

    def close(self) -> None:
        """Tell who still waits that no round will come."""
        waiting, _ = self.take()
        if waiting is not None:
            answer(
                waiting,
                UnreachableError(
                    "the agent is stopping and does no more round", remedy="ask again in a moment"
                ),
            )


def answer(waiting: asyncio.Future[Round], outcome: Round | BaseException) -> None:
    """Give the outcome to all who wait; nobody may be left."""
    if waiting.done():
        return
    if isinstance(outcome, Round):
        waiting.set_result(outcome)
        return
    waiting.set_exception(outcome)
    waiting.exception()  # who asked may have gone away: that is no bug
