"""Replicas as processes that share Apps by real Leases: killed, stopped, and without API server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from cluster.control_plane import ControlPlane
from flux_secret.outside.kubernetes import Client, connect, load
from flux_secret.outside.kubernetes.lease import LEASES
from simulators import replica
from simulators.measured import measured
from simulators.watching import a_namespace

LEASE, RENEW, RETRY = 6, 4.0, 1.0
SRC: Final = Path(replica.__file__)
SOON: Final = 30.0


@dataclass
class Running:
    """One process, and what it said last."""

    process: asyncio.subprocess.Process
    owned: frozenset[str] = frozenset()
    leader: bool = False
    reader: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                said = json.loads(line)
                self.owned, self.leader = frozenset(said["owned"]), said["leader"]
                self.changed.set()
        self.owned, self.leader = frozenset(), False

    async def end(self, number: int) -> None:
        self.process.send_signal(number)
        await self.process.wait()
        assert self.reader is not None
        await self.reader


@asynccontextmanager
async def replicas(plane: ControlPlane, namespace: str, count: int) -> AsyncIterator[list[Running]]:
    """Start that many, all with one name."""
    running = []
    for _ in range(count):
        process = await asyncio.create_subprocess_exec(
            sys.executable, SRC, plane.kubeconfig, namespace, "flux-secret-0",
            str(LEASE), str(RENEW), str(RETRY),
            stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
            env={"PATH": os.defpath, **measured()},
        )  # fmt: skip
        one = Running(process)
        one.reader = asyncio.create_task(one.read())
        running.append(one)
    try:
        yield running
    finally:
        for one in running:
            if one.process.returncode is None:
                await one.end(signal.SIGKILL)


def is_shared(running: list[Running]) -> bool:
    owned = [app for one in running for app in one.owned]
    return sorted(owned) == sorted(replica.APPS) and sum(one.leader for one in running) == 1


async def until(holds: Callable[[], object], seconds: float = SOON) -> float:
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[Client]:
    async with connect(load(control_plane.kubeconfig)) as client:
        yield client


async def test_three_of_one_name_share_and_others_take_over_from_the_killed_and_the_stopped(
    control_plane: ControlPlane, client: Client
) -> None:
    async with (
        a_namespace(client) as here,
        replicas(control_plane, here, 3) as running,
    ):
        await until(lambda: is_shared(running) and all(one.owned for one in running))
        leading, stopped, last = sorted(running, key=lambda one: not one.leader)
        await leading.end(signal.SIGKILL)
        took = await until(lambda: is_shared([stopped, last]))
        assert took < LEASE + RETRY + 1  # a busy machine
        await stopped.end(signal.SIGTERM)
        assert stopped.process.returncode == 0
        assert await until(lambda: is_shared([last])) < RETRY
        await last.end(signal.SIGTERM)
        left = await client.list(LEASES, here, "")
        print(f"took over from the killed one in {took:.1f} s; left: {len(left)}")  # noqa: T201


async def test_without_an_api_server_nobody_owns_anything_and_afterwards_they_share_again(
    our_control_plane: ControlPlane, client: Client
) -> None:
    async with (
        a_namespace(client) as here,
        replicas(our_control_plane, here, 2) as running,
    ):
        await until(lambda: is_shared(running))
        our_control_plane.stop_api_server()
        took = await until(lambda: not any(one.owned or one.leader for one in running))
        assert took < RENEW + 1
        our_control_plane.restart_api_server()
        await until(lambda: is_shared(running))
