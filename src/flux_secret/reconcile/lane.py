"""When one App is delivered: on its interval, on a new commit, when somebody asks.

After a failure it is tried again sooner. No App waits for another one (design decision 9).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import structlog
from structlog.contextvars import bound_contextvars

from flux_secret.errors import UnreachableError
from flux_secret.model.app import App, AppName, Followed
from flux_secret.reconcile.requests import Asked, Requests, answer
from flux_secret.reconcile.round import Round
from flux_secret.reconcile.slots import Slots

_log = structlog.get_logger(component="sync-loop")
_DOUBLINGS = 10  # more would be no number of seconds that anybody waits


class RunRound(Protocol):
    """Delivers every target of an App once."""

    def __call__(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Awaitable[Round]:
        """Give the round; `anew` generates also what has not changed.

        `confirmed` are the tokens of held changes that a person lets through.
        """


@dataclass(frozen=True, slots=True)
class Driver:
    """What all lanes share."""

    run_round: RunRound
    slots: Slots
    report: Callable[[App, Round, float], None]
    """Told of each round, and how many seconds it took."""
    begins: Callable[[App], None]
    """Told when a round begins."""
    owns: Callable[[AppName], bool]
    """Whether an App is delivered by this replica now."""
    jitter: Callable[[float], float]
    """Seconds to wait → a little more or less, so that Apps that failed together part."""
    is_anothers: Callable[[AppName], bool] = lambda _name: False
    """Whether it is another replica's, as far as is known."""


class Lane:
    """One App's turn, again and again."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.requests = Requests()
        self.failures = 0
        """How many rounds failed one after another."""
        self.due = -math.inf
        """When the next round begins by itself, on the clock of the event loop; seconds."""
        self.running = False
        self._gone = False
        self._last: Round | None = None
        self._seen: dict[Followed, str] = {}
        """Heads that were seen while a round was running."""

    @property
    def is_new(self) -> bool:
        """Whether no round of it has ended yet."""
        return self._last is None

    def saw(self, repository: Followed, head: str) -> None:
        """Deliver what is new, unless the last round, or the one that is running, has it."""
        if not self.app.depends_on(repository):
            return
        if self.running:
            self._seen[repository] = head
        elif self._last is None or not self._last.saw(repository, head):
            self.requests.hint()

    def put(self, app: App) -> None:
        """Take what the App says now; it is delivered at once if it says something else."""
        if app != self.app:
            self.app = app
            self.failures = 0
            self.requests.hint()

    def leave(self) -> None:
        """End after the round that is running: the App is no more."""
        self._gone = True
        self.requests.hint()

    async def run(self, driver: Driver, stopping: asyncio.Event) -> None:
        """Run rounds until it is told to stop; the first one at once."""
        now = asyncio.get_running_loop().time
        self.due = now()
        while not stopping.is_set() and not self._gone:
            asked = self.requests.take()
            if self._may(driver) and (asked.hinted or asked.waiting or now() >= self.due):
                await self._turn(asked, driver, stopping)
            elif asked.waiting is not None and driver.is_anothers(self.app.name):
                answer(asked.waiting, _moved(self.app.name))
            elif asked.waiting is not None:
                self.requests.give_back(asked)  # answered when the App is delivered here again
                self.due = math.inf
            await self._wait(self.due - now() if self._may(driver) else math.inf, stopping)
        if self._gone:
            self.requests.close()

    def _may(self, driver: Driver) -> bool:
        return not self.app.suspended and driver.owns(self.app.name)

    async def _turn(self, asked: Asked, driver: Driver, stopping: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time
        async with driver.slots.place(failing=self.failures > 0):
            if stopping.is_set() or not self._may(driver):
                self.requests.give_back(asked)
                return
            self.running = True
            self._seen.clear()
            began = now()
            try:
                driver.begins(self.app)
                done = await self._answered(asked, driver)
            finally:
                self.running = False
        self._last = done
        if not all(done.saw(repository, head) for repository, head in self._seen.items()):
            self.requests.hint()
        if done.errors:
            _log.error(done.errors, headline="err")
        self.failures = 0 if done.exit_code == 0 else self.failures + 1
        self.due = now() + min(self._pause(driver), done.again_seconds)
        driver.report(self.app, done, now() - began)

    async def _answered(self, asked: Asked, driver: Driver) -> Round:
        """Run a round, and tell who waits for it how it ended."""
        waiting = asked.waiting
        asked.begin()
        try:
            with bound_contextvars(app=str(self.app.name)):  # in every line of the log
                done = await driver.run_round(
                    self.app, anew=waiting is not None, confirmed=asked.confirmed
                )
        except BaseException as error:
            if waiting is not None:
                answer(waiting, error)
            raise
        if waiting is not None:
            answer(waiting, done)
        return done

    def _pause(self, driver: Driver) -> float:
        if self.failures == 0:
            return self.app.sync_seconds
        retry = self.app.retry_seconds * float(2 ** min(self.failures - 1, _DOUBLINGS))
        return driver.jitter(min(retry, self.app.sync_seconds))

    async def _wait(self, seconds: float, stopping: asyncio.Event) -> None:
        events = [asyncio.ensure_future(stopping.wait()),
                  asyncio.ensure_future(self.requests.wait())]  # fmt: skip
        timeout = None if math.isinf(seconds) else max(0.0, seconds)
        try:
            await asyncio.wait(events, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()


def _moved(name: AppName) -> UnreachableError:
    return UnreachableError(
        f"App {name} went to another replica before its sync began",
        remedy="that one delivers it by now: see flux-secret status, or ask again",
    )
