"""`flux-secret agent` as a process: delivers at once, sees new commits, ends when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.measured import measured
from simulators.world import FIRST, SECOND, World

SECONDS = 60.0


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
def agent(world: World, *extra: str) -> Iterator[Agent]:
    log = world.root / "agent.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flux_secret", "agent", *world.flags(*extra)],
            env={"PATH": os.environ["PATH"], "HOME": str(world.root), **measured()},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield Agent(process, log)
    finally:
        process.kill()
        process.wait(SECONDS)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)


def value(world: World) -> bytes | None:
    if world.get("secret", "demo-secret") is None:
        return None
    return world.secret()[0]


def test_it_delivers_sees_a_rotation_and_ends_when_told_to(world: World) -> None:
    with agent(world, "--sync-interval=10m", "--git-poll-interval=1s") as running:
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert running.stop() == 0
        assert running.has_said("secret/demo-secret configured")
        assert running.has_said("msg=delivery.finished")
        assert not running.has_said("correct horse")


def test_a_hand_edit_is_repaired_and_what_has_not_changed_is_not_read_again(world: World) -> None:
    with agent(world, "--sync-interval=1s", "--git-poll-interval=10m") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("reads=0 changes=4 failed=0"))
        edit = '{"data": {"demosecret": "aGFuZA=="}}'
        world.kubectl("patch", "secret", "demo-secret", "-n", world.namespace, "-p", edit)
        assert value(world) == b"hand"
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("repaired: data.demosecret was changed by kubectl-patch"))


def test_a_damaged_entry_is_said_and_mended_by_the_next_commit(world: World) -> None:
    with agent(world, "--sync-interval=10m", "--git-poll-interval=1s") as running:
        until(lambda: value(world) == FIRST)
        commit = world.damage("demo")
        until(lambda: running.has_said(f"apps/demo at {commit[:12]}"))
        assert value(world) == FIRST
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert running.stop() == 0
