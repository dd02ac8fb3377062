"""Notes → durable records: many callers share one write to the disk (group commit).

1. `write` puts its notes into a queue of bounded length, and waits.
2. One task takes all that wait, links them to the chain in this order, and has a thread write them
   in one append.
3. When the disk has them all, their callers go on; when it refuses, not one byte of them stays,
   each caller gets `RecordError`, and the next group tries again.

So what is to happen after a `write` happens only when it is on the record.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

import structlog

from flux_secret.audit.line import settled
from flux_secret.audit.segments import Bounds, Head, Segments, refused
from flux_secret.errors import BugError, FluxSecretError, RecordError
from flux_secret.model.record import Kind, Note
from flux_secret.outside.clock import Clock

MAX_WAITING: Final = 4096  # calls in the queue; more wait for their turn
MAX_GROUP: Final = 10_000  # notes from which on a group takes no further call
WAIT_SECONDS: Final = 60.0  # for a disk that does not answer
_log = structlog.get_logger(component="record")
T = TypeVar("T")


class _Call(NamedTuple):
    notes: Sequence[Note]
    done: asyncio.Future[int]
    """The number of its last record."""


@dataclass(slots=True)
class _Outage:
    since: str
    why: str
    calls: int = 0


class RecordKeeper:
    """Keeps one writer's chain: the `Recorder` of an agent's replica, or of a person's command."""

    def __init__(
        self, root: Path, name: str, *, bounds: Bounds | None = None, clock: Clock | None = None
    ) -> None:
        """`name` is what people know the writer by: the agent's replica, or a person's machine."""
        self._root, self._name = root, name
        self._bounds = bounds or Bounds()
        self._clock = clock or Clock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._queue: deque[_Call] = deque()
        self._turn = asyncio.Semaphore(MAX_WAITING)
        self._wanted = asyncio.Event()
        self._segments: Segments | None = None
        self._task: asyncio.Task[None] | None = None
        self._outage: _Outage | None = None
        self.grown: Callable[[], None] | None = None
        """Called whenever records have become durable."""

    async def __aenter__(self) -> Self:
        """Take the folder, and find where the chain goes on; raise `RecordError`."""
        loop = asyncio.get_running_loop()
        self._segments = await loop.run_in_executor(
            self._thread, Segments, self._root, self._name, self._bounds
        )
        self._task = asyncio.create_task(self._commit_forever(self._segments))
        if self._segments.found:
            _log.warning("record.torn", writer=self.writer, cut=len(self._segments.found))
            try:
                await self.write(self._segments.found)
            except BaseException:
                await self.__aexit__(None, None, None)
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits, and let another process have the folder."""
        task, self._task = self._task, None
        if task is not None:
            self._wanted.set()
            await task
        if self._segments is not None:
            self._segments.close()
        self._thread.shutdown()

    @property
    def writer(self) -> str:
        """The chain's name, which no other chain has."""
        return self._open.writer

    @property
    def folder(self) -> Path:
        """Where the chain's files are."""
        return self._open.folder

    @property
    def head(self) -> Head:
        """The last record that is durable."""
        return self._open.head

    @property
    def file(self) -> Path | None:
        """The file that grows now; None before the first record."""
        return self._open.file

    @property
    def signed(self) -> int:
        """The last record that was signed when this began."""
        return self._open.signed

    @property
    def said(self) -> int:
        """The end of the last group in which something was said that would have to be signed."""
        return self._open.said

    @property
    def seen(self) -> Mapping[str, int]:
        """How far other writers' chains were, when it was noted last before this began."""
        return self._open.seen

    async def surplus(self) -> tuple[list[Path], Head | None]:
        """Give the oldest files that are beyond the bound, and the last record in them."""
        return await self._in_thread(self._open.surplus)

    async def drop(self, files: Sequence[Path]) -> None:
        """Remove files, the oldest first."""
        await self._in_thread(partial(self._open.drop, files))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except OSError as failure:
            raise refused(self._root, failure) from None

    @property
    def _open(self) -> Segments:
        if self._segments is None:
            raise _closed()
        return self._segments

    async def write(self, notes: Sequence[Note]) -> None:
        """Return once all of them are durable, in this order; else raise `RecordError`."""
        if notes:
            await self.append(notes)

    async def append(self, notes: Sequence[Note]) -> int:
        """Do the same; give the number of the last record."""
        lines = [settled(note) for note in notes]
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._turn:
                if self._task is None:
                    raise _closed()
                call = _Call(lines, asyncio.get_running_loop().create_future())
                self._queue.append(call)
                self._wanted.set()
                return await call.done
        except TimeoutError:
            raise RecordError(
                f"the record in {self._root} was not written within {WAIT_SECONDS:g} s",
                remedy="look at its disk; what has to be recorded does not happen until then",
            ) from None

    async def _commit_forever(self, segments: Segments) -> None:
        loop = asyncio.get_running_loop()
        while self._task is not None or self._queue:
            await self._wanted.wait()
            self._wanted.clear()
            while calls := self._group():
                last = 0
                failure: FluxSecretError | None = None
                try:
                    work = partial(self._commit, segments, calls)
                    last = await loop.run_in_executor(self._thread, work)
                except FluxSecretError as error:
                    failure = error
                except Exception as error:  # noqa: BLE001 -- whoever waits has to hear of it
                    failure = BugError(f"the record cannot be written: {type(error).__name__}")
                self._answer(calls, last, failure)

    def _group(self) -> list[_Call]:
        calls: list[_Call] = []
        size = 0
        while self._queue and size < MAX_GROUP:
            call = self._queue.popleft()
            if not call.done.done():  # nobody waits for it any more
                calls.append(call)
                size += len(call.notes)
        return calls

    def _commit(self, segments: Segments, calls: Sequence[_Call]) -> int:
        """Write one group; give the number of its last record. In the thread."""
        notes = [note for call in calls for note in call.notes]
        outage = self._outage
        if outage is not None:
            said: Mapping[str, str | int] = {
                "since": outage.since,
                "reason": outage.why,
                "calls": outage.calls,
            }
            notes = [settled(Note(Kind.RESUMED, segments.writer, said)), *notes]
        segments.append(notes, stamp(self._clock.now()))
        return segments.head.seq

    def _answer(self, calls: list[_Call], last: int, failure: FluxSecretError | None) -> None:
        if failure is None:
            if self._outage is not None:
                _log.warning("record.resumed", writer=self.writer, refused=self._outage.calls)
            self._outage = None
        elif isinstance(failure, RecordError):
            if self._outage is None:
                self._outage = _Outage(stamp(self._clock.now()), failure.what)
                _log.error("record.failed", err=failure.what, remedy=failure.remedy)
            self._outage.calls += len(calls)
        seq = last - sum(len(call.notes) for call in calls)
        for call in calls:
            seq += len(call.notes)
            if call.done.done():
                continue
            if failure is None:
                call.done.set_result(seq)
            else:
                call.done.set_exception(type(failure)(failure.what, remedy=failure.remedy))
        if failure is None and self.grown is not None:
            self.grown()


def stamp(moment: datetime) -> str:
    """Write a moment as the record does: RFC 3339, UTC, milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _closed() -> RecordError:
    return RecordError("the record is closed", remedy="this process ends; start it again")
