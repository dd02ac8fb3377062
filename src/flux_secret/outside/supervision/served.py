"""A fork server, seen from who asks it: start it, ask it for processes, end them and it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Final, Self

from flux_secret.outside.process import first
from flux_secret.outside.supervision.forkserver import GRACE_SECONDS
from flux_secret.outside.supervision.group import descendants, end

PATIENCE_SECONDS: Final = 2 * GRACE_SECONDS  # with a server that does not answer
_STATUS_BYTES: Final = 64


class ServerGoneError(Exception):
    """The fork server has ended; whoever asks it says what that means."""


class Served:
    """A running fork server: one that we have started, or one that somebody lends us."""

    def __init__(
        self, requests: socket.socket, pid: int, process: asyncio.subprocess.Process | None = None
    ) -> None:
        """`process` is None for a lent one."""
        self._requests = requests
        self.pid = pid
        self._process = process

    @classmethod
    async def start(
        cls, argv: Sequence[str], handles: Sequence[int] = (), env: Mapping[str, str] | None = None
    ) -> Self:
        """Start one; its words are followed by its end of a socket, and by `handles`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        with theirs:
            handle = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *argv,
                str(handle),
                *map(str, handles),
                env=dict(env or {}),
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[handle, *handles],
                start_new_session=True,
            )
        return cls(ours, process.pid, process)

    @property
    def has_ended(self) -> bool:
        """Whether it was killed; its socket knows before asyncio does."""
        try:
            self._requests.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return self._process is not None and self._process.returncode is not None
        except OSError:
            return True
        return True  # it never says anything here, so this is its end

    @property
    def returncode(self) -> int | None:
        """How one that we have started has ended."""
        return None if self._process is None else self._process.returncode

    def fileno(self) -> int:
        """Give the socket that requests go to, for whoever it is lent to."""
        return self._requests.fileno()

    async def ask(self, handles: Sequence[int]) -> None:
        """Send a request; raise `ServerGoneError` when it has ended."""
        while True:
            try:
                socket.send_fds(self._requests, [b"job"], handles)
            except BlockingIOError:
                await _writable(self._requests)
            except OSError:
                raise ServerGoneError from None
            else:
                return

    async def end(self) -> None:
        """End it, and every process that it has forked; a lent one is only let go."""
        self._requests.close()
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._process.wait()
            await self.kill()

    async def kill(self) -> None:
        """End it when it does not answer: something has stopped it."""
        everything = descendants(self.pid)
        if self._process is None:
            if not self.has_ended:
                end([self.pid, *everything])
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            end(everything)
        await self._process.wait()


class Asked:
    """One process that a fork server was asked for: how it ended, and its end."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._control: socket.socket | None = None
        self._status: asyncio.Task[bytes] | None = None

    async def start(self, handles: Sequence[int]) -> None:
        """Ask for it, with three descriptors; raise `ServerGoneError`."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(0)
        with theirs:
            await self._served.ask([*handles, theirs.fileno()])
        loop = asyncio.get_running_loop()
        self._status = loop.create_task(loop.sock_recv(self._control, _STATUS_BYTES))

    @property
    def ended(self) -> asyncio.Task[bytes]:
        """Is done when it has ended."""
        assert self._status is not None, "it was started"  # noqa: S101
        return self._status

    def returncode(self) -> int | None:
        """Say how it ended, minus a signal; None when nobody knows: its server was killed."""
        try:
            untrusted = self.ended.result()
        except OSError:
            return None
        return os.waitstatus_to_exitcode(int(untrusted)) if untrusted else None

    async def end(self) -> None:
        """End it, and what it started, unless it has ended; wait until it is gone."""
        if self._control is None:
            return
        if self._status is not None and not self._status.done():
            with contextlib.suppress(OSError):  # the server has ended
                self._control.shutdown(socket.SHUT_WR)
            await first(self._status, timeout_seconds=PATIENCE_SECONDS)
            if not self._status.done():
                await self._served.kill()
                await first(self._status)
        self._control.close()


def file_of(content: bytes) -> int:
    """Put bytes into a file in memory; give its descriptor, which stands at its beginning."""
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
