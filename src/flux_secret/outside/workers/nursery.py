"""A job → what came of it, done in a process of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import structlog

import flux_secret
from flux_secret.errors import BugError, FluxSecretError
from flux_secret.model.bounds import WorkerBounds
from flux_secret.outside.process import to_its_end
from flux_secret.outside.supervision.served import Asked, Served, ServerGoneError, file_of
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workers.failure import lost, not_started, too_slow
from flux_secret.outside.workers.messages import (
    Answer,
    Failure,
    Given,
    Line,
    Question,
    framed,
    packed,
    received,
    unpacked,
)

START_SECONDS: Final = 60.0
_ROOT: Final = Path(flux_secret.__file__).parents[1]
_MAIN: Final = (
    "import importlib, sys; sys.path.insert(0, sys.argv[1]);"
    "importlib.import_module(sys.argv[2]).main(*map(int, sys.argv[3:]))"
)
_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})
_log = structlog.get_logger()

Answers: TypeAlias = Callable[[Any], Awaitable[object]]
"""A worker's question → its answer; a `FluxSecretError` is raised where it asked."""


@dataclass(frozen=True, slots=True)
class Program:
    """The fork server: its `main` calls `cradle.serve`."""

    module: str
    prepared: object
    """What it is given once, for all workers: words of ours."""
    env: Mapping[str, str]
    """Its whole environment."""
    root: Path = _ROOT
    """Where the module is found."""
    handles: tuple[int, ...] = ()
    """What it inherits besides; its `main` is told their numbers last."""


class Nursery:
    """Has work done by workers; opened with `async with`.

    The fork server starts with the first job, and anew when it was killed.
    """

    def __init__(
        self, program: Program, supervisors: Supervisors, bounds: WorkerBounds | None = None
    ) -> None:
        """Begin; workers' commands are started by `supervisors`, which is lent to them."""
        self._program = program
        self._supervisors = supervisors
        self._bounds = bounds or WorkerBounds()
        self._starting = asyncio.Lock()
        self._served: Served | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._served is not None:
            await to_its_end(self._served.end())
            self._served = None

    async def work(self, job: object, answer: Answers) -> Any:  # noqa: ANN401 -- what came of it
        """Have it done; raise what the work raised, and `WorkerLostError`.

        However this ends, the worker and everything that it started have ended.
        """
        supervisors = await self._supervisors.lend()
        given = packed(Given(job, supervisors.pid, self._bounds.memory_bytes))
        worker = _Worker(await self._open())
        try:
            await to_its_end(worker.start(given, supervisors))
            async with asyncio.timeout(self._bounds.seconds):
                return await worker.outcome(answer)
        except TimeoutError:
            raise too_slow(self._bounds.seconds) from None
        finally:
            await to_its_end(worker.end())

    async def _open(self) -> Served:
        async with self._starting:
            if self._served is None or self._served.has_ended:
                await to_its_end(self._start())
            assert self._served is not None  # noqa: S101 -- it was started
            return self._served

    async def _start(self) -> None:
        if self._served is not None:
            await self._served.end()
            self._served = None
        argv = (sys.executable, "-I", "-c", _MAIN, str(self._program.root), self._program.module)
        prepared = file_of(packed(self._program.prepared))
        told, tells = os.pipe()
        try:
            served = await Served.start(
                argv, (prepared, tells, *self._program.handles), self._program.env
            )
        finally:
            os.close(prepared)
            os.close(tells)
        async with _reading(told) as stream:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    said = await stream.read()
                    if said and isinstance(unpacked(said), Answer):
                        self._served = served
                        return
        await served.end()
        failure = unpacked(said) if said else None
        raise failure.error if isinstance(failure, Failure) else not_started(served.returncode)


class _Worker:
    """One worker, seen from its parent."""

    def __init__(self, served: Served) -> None:
        self._asked = Asked(served)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def start(self, given: bytes, supervisors: Served) -> None:
        """Hand over the job."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._streams = await asyncio.open_unix_connection(sock=ours)
        job = file_of(given)
        try:
            await self._asked.start([job, theirs.fileno(), supervisors.fileno()])
        except ServerGoneError:
            raise lost(None) from None
        finally:
            theirs.close()
            os.close(job)

    async def outcome(self, answer: Answers) -> Any:  # noqa: ANN401 -- what came of the work
        """Answer its questions until it says what came of its work."""
        assert self._streams is not None  # noqa: S101 -- it was started
        reader, writer = self._streams
        while (message := await received(reader)) is not None:
            match message:
                case Question(content):
                    writer.write(framed(await _answered(answer, content)))
                case Line(level, facts):
                    _logged(level, facts)
                case Answer(content):
                    return content
                case Failure(error):
                    raise error
                case _:
                    raise BugError("a worker said what no worker says")
        await asyncio.wait({self._asked.ended})
        raise lost(self._asked.returncode())

    async def end(self) -> None:
        """End it, unless it has ended; wait until it is gone."""
        await self._asked.end()
        if self._streams is not None:
            self._streams[1].close()


async def _answered(answer: Answers, question: object) -> Answer | Failure:
    try:
        return Answer(await answer(question))
    except FluxSecretError as error:
        return Failure(error)


def _logged(level: str, facts: Mapping[str, Any]) -> None:
    """Log what a worker says, as if it had been said here."""
    event = str(facts.get("event", ""))
    rest = {name: value for name, value in facts.items() if name != "event"}
    if level in _LEVELS:
        getattr(_log, level)(event, **rest)


@asynccontextmanager
async def _reading(handle: int) -> AsyncIterator[asyncio.StreamReader]:
    stream = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(stream)
    pipe, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(handle, "rb"))
    try:
        yield stream
    finally:
        pipe.close()
