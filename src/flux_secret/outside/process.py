"""argv → exit status, stdout and stderr, within limits; its process group ended.

A child gets the environment, the working directory and the standard input that are named, and no
file of ours. What it prints is collected as it comes, both streams together. However it ends, also
when whoever waits for it is cancelled, it is gone before `run` returns, and so is its process
group. Programs that we did not choose are run by `supervision`, which ends whatever they started.

A process left behind that keeps stdout open is not waited for: what it prints after the program
has ended does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flux_secret.errors import ConfigurationError, FluxSecretError

MIB: Final = 1024 * 1024
_DRAIN_SECONDS: Final = 1.0  # for output still in the pipe when the program has ended
_DRAIN_TURNS: Final = 8  # of the event loop, 256 KiB each; a pipe holds 64 KiB, at most 1 MiB
_STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
"""Also what asyncio calls them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a child may run and how much it may print."""

    timeout_seconds: float = 20.0
    max_stdout_bytes: int = 16 * MIB
    max_stderr_bytes: int = 1 * MIB
    keep_stderr_tail: bool = False
    """Whether more on stderr is no error: the last bytes are kept then, and the rest dropped.

    It is one all the same once it is more than stdout may have: a flood, not a complaint.
    """


@dataclass(frozen=True, slots=True)
class Completed:
    """How a child ended. `untrusted_stdout` may hold secrets: it never goes to a log."""

    returncode: int
    """Its exit code; when a signal ended it, minus that."""
    untrusted_stdout: bytes
    untrusted_stderr: bytes
    stderr_was_cut: bool = False
    """Whether only the end of stderr was kept."""


class ProcessTimeoutError(FluxSecretError):
    """The child did not end within `Limits.timeout_seconds`."""

    exit_code = 5
    retryable = True


class OutputLimitError(ConfigurationError):
    """The child printed more than `Limits` allow."""


class CommandNotFoundError(ConfigurationError):
    """There is no such program, or it cannot be started."""


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes | int = b"",
    limits: Limits | None = None,
) -> Completed:
    """Run a program to its end.

    `env` is the whole environment of the child; stdin is `stdin` and then end of file, or the open
    file of that number. Raises `ProcessTimeoutError`, `OutputLimitError`, `CommandNotFoundError`;
    in each case, and when the caller is cancelled, the child has ended first.
    """
    limits = limits or Limits()
    child = _Child(argv[0], limits)
    try:
        await to_its_end(child.start(list(argv), env, cwd, stdin))
        async with asyncio.timeout(limits.timeout_seconds):
            await child.finished()
    except TimeoutError:
        raise ProcessTimeoutError(
            f"{argv[0]} did not end within {limits.timeout_seconds:g} s"
        ) from None
    finally:
        await to_its_end(child.end())
    return child.completed()


async def to_its_end(work: Coroutine[None, None, None]) -> None:
    """Finish starting or ending a child even when we are cancelled meanwhile, perhaps twice."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # looked at: being cancelled is what counts now
        raise cancelled
    task.result()


async def first(*futures: asyncio.Future[Any], timeout_seconds: float | None = None) -> None:
    """Wait until one of them is done, or the time is over."""
    await asyncio.wait(futures, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)


class Printed:
    """What a child prints on its two streams, up to its limits."""

    def __init__(self, program: str, limits: Limits) -> None:
        self._program = program
        self._limits = limits
        self._bytes = {STDOUT: bytearray(), STDERR: bytearray()}
        self._read = {STDOUT: 0, STDERR: 0}
        self._open = {STDOUT, STDERR}
        self._stderr_was_cut = False
        loop = asyncio.get_running_loop()
        self.all_read: asyncio.Future[None] = loop.create_future()
        """Done when nothing more will come."""
        self.overflow: asyncio.Future[OutputLimitError] = loop.create_future()
        """Done when it was more than the limits allow."""

    def take(self, stream: int, data: bytes | memoryview) -> None:
        """Collect, up to the limit."""
        printed = self._bytes[stream]
        printed += data
        self._read[stream] += len(data)
        limits = self._limits
        is_tail = stream == STDERR and limits.keep_stderr_tail
        limit = (
            limits.max_stderr_bytes if stream == STDERR and not is_tail else limits.max_stdout_bytes
        )
        if is_tail and len(printed) > 2 * limits.max_stderr_bytes:  # twice: so it is moved seldom
            self._cut_stderr()
        if self._read[stream] > limit and not self.overflow.done():
            name = "standard output" if stream == STDOUT else "standard error"
            self.overflow.set_result(
                OutputLimitError(
                    f"{self._program} printed more than {limit} bytes on {name} and was ended"
                )
            )

    def ended(self, stream: int) -> None:
        """Note that nothing more will come on a stream."""
        self._open.discard(stream)
        if not self._open and not self.all_read.done():
            if self._limits.keep_stderr_tail:
                self._cut_stderr()
            self.all_read.set_result(None)

    def completed(self, returncode: int) -> Completed:
        """Give it with the exit code."""
        return Completed(
            returncode,
            bytes(self._bytes[STDOUT]),
            bytes(self._bytes[STDERR]),
            self._stderr_was_cut,
        )

    def _cut_stderr(self) -> None:
        printed, limit = self._bytes[STDERR], self._limits.max_stderr_bytes
        if len(printed) > limit:
            del printed[:-limit]
            self._stderr_was_cut = True


