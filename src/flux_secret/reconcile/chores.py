"""Small writes that must happen in the end: one at a time for each key, and the newest counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import structlog

from flux_secret.errors import FluxSecretError

AT_ONCE: Final = 8  # each is one small request
FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 60.0
_log = structlog.get_logger(component="chores")

Chore = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Lane:
    """What is to be done for one key."""

    chore: Chore
    due: float
    """On the clock of the event loop; seconds."""
    changed: asyncio.Event
    waits: bool
    """Whether it waits for what may take long, and takes no place meanwhile."""


class Chores:
    """Does what it is told, again until it succeeds; what was not begun is replaced by what is new.

    What fails with an error that says so is tried again, with growing pauses. The end of the
    `async with` ends what is being done.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._lanes: dict[Hashable, _Lane] = {}
        self._places = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._failed = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failed is not None:
            self._failed.cancel()

    async def failed(self) -> None:
        """Wait until there is a bug in a chore, and raise it."""
        assert self._failed is not None, "it was opened"  # noqa: S101
        await self._failed

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def want(
        self, key: Hashable, chore: Chore, *, after_seconds: float = 0.0, waits: bool = False
    ) -> None:
        """Do this for the key, not before `after_seconds`.

        One that `waits`, as for a delivery to end, takes none of the places.
        """
        due = asyncio.get_running_loop().time() + after_seconds
        lane = self._lanes.get(key)
        if lane is not None:
            lane.chore, lane.due, lane.waits = chore, due, waits
            lane.changed.set()
            return
        self._lanes[key] = _Lane(chore, due, asyncio.Event(), waits)
        task = asyncio.ensure_future(self._run(key, self._lanes[key]))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def has(self, key: Hashable) -> bool:
        """Whether something is to be done for the key, or is being done."""
        return key in self._lanes

    def forget(self, key: Hashable) -> None:
        """Do nothing more for the key; what has begun is finished."""
        if key in self._lanes:
            self.want(key, _nothing)

    async def _run(self, key: Hashable, lane: _Lane) -> None:
        now = asyncio.get_running_loop().time
        failures = 0
        while True:
            lane.changed.clear()
            try:
                async with asyncio.timeout_at(lane.due):
                    await lane.changed.wait()
                continue
            except TimeoutError:
                pass
            try:
                async with contextlib.nullcontext() if lane.waits else self._places:
                    if lane.due > now():  # what came while it waited for a place has time
                        continue
                    lane.changed.clear()
                    await lane.chore()
            except FluxSecretError as error:
                if lane.changed.is_set():
                    continue
                failures += 1
                pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 10),
                            LONGEST_RETRY_SECONDS)  # fmt: skip
                lane.due = now() + pause
                _log.warning(
                    "chore.failed", about=str(key), err=error.what, remedy=error.remedy,
                    again_seconds=pause,
                )  # fmt: skip
                continue
            failures = 0
            if not lane.changed.is_set():
                del self._lanes[key]
                return


async def _nothing() -> None:
    """Do nothing."""
