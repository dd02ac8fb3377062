"""argv → exit status, stdout and stderr, within limits; every descendant ended.

A child gets the environment, the working directory and the standard input that are named, and no
file of ours. What it prints is collected as it comes, both streams together. However it ends, also
when whoever waits for it is cancelled, it is gone before `run` returns:

1. supervised (Linux; programs that we did not choose): everything it started is ended with it,
   daemons and other sessions included, by `supervisor.py`, which also keeps it within a
   `Confinement` where one is given; elsewhere its process group only
   (`ENDS_EVERYTHING` says which);
2. else: its process group.

A process left behind that keeps stdout open is not waited for: what it prints after the program
has ended does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.outside import supervisor
from flux_secret.outside.confinement import Confinement

MIB: Final = 1024 * 1024
ENDS_EVERYTHING: Final = sys.platform == "linux"
"""Whether `supervised` reaches every descendant here, or only the process group."""

_ROOT: Final = Path(supervisor.__file__).parents[2]
# -I keeps the working directory, which is the program's, off the path that modules come from
_MAIN: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    "from flux_secret.outside.supervisor import main; sys.exit(main(sys.argv[1:]))"
)
_SUPERVISED: Final = (sys.executable, "-I", "-S", "-c", _MAIN, str(_ROOT))
_GRACE_SECONDS: Final = 5.0  # for a supervisor to kill and collect everything; it needs a few ms
_DRAIN_SECONDS: Final = 1.0  # for output still in the pipe when the program has ended
_DRAIN_TURNS: Final = 8  # of the event loop, 256 KiB each; a pipe holds 64 KiB, at most 1 MiB
_STDIN, _STDOUT, _STDERR = 0, 1, 2  # also what asyncio calls them


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
    """Its exit code; when a signal ended it, 128 + that if it was supervised, else minus that.

    Minus a signal of a supervised child is the supervisor's own end: it names the bound that was
    exceeded (`supervisor.OVER_MEMORY` and its like).
    """
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


async def run(  # noqa: PLR0913 -- what a child gets is said in full at every call
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    limits: Limits | None = None,
    supervised: bool | Confinement = False,
) -> Completed:
    """Run a program to its end.

    `env` is the whole environment of the child; stdin is `stdin` and then end of file. Raises
    `ProcessTimeoutError`, `OutputLimitError`, `CommandNotFoundError`; in each case, and when the
    caller is cancelled, the child has ended first.
    """
    limits = limits or Limits()
    command = list(argv)
    is_supervised = ENDS_EVERYTHING and supervised is not False
    if is_supervised:
        confinement = supervised if isinstance(supervised, Confinement) else Confinement()
        command = [*_SUPERVISED, *confinement.words(), "--", *argv]
    child = _Child(argv[0], limits, supervised=is_supervised)
    try:
        await _to_its_end(child.start(command, env, cwd, stdin))
        async with asyncio.timeout(limits.timeout_seconds):
            await child.finished()
    except TimeoutError:
        raise ProcessTimeoutError(
            f"{argv[0]} did not end within {limits.timeout_seconds:g} s"
        ) from None
    finally:
        await _to_its_end(child.end())
    return child.completed()


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
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


async def _first(*futures: asyncio.Future[Any], timeout_seconds: float | None = None) -> None:
    await asyncio.wait(futures, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)


class _Child(asyncio.SubprocessProtocol):
    """One process: collects what it prints, and knows how to end it."""

    def __init__(self, program: str, limits: Limits, *, supervised: bool) -> None:
        self._program = program
        self._limits = limits
        self._supervised = supervised
        self._transport: asyncio.SubprocessTransport | None = None
        self._printed = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._read = {_STDOUT: 0, _STDERR: 0}
        self._open = {_STDOUT, _STDERR}
        self._stderr_was_cut = False
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = loop.create_future()
        self._drained: asyncio.Future[None] = loop.create_future()
        self._overflow: asyncio.Future[OutputLimitError] = loop.create_future()

    async def start(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, stdin: bytes
    ) -> None:
        """Start it and hand it its input."""
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: self,
                *command,
                env=dict(env),
                cwd=cwd,
                # a pipe that is empty is not what scripts know: Flux v1 gives them /dev/null
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise self._not_started(error, cwd) from None
        self._transport = transport
        feed = transport.get_pipe_transport(_STDIN)
        if isinstance(feed, asyncio.WriteTransport):
            feed.write(stdin)
            feed.write_eof()

    def _not_started(self, error: OSError | ValueError, cwd: Path) -> CommandNotFoundError:
        if not cwd.is_dir():
            return CommandNotFoundError(
                f"{self._program} cannot run in {cwd}: there is no such directory",
                remedy="something has removed it; keep the directory that commands run in",
            )
        if isinstance(error, FileNotFoundError):
            return CommandNotFoundError(
                f"the program {self._program!r} is not there",
                remedy=f"install {self._program} or mend PATH",
            )
        reason = error.strerror if isinstance(error, OSError) else "a NUL character in its words"
        return CommandNotFoundError(
            f"the program {self._program!r} cannot be started: {reason}",
            remedy="run it by hand as the same user",
        )

    async def finished(self) -> None:
        """Wait until it has ended and its output is read; raise `OutputLimitError`."""
        await _first(self._exited, self._overflow)
        if self._supervised:  # whoever could hold a pipe open has ended: its end will come
            await _first(self._drained, self._overflow)
        else:
            await _first(self._drained, self._overflow, timeout_seconds=_DRAIN_SECONDS)
            for _ in range(_DRAIN_TURNS):  # the loop may have been late: take what is there
                await asyncio.sleep(0)
        if self._overflow.done():
            raise self._overflow.result()

    async def end(self) -> None:
        """End it, and what it started, unless it has ended; wait until it is gone."""
        transport = self._transport
        if transport is None:
            return
        pid = transport.get_pid()
        if self._supervised and not self._exited.done():
            for number in (signal.SIGTERM, signal.SIGCONT):  # a script may have stopped it
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            await _first(self._exited, timeout_seconds=_GRACE_SECONDS)
            if not self._exited.done():
                supervisor.end(supervisor.descendants(pid))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        await self._exited
        transport.close()

    def completed(self) -> Completed:
        """Say how it ended."""
        assert self._transport is not None  # noqa: S101 -- it was started, and it has ended
        return Completed(
            self._transport.get_returncode() or 0,
            bytes(self._printed[_STDOUT]),
            bytes(self._printed[_STDERR]),
            self._stderr_was_cut,
        )

    def pipe_data_received(self, fd: int, data: bytes | memoryview) -> None:
        """Collect, up to the limit."""
        printed = self._printed[fd]
        printed += data
        self._read[fd] += len(data)
        limits = self._limits
        is_tail = fd == _STDERR and limits.keep_stderr_tail
        limit = (
            limits.max_stderr_bytes if fd == _STDERR and not is_tail else limits.max_stdout_bytes
        )
        if is_tail and len(printed) > 2 * limits.max_stderr_bytes:  # twice: so it is moved seldom
            self._cut_stderr()
        if self._read[fd] > limit and not self._overflow.done():
            name = "standard output" if fd == _STDOUT else "standard error"
            self._overflow.set_result(
                OutputLimitError(
                    f"{self._program} printed more than {limit} bytes on {name} and was ended"
                )
            )
            self._stop_reading(fd)

    def pipe_connection_lost(self, fd: int, _error: Exception | None) -> None:
        """Note that nothing more will come."""
        self._open.discard(fd)
        if not self._open and not self._drained.done():
            if self._limits.keep_stderr_tail:
                self._cut_stderr()
            self._drained.set_result(None)

    def process_exited(self) -> None:
        """Note that it has ended."""
        if not self._exited.done():
            self._exited.set_result(None)

    def _cut_stderr(self) -> None:
        printed, limit = self._printed[_STDERR], self._limits.max_stderr_bytes
        if len(printed) > limit:
            del printed[:-limit]
            self._stderr_was_cut = True

    def _stop_reading(self, fd: int) -> None:
        pipe = self._transport.get_pipe_transport(fd) if self._transport is not None else None
        if isinstance(pipe, asyncio.ReadTransport):
            pipe.pause_reading()