class _Child(asyncio.SubprocessProtocol):
    """One process: collects what it prints, and knows how to end it."""

    def __init__(self, program: str, limits: Limits) -> None:
        self._program = program
        self._transport: asyncio.SubprocessTransport | None = None
        self._printed = Printed(program, limits)
        self._exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, stdin: bytes | int
    ) -> None:
        """Start it and hand it its input."""
        given: int = asyncio.subprocess.PIPE
        if isinstance(stdin, int):
            given = stdin
        elif not stdin:  # a pipe that is empty is not what scripts know: Flux v1 gives /dev/null
            given = asyncio.subprocess.DEVNULL
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: self,
                *command,
                env=dict(env),
                cwd=cwd,
                stdin=given,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise not_started(self._program, error, cwd) from None
        self._transport = transport
        feed = transport.get_pipe_transport(_STDIN)
        if isinstance(feed, asyncio.WriteTransport) and isinstance(stdin, bytes):
            feed.write(stdin)
            feed.write_eof()

    async def finished(self) -> None:
        """Wait until it has ended and its output is read; raise `OutputLimitError`."""
        overflow, all_read = self._printed.overflow, self._printed.all_read
        await first(self._exited, overflow)
        await first(all_read, overflow, timeout_seconds=_DRAIN_SECONDS)
        for _ in range(_DRAIN_TURNS):  # the loop may have been late: take what is there
            await asyncio.sleep(0)
        if overflow.done():
            raise overflow.result()

    async def end(self) -> None:
        """End it and its process group, unless it has ended; wait until it is gone."""
        transport = self._transport
        if transport is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        await self._exited
        transport.close()

    def completed(self) -> Completed:
        """Say how it ended."""
        assert self._transport is not None  # noqa: S101 -- it was started, and it has ended
        return self._printed.completed(self._transport.get_returncode() or 0)

    def pipe_data_received(self, fd: int, data: bytes | memoryview) -> None:
        """Collect, up to the limit."""
        self._printed.take(fd, data)
        if self._printed.overflow.done() and self._transport is not None:
            pipe = self._transport.get_pipe_transport(fd)
            if isinstance(pipe, asyncio.ReadTransport):
                pipe.pause_reading()

    def pipe_connection_lost(self, fd: int, _error: Exception | None) -> None:
        """Note that nothing more will come."""
        self._printed.ended(fd)

    def process_exited(self) -> None:
        """Note that it has ended."""
        if not self._exited.done():
            self._exited.set_result(None)


def not_started(program: str, error: OSError | ValueError, cwd: Path) -> CommandNotFoundError:
    """Say why a program could not be started in a directory."""
    if not cwd.is_dir():
        return CommandNotFoundError(
            f"{program} cannot run in {cwd}: there is no such directory",
            remedy="something has removed it; keep the directory that commands run in",
        )
    if isinstance(error, FileNotFoundError):
        return CommandNotFoundError(
            f"the program {program!r} is not there",
            remedy=f"install {program} or mend PATH",
        )
    reason = error.strerror if isinstance(error, OSError) else "a NUL character in its words"
    return CommandNotFoundError(
        f"the program {program!r} cannot be started: {reason}",
        remedy="run it by hand as the same user",
    )
