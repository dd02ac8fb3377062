"""A unit test gets no network, no PATH and no program but Python itself."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

_NETWORK = frozenset({
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "socket.sendmsg", "socket.sendto",
})  # fmt: skip
_PROGRAMS = frozenset({"os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"})


class _Door:
    """Closed while a unit test runs. Python's audit hooks cannot be removed, so there is one."""

    closed = False

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.closed:
            return
        if event in _NETWORK and not _stays_here(event, arguments):
            raise AssertionError(f"a unit test asked for the network: {event}")
        if event in _PROGRAMS and (program := _found(arguments)) not in {None, sys.executable}:
            raise AssertionError(f"a unit test started a program: {program}")


def _stays_here(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether it goes to a process that we started: it is handed its end of a socket pair."""
    if event != "socket.sendmsg":
        return False
    given, address = arguments
    return given.family == socket.AF_UNIX and address is None


def _found(arguments: tuple[Any, ...]) -> str | None:
    """Give the program that would run, wherever a test finds it; None where there is no such."""
    named = arguments[0] or arguments[1][0]  # Popen's executable is None unless it was named
    return shutil.which(os.fsdecode(named), path=os.defpath)


@pytest.fixture(autouse=True)
def _log_of_its_own() -> None:
    """Forget how another test's command line had set up the log."""
    structlog.reset_defaults()


_door = _Door()
sys.addaudithook(_door.audit)


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(_door, "closed", True)
    yield
    _door.closed = False
