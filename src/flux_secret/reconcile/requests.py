"""Somebody asks for a sync → the round that answers it.

All who ask before a round begins share that round; who asks while one is running gets the next,
since the running one may have read its commits already. Requests outlive a connection: an agent
that connects anew, because a store was registered, answers them with its next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from flux_secret.errors import UnreachableError
from flux_secret.reconcile.round import Round


@dataclass(slots=True)
class Asked:
    """What has been asked for since the last round began."""

    waiting: asyncio.Future[Round] | None = None
    """Told how the round ended, if somebody waits for one."""
    confirmed: set[str] = field(default_factory=set)
    """Tokens of held changes that the round may make."""
    hinted: bool = False
    """Whether something may have changed."""
    begun: list[Callable[[], None]] = field(default_factory=list)
    """Called when the round begins, one for each who asked."""

    def begin(self) -> None:
        """Say that the round begins."""
        for tell in self.begun:
            tell()


class Requests:
    """What the next round is asked for."""

    def __init__(self) -> None:
        self._asked = Asked()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many wait for a round that has not begun."""
        return len(self._asked.begun)

    async def sync(
        self, confirmed: Collection[str] = (), begun: Callable[[], None] = lambda: None
    ) -> Round:
        """Ask for a round that makes everything anew, and wait for it.

        `confirmed` are the tokens of held changes that it may make; `begun` is called when it
        begins.

        Raises `UnreachableError` when the agent stops first.
        """
        asked = self._asked
        if asked.waiting is None:
            asked.waiting = asyncio.get_running_loop().create_future()
        asked.confirmed.update(confirmed)
        asked.begun.append(begun)
        self._wake.set()
        return await asyncio.shield(asked.waiting)

    def hint(self) -> None:
        """Say that something may have changed; the round comes now instead of on the interval."""
        self._asked.hinted = True
        self._wake.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._wake.wait()

    def take(self) -> Asked:
        """Give what has been asked for; what is asked from now on is for the next round."""
        asked, self._asked = self._asked, Asked()
        self._wake.clear()
        return asked

    def give_back(self, asked: Asked) -> None:
        """Ask again for what was taken and not done; nobody is woken by it."""
        later = self._asked
        later.hinted = later.hinted or asked.hinted
        later.confirmed |= asked.confirmed
        later.begun += asked.begun
        if asked.waiting is None:
            return
        if later.waiting is not None:
            later.waiting.add_done_callback(partial(_pass_on, asked.waiting))
        else:
            later.waiting = asked.waiting

    def close(self) -> None:
        """Tell who still waits that no round will come."""
        waiting = self.take().waiting
        if waiting is not None:
            answer(
                waiting,
                UnreachableError(
                    "the agent is stopping and does no more round", remedy="ask again in a moment"
                ),
            )


def _pass_on(waiting: asyncio.Future[Round], done: asyncio.Future[Round]) -> None:
    if done.cancelled():
        waiting.cancel()
        return
    answer(waiting, done.exception() or done.result())


def answer(waiting: asyncio.Future[Round], outcome: Round | BaseException) -> None:
    """Give the outcome to all who wait; nobody may be left."""
    if waiting.done():
        return
    if isinstance(outcome, Round):
        waiting.set_result(outcome)
        return
    waiting.set_exception(outcome)
    waiting.exception()  # who asked may have gone away: that is no bug
