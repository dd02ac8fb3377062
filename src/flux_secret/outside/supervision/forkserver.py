"""A fork server: one request → one process, forked from this one; told how it ended.

Starting Python and importing what is needed takes 20 ms and more of a processor; a fork of a
process that has done so takes one. It knows of a job only what the request says, ends when nobody
is left to ask it, and is a subreaper: what its processes leave behind falls to it, and is ended.

1. A request is a message with four descriptors; the last is a socket of its own.
2. Through that socket comes back one message: the process's wait status.
3. When the other end closes it for writing, or altogether, the process is told to end (SIGTERM),
   and is killed with all that it started when it does not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from flux_secret.outside.supervision.group import children, descendants, end

GRACE_SECONDS: Final = 5.0
"""For a process to end what it has started; it needs a few ms."""
HANDLES: Final = 4
BUG: Final = 70
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_RESCAN_SECONDS: Final = 0.002

Become: TypeAlias = Callable[[Sequence[int], int], int]
"""(a request's first three descriptors, the server's process id) → an exit code; never raises."""


def _nothing(_process: int, _status: int) -> None:
    pass


@dataclass(slots=True)
class _Running:
    """A process at work."""

    control: socket.socket
    kill_at: float | None = None
    """When it must have ended, once it was told to."""


class _Gone(Exception):  # noqa: N818 -- no error: the way this process ends
    """Nobody is left to ask us."""


class ForkServer:
    """Forks one process for each request, and tells how it ended."""

    def __init__(
        self, requests: socket.socket, become: Become, ended: Callable[[int, int], None] = _nothing
    ) -> None:
        """Begin; `ended` is called with a process's id and wait status before anybody is told."""
        self._requests = requests
        self._become = become
        self._ended = ended
        self._running: dict[int, _Running] = {}
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._strays = False
        # a signal wakes poll up by a byte in a pipe; nothing else is to be done in its handler
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(self._wake, False)
        self._poll.register(self._wakes, select.POLLIN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve until nobody is left to ask."""
        try:
            while True:
                for handle, _ in self._poll.poll(self._pause_ms()):
                    self._hear(handle)
                self._collect()
                self._kill_late()
        except _Gone:
            self._end_all()

    def _end_all(self) -> None:
        """End everybody below us, also what has left its own parent; a while, at most."""
        until = time.monotonic() + GRACE_SECONDS
        while (everybody := descendants(os.getpid())) and time.monotonic() < until:
            end(everybody)
            self._collect()
            time.sleep(_RESCAN_SECONDS)

    def _pause_ms(self) -> int | None:
        if self._strays:
            return int(_RESCAN_SECONDS * 1000)
        due = [one.kill_at for one in self._running.values() if one.kill_at is not None]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def _hear(self, handle: int) -> None:
        if handle == self._requests.fileno():
            self._take()
        elif handle == self._wakes:
            os.read(handle, 4096)
        else:
            self._poll.unregister(handle)  # it says one thing only, and once
            for process, one in self._running.items():
                if one.control.fileno() == handle:
                    one.kill_at = time.monotonic() + GRACE_SECONDS
                    for number in (signal.SIGTERM, signal.SIGCONT):  # a script may have stopped it
                        os.kill(process, number)

    def _take(self) -> None:
        """Take a request: fork a process for it."""
        message, handles, *_ = socket.recv_fds(self._requests, 16, HANDLES, _CLOEXEC)
        if not message or len(handles) != HANDLES:
            raise _Gone
        *given, control = handles
        parent, process = os.getpid(), os.fork()
        if process == 0:
            mine = [self._requests.fileno(), self._wakes, self._wake, control]
            mine += [one.control.fileno() for one in self._running.values()]
            self._begin(given, mine, parent)
        for handle in given:
            os.close(handle)
        self._running[process] = _Running(socket.socket(fileno=control))
        self._poll.register(control, select.POLLIN | select.POLLRDHUP)

    def _collect(self) -> None:
        """Tell of those that have ended, and end what a killed one has left to us."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if process == 0:
                break
            if one := self._running.pop(process, None):
                self._ended(process, status)
                self._tell(one, status)
        strays = [one for one in children(os.getpid()) if one not in self._running]
        self._strays = bool(strays)
        for stray in strays:
            end([stray, *descendants(stray)])

    def _tell(self, one: _Running, status: int) -> None:
        if one.kill_at is None:
            self._poll.unregister(one.control)
        with contextlib.suppress(OSError):  # nobody waits for it any more
            one.control.send(b"%d" % status)
        one.control.close()

    def _kill_late(self) -> None:
        now = time.monotonic()
        for process, one in self._running.items():
            if one.kill_at is not None and one.kill_at <= now:
                end([process, *descendants(process)])
                one.kill_at = now + GRACE_SECONDS

    def _begin(self, given: Sequence[int], mine: Sequence[int], parent: int) -> NoReturn:
        """Let go of everything that is the server's, and do what was asked for."""
        code = BUG
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for handle in mine:
                os.close(handle)
            code = self._become(given, parent)
        finally:
            os._exit(code)
