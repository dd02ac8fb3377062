"""A program and its arguments → a server that ends with us, and what it takes to start one.

Every server leads a process group of its own and is ended by its id.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final, Self

LAUNCHER: Final = Path(__file__).with_name("ends_with_parent.py")
READY_SECONDS: Final = 90.0  # for each condition; all of them take 5 s on two idle cores
END_SECONDS: Final = 10.0  # for the kernel to end what was killed
LOG_LINES: Final = 5  # of a server's log, in an error


class ControlPlaneError(RuntimeError):
    """A server ended, or something was not so in time; names its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """One running server."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, program: Path, arguments: Sequence[str], directory: Path) -> Self:
        """Start a program with a log in `directory`, next to nothing in its environment."""
        log = directory / f"{program.name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(program),
                 *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory,
                env={"PATH": os.defpath, "HOME": str(directory)}, start_new_session=True,
            )  # fmt: skip
        return cls(program.name, popen, log)

    def stop(self) -> None:
        """End it as a crash does: what it holds is thrown away, or is etcd's."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(END_SECONDS)

    def raise_if_ended(self) -> None:
        """Complain when it has ended."""
        if self.popen.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            raise ControlPlaneError("\n".join([f"{self.name} ended; {self.log} says:", *lines]))

    @property
    def resident_mib(self) -> int:
        """Its resident memory (Linux only)."""
        for line in Path(f"/proc/{self.popen.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
        return 0


def until(
    what: str, condition: Callable[[], object], servers: Iterable[Server] = (),
    seconds: float = READY_SECONDS,
) -> None:  # fmt: skip
    """Wait until `condition`; a server that is not answering yet counts as no."""
    deadline = time.monotonic() + seconds
    cause: Exception | None = None
    while time.monotonic() < deadline:
        for server in servers:
            server.raise_if_ended()
        try:
            if condition():
                return
            cause = None
        except (OSError, HTTPException) as error:
            cause = error
        time.sleep(0.05)
    raise ControlPlaneError(f"not so after {seconds:g} s: {what}") from cause


def free_ports(count: int) -> list[int]:
    """Choose ports that nothing listens on.

    They lie below those that a kernel gives to outgoing connections (from 32768 on Linux, 49152
    elsewhere), so that no connection takes one before the server does.
    """
    chosen: list[int] = []
    while len(chosen) < count:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in chosen:
                chosen.append(port)
    return chosen
