"""The fork server: one request → one supervisor, forked; told how it ended.

Starting Python and importing what a supervisor needs takes 20 ms and more of a processor; a fork of
a process that has done so takes one. Started by `supervisors.py`, with nothing of the agent's: its
environment is empty, and all it knows of a job is what the job says. It ends when nobody is left to
ask it, and every supervisor with it.

1. A request is a message with four descriptors: a memory file that holds the `Job`, where its two
   streams go, and a socket of its own.
2. Through that socket comes back one message: the supervisor's wait status.
3. When the other end closes it for writing, or altogether, the job is to be ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from flux_secret.outside.supervision.confinement import Job
from flux_secret.outside.supervision.group import children, descendants, end
from flux_secret.outside.supervision.supervisor import become_subreaper, supervise

GRACE_SECONDS: Final = 5.0
"""For a supervisor to kill and collect everything; it needs a few ms."""
_HANDLES: Final = 4
_BUG: Final = 70
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_RESCAN_SECONDS: Final = 0.002


@dataclass(slots=True)
class _Running:
    """A supervisor at work."""

    control: socket.socket
    kill_at: float | None = None
    """When it must have ended, once it was told to."""


class _Gone(Exception):  # noqa: N818 -- no error: the way this process ends
    """Nobody is left to ask us."""


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
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
            return

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
        """Take a request: fork a supervisor for it."""
        message, handles, *_ = socket.recv_fds(self._requests, 16, _HANDLES, _CLOEXEC)
        if not message or len(handles) != _HANDLES:
            raise _Gone
        request, stdout, stderr, control = handles
        parent, process = os.getpid(), os.fork()
        if process == 0:
            mine = [self._requests.fileno(), self._wakes, self._wake, control]
            mine += [one.control.fileno() for one in self._running.values()]
            _become_supervisor(request, stdout, stderr, mine, parent)
        for handle in (request, stdout, stderr):
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


def _become_supervisor(
    request: int, stdout: int, stderr: int, of_the_server: Sequence[int], parent: int
) -> NoReturn:
    """Let go of everything that is the server's, and run the job."""
    code = _BUG
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for handle in of_the_server:
            os.close(handle)
        with open(request, "rb") as file:
            job = Job.unpacked(file.read())
        for handle, stream in ((stdout, 1), (stderr, 2)):
            os.dup2(handle, stream)
            os.close(handle)
        code = supervise(job, parent)
    finally:
        os._exit(code)


def main(handle: int) -> None:
    """Serve requests from this socket."""
    become_subreaper()
    with socket.socket(fileno=handle) as requests:
        _Server(requests).serve()
