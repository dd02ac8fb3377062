"""argv → exit status, stdout and stderr, as `process.run` gives them; nothing of it is left.

Everything that the program started is ended with it, daemons and other sessions included (Linux;
elsewhere its process group only: `ENDS_EVERYTHING` says which), and it is kept within a
`Confinement`. The fork server that this takes starts with the first program, ends with the
`async with`, and is started anew when it was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self

from flux_secret.errors import FluxSecretError
from flux_secret.outside.process import (
    STDERR,
    STDOUT,
    Completed,
    Limits,
    Printed,
    ProcessTimeoutError,
    first,
    not_started,
    run,
    to_its_end,
)
from flux_secret.outside.supervision import server
from flux_secret.outside.supervision.confinement import Confinement, Job
from flux_secret.outside.supervision.served import Asked, Served, ServerGoneError, file_of

ENDS_EVERYTHING: Final = sys.platform == "linux"
"""Whether every descendant is reached here, or only the process group."""

_ROOT: Final = Path(server.__file__).parents[3]
# -I keeps the working directory, which is the program's, off the path that modules come from
_MAIN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from flux_secret.outside.supervision.server import main; main(int(sys.argv[2]))"
)
_SERVER: Final = (sys.executable, "-I", "-S", "-c", _MAIN, str(_ROOT))


class SupervisorLostError(FluxSecretError):
    """The process that starts and ends commands was killed."""

    exit_code = 5
    retryable = True


class Supervisors:
    """Runs programs under supervision; opened with `async with`."""

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._server: Served | None = None
        self._is_lent = False

    @classmethod
    def borrowed(cls, requests: socket.socket, pid: int) -> Self:
        """Use the fork server of another process, as long as it lives."""
        requests.settimeout(0)
        one = cls()
        one._server, one._is_lent = Served(requests, pid), True
        return one

    async def lend(self) -> Served:
        """Give the fork server, so that another process may ask it, too."""
        await self._open()
        assert self._server is not None  # noqa: S101 -- it was opened
        return self._server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        if self._server is not None:
            await to_its_end(self._server.end())
            self._server = None

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        limits: Limits | None = None,
        confinement: Confinement | None = None,
    ) -> Completed:
        """Run a program to its end; its standard input is the null device.

        `returncode` is 128 + the signal that ended it, as shells say it; minus a signal is the
        supervisor's own end, which names the bound that was exceeded (`group.OVER_MEMORY` and its
        like). Raises what `process.run` raises, and `SupervisorLostError`.
        """
        limits = limits or Limits()
        if not ENDS_EVERYTHING:
            return await run(argv, env=env, cwd=cwd, limits=limits)
        job = Job(argv, dict(env), str(cwd), confinement or Confinement())
        _check(argv, cwd)
        await self._open()
        assert self._server is not None  # noqa: S101 -- it was opened
        command = _Command(argv[0], limits, self._server)
        try:
            await to_its_end(command.start(job))
            async with asyncio.timeout(limits.timeout_seconds):
                await command.finished()
        except TimeoutError:
            raise ProcessTimeoutError(
                f"{argv[0]} did not end within {limits.timeout_seconds:g} s"
            ) from None
        finally:
            await to_its_end(command.end())
        return command.completed()

    async def _open(self) -> None:
        """Start the server, unless it runs."""
        async with self._starting:
            if self._server is None or self._server.has_ended:
                if self._is_lent:
                    raise _lost()
                await to_its_end(self._start())

    async def _start(self) -> None:
        if self._server is not None:
            await self._server.end()
        self._server = await Served.start(_SERVER)


class _Stream(asyncio.Protocol):
    """The reading end of one of a command's streams."""

    def __init__(self, printed: Printed, stream: int) -> None:
        self._printed = printed
        self._stream = stream
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what can be paused."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect, up to the limit."""
        self._printed.take(self._stream, data)
        if self._printed.overflow.done() and isinstance(self._transport, asyncio.ReadTransport):
            self._transport.pause_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        """Note that nothing more will come."""
        self._printed.ended(self._stream)


class _Command:
    """One supervised program."""

    def __init__(self, program: str, limits: Limits, served_by: Served) -> None:
        self._printed = Printed(program, limits)
        self._pipes: list[asyncio.BaseTransport] = []
        self._supervisor = Asked(served_by)

    async def start(self, job: Job) -> None:
        """Hand the job to the server."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as theirs:
            handles = [file_of(job.packed())]
            theirs.callback(os.close, handles[0])
            for stream in (STDOUT, STDERR):
                reads, writes = os.pipe()
                theirs.callback(os.close, writes)
                handles.append(writes)
                collects = partial(_Stream, self._printed, stream)
                pipe, _ = await loop.connect_read_pipe(collects, os.fdopen(reads, "rb"))
                self._pipes.append(pipe)
            try:
                await self._supervisor.start(handles)
            except ServerGoneError:
                raise _lost() from None

    async def finished(self) -> None:
        """Wait until it has ended and its output is read; raise `OutputLimitError`."""
        overflow, all_read = self._printed.overflow, self._printed.all_read
        await first(self._supervisor.ended, overflow)
        # whoever could hold a pipe open has ended: its end will come
        await first(all_read, overflow)
        if overflow.done():
            raise overflow.result()

    async def end(self) -> None:
        """End it, and what it started, unless it has ended; wait until it is gone."""
        await self._supervisor.end()
        for pipe in self._pipes:
            pipe.close()

    def completed(self) -> Completed:
        """Say how it ended; raise `SupervisorLostError` when nobody knows."""
        returncode = self._supervisor.returncode()
        if returncode is None:
            raise _lost()
        return self._printed.completed(returncode)


def _check(argv: Sequence[str], cwd: Path) -> None:
    if not cwd.is_dir() or any("\0" in word for word in argv):
        raise not_started(argv[0], ValueError(), cwd)


def _lost() -> SupervisorLostError:
    return SupervisorLostError(
        "the process that starts and ends commands was killed",
        remedy="it is started again at the next try; look for what kills processes here",
    )
