"""`flux-secret agent` as a process, and what it has said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.measured import measured
from simulators.world import APPLICATION, World

SECONDS = 60.0
SAID_LINES = 60
SAID_CHARACTERS = 400


@dataclass
class Agent:
    """A running agent and what it has said so far."""

    process: subprocess.Popen[bytes]
    log: Path

    def has_said(self, words: str) -> bool:
        return words in self.log.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@contextmanager
def agent(
    world: World,
    *extra: str,
    without: str = "--",
    path: str = APPLICATION,
    env: Mapping[str, str] | None = None,
    name: str = "agent",
    within: Sequence[str] = (),
) -> Iterator[Agent]:
    """Run one; `within` is a command that starts it."""
    log = world.root / f"{name}.log"
    flags = [
        flag
        for flag in world.flags("--listen=127.0.0.1:0", *extra, path=path)
        if flag.partition("=")[0] not in without.split()
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "flux_secret", "agent", *flags],
            env={"PATH": os.environ["PATH"], "HOME": str(world.root), **measured(), **(env or {})},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield Agent(process, log)
    except Exception as failure:
        failure.add_note(_what_it_said(name, log))
        raise
    finally:
        process.kill()
        process.wait(SECONDS)


def _what_it_said(name: str, log: Path) -> str:
    """Give the end of an agent's log: whoever reads a failure of CI has nothing else of it."""
    lines = [
        line[:SAID_CHARACTERS]
        for line in log.read_text(errors="replace").splitlines()
        if "event=refreshed" not in line
    ]
    return "\n".join([f"the last that {name} said:", *lines[-SAID_LINES:]])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)


def value(world: World) -> bytes | None:
    if world.get("secret", "demo-secret") is None:
        return None
    return world.secret()[0]


def address(running: Agent) -> str:
    """Give where it listens, in whatever format it logs."""
    listening = re.compile(r"""listening"?,? .*address"?[=:] ?"?([^\s",]+)""")
    until(lambda: listening.search(running.log.read_text()) is not None)
    found = listening.search(running.log.read_text())
    assert found is not None
    return f"http://{found[1]}"


def asked(running: Agent, of: str, path: str) -> tuple[int, str]:
    """Ask the agent's API, or its port for probes (`health`)."""
    listening = re.compile(rf"msg={'.'.join(filter(None, ['listening', of]))} address=(\S+)")
    until(lambda: listening.search(running.log.read_text()) is not None)
    found = listening.search(running.log.read_text())
    assert found is not None
    try:
        url = f"http://{found[1]}{path}"
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
