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
import signal
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
from flux_secret.outside.supervision.group import descendants, end

ENDS_EVERYTHING: Final = sys.platform == "linux"
"""Whether every descendant is reached here, or only the process group."""

_ROOT: Final = Path(server.__file__).parents[3]
# -I keeps the working directory, which is the program's, off the path that modules come from
_MAIN: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from flux_secret.outside.supervision.server import main; main(int(sys.argv[2]))"
)
_SERVER: Final = (sys.executable, "-I", "-S", "-c", _MAIN, str(_ROOT))
_PATIENCE_SECONDS: Final = 2 * server.GRACE_SECONDS  # with a server that does not answer
_STATUS_BYTES: Final = 64


class SupervisorLostError(FluxSecretError):
    """The process that starts and ends commands was killed."""

    exit_code = 5
    retryable = True


class Supervisors:
    """Runs programs under supervision; opened with `async with`."""

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._server: _Server | None = None

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
                await to_its_end(self._start())

    async def _start(self) -> None:
        if self._server is not None:
            await self._server.end()
        self._server = await _Server.start()


class _Server:
    """A running fork server."""

    def __init__(self, requests: socket.socket, process: asyncio.subprocess.Process) -> None:
        self._requests = requests
        self._process = process

    @classmethod
    async def start(cls) -> Self:
        """Start one; it has nothing of ours but its end of a socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        with theirs:
            handle = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *_SERVER,
                str(handle),
                env={},
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[handle],
                start_new_session=True,
            )
        return cls(ours, process)

    @property
    def has_ended(self) -> bool:
        """Whether it was killed; its socket knows before asyncio does."""
        try:
            self._requests.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return self._process.returncode is not None
        except OSError:
            return True
        return True  # it never says anything here, so this is its end

    async def ask(self, handles: Sequence[int]) -> None:
        """Send a request; raise `SupervisorLostError` when it has ended."""
        while True:
            try:
                socket.send_fds(self._requests, [b"job"], handles)
            except BlockingIOError:
                await _writable(self._requests)
            except OSError:
                raise _lost() from None
            else:
                return

    async def end(self) -> None:
        """End it, and every command with it."""
        self._requests.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it when it does not answer: something has stopped it."""
        if self._process.returncode is None:
            everything = descendants(self._process.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            end(everything)
        await self._process.wait()


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

    def __init__(self, program: str, limits: Limits, served_by: _Server) -> None:
        self._printed = Printed(program, limits)
        self._server = served_by
        self._pipes: list[asyncio.BaseTransport] = []
        self._control: socket.socket | None = None
        self._status: asyncio.Task[bytes] | None = None

    async def start(self, job: Job) -> None:
        """Hand the job to the server."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as theirs:
            handles = [_file_of(job.packed())]
            theirs.callback(os.close, handles[0])
            for stream in (STDOUT, STDERR):
                reads, writes = os.pipe()
                theirs.callback(os.close, writes)
                handles.append(writes)
                collects = partial(_Stream, self._printed, stream)
                pipe, _ = await loop.connect_read_pipe(collects, os.fdopen(reads, "rb"))
                self._pipes.append(pipe)
            self._control, end_of_theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control.settimeout(0)
            theirs.enter_context(end_of_theirs)
            await self._server.ask([*handles, end_of_theirs.fileno()])
        self._status = loop.create_task(loop.sock_recv(self._control, _STATUS_BYTES))

    async def finished(self) -> None:
        """Wait until it has ended and its output is read; raise `OutputLimitError`."""
        assert self._status is not None  # noqa: S101 -- it was started
        overflow, all_read = self._printed.overflow, self._printed.all_read
        await first(self._status, overflow)
        # whoever could hold a pipe open has ended: its end will come
        await first(all_read, overflow)
        if overflow.done():
            raise overflow.result()

    async def end(self) -> None:
        """End it, and what it started, unless it has ended; wait until it is gone."""
        if self._control is not None:
            if self._status is not None:
                await self._ended(self._control, self._status)
            self._control.close()
        for pipe in self._pipes:
            pipe.close()

    async def _ended(self, control: socket.socket, status: asyncio.Task[bytes]) -> None:
        if not status.done():
            with contextlib.suppress(OSError):  # the server has ended
                control.shutdown(socket.SHUT_WR)
            await first(status, timeout_seconds=_PATIENCE_SECONDS)
        if not status.done():
            await self._server.kill()
            await first(status)

    def completed(self) -> Completed:
        """Say how it ended; raise `SupervisorLostError` when nobody knows."""
        assert self._status is not None  # noqa: S101 -- it was started
        try:
            untrusted = self._status.result()
        except OSError:
            untrusted = b""
        if not untrusted:
            raise _lost()
        return self._printed.completed(os.waitstatus_to_exitcode(int(untrusted)))


def _check(argv: Sequence[str], cwd: Path) -> None:
    if not cwd.is_dir() or any("\0" in word for word in argv):
        raise not_started(argv[0], ValueError(), cwd)


def _file_of(content: bytes) -> int:
    handle = os.memfd_create("job")
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


async def _writable(one: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(one, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(one)


def _lost() -> SupervisorLostError:
    return SupervisorLostError(
        "the process that starts and ends commands was killed",
        remedy="it is started again at the next try; look for what kills processes here",
    )
