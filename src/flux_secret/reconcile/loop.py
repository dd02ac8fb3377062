"""When: a round on every sync interval, when a poll sees a new commit, and when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.reconcile.requests import Asked, Requests, answer
from flux_secret.reconcile.round import Round

_log = structlog.get_logger(component="sync-loop")
FIRST_RETRY_SECONDS: Final = 10.0  # Flux v1 retries its git mirror every 10 s


class Heads(Protocol):
    """Sees new commits."""

    async def poll(self) -> Hashable:
        """Ask every repository for its head; equal answers mean that nothing is new.

        Raises `FluxSecretError` when one cannot be asked.
        """


class RunRound(Protocol):
    """Delivers every target once."""

    def __call__(self, *, anew: bool = False, confirmed: Collection[str] = ()) -> Awaitable[Round]:
        """Give the round; `anew` generates also what has not changed.

        `confirmed` are the tokens of held changes that a person lets through.
        """


@dataclass(frozen=True, slots=True)
class Intervals:
    """Flux v1's `--sync-interval` and `--git-poll-interval`, in seconds."""

    sync_seconds: float = 300.0
    poll_seconds: float = 300.0


class Loop:
    """Runs rounds one after another until it is told to stop."""

    def __init__(
        self,
        run_round: RunRound,
        heads: Heads,
        intervals: Intervals,
        report: Callable[[Round, float], None],
        requests: Requests | None = None,
    ) -> None:
        """`report` is told of each round and how many seconds it took."""
        self._run_round = run_round
        self._heads = heads
        self._intervals = intervals
        self._report = report
        self._requests = requests or Requests()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Finish the round that is running, and start no other."""
        self._stop.set()

    async def run(self) -> None:
        """Run the first round at once; a failed round is tried again sooner than the interval."""
        now = asyncio.get_running_loop().time
        failures = 0
        seen: Hashable = None
        sync_due = poll_due = now()
        while not self._stop.is_set():
            asked = self._requests.take()
            if asked.hinted or now() >= poll_due:
                head = await self._poll()
                if head is not None and head != seen:
                    seen, sync_due = head, now()
                poll_due = now() + self._intervals.poll_seconds
            if asked.waiting is not None or now() >= sync_due:
                began = now()
                done = await self._answered(asked)
                if done.errors:
                    _log.error(done.errors, headline="err")
                self._report(done, now() - began)
                failures = 0 if done.exit_code == 0 else failures + 1
                sync_due = now() + self._pause(failures)
            await self._wait(min(sync_due, poll_due) - now())

    async def _answered(self, asked: Asked) -> Round:
        """Run a round, and tell who waits for it how it ended."""
        waiting = asked.waiting
        asked.begin()
        try:
            done = await self._run_round(anew=waiting is not None, confirmed=asked.confirmed)
        except BaseException as error:
            if waiting is not None:
                answer(waiting, error)
            raise
        if waiting is not None:
            answer(waiting, done)
        return done

    def _pause(self, failures: int) -> float:
        if failures == 0:
            return self._intervals.sync_seconds
        retry = FIRST_RETRY_SECONDS * float(2 ** min(failures - 1, 10))
        return min(retry, self._intervals.sync_seconds)

    async def _poll(self) -> Hashable:
        try:
            return await self._heads.poll()
        except FluxSecretError as failure:
            _log.warning("poll.failed", err=failure.what, remedy=failure.remedy)
            return None

    async def _wait(self, seconds: float) -> None:
        events = [asyncio.ensure_future(self._stop.wait()),
                  asyncio.ensure_future(self._requests.wait())]  # fmt: skip
        try:
            await asyncio.wait(
                events, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for event in events:
                event.cancel()
