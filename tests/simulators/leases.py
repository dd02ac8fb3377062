"""Leases of an API server in memory, with what can go wrong on the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from flux_secret.errors import UnreachableError
from flux_secret.outside.clock import Clock
from flux_secret.outside.deadline import NEVER
from flux_secret.outside.kubernetes import (
    AlreadyExistsError,
    ConflictError,
    Gone,
    Json,
    NotFoundError,
    Told,
    Upsert,
)
from flux_secret.outside.kubernetes.body import mapping, parse
from flux_secret.outside.kubernetes.lease import Lease
from flux_secret.reconcile.membership import Membership
from flux_secret.reconcile.replicas import Timing

APPS: Final = tuple(f"app-{number}" for number in range(24))
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
Tell = Callable[[Told[Mapping[str, Json]]], None]


@dataclass
class LeaseServer:
    """What all replicas share."""

    leases: dict[str, Lease] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    """Whose requests are lost; `*` is everybody's."""
    seconds: float = 0.01
    """How long a request takes."""
    hints: bool = True
    """Whether watches tell anything."""
    strips: bool = False
    """Whether something on the way takes our annotations away."""
    requests: int = 0
    writes: int = 0
    _version: int = 0
    _watches: list[Tell] = field(default_factory=list)

    def stored(self, lease: Lease, uid: str = "") -> Lease:
        self._version += 1
        self.writes += 1
        lease = replace(lease, sees=frozenset(), says="") if self.strips else lease
        kept = replace(lease, version=str(self._version), uid=uid or f"uid-{self._version}")
        self.leases[lease.name] = kept
        tree = parse(kept.to_body("flux", "flux-secret"))
        metadata = {**mapping(tree, "metadata"), "uid": kept.uid}
        self._say(Upsert({**tree, "metadata": metadata}))
        return kept

    def dropped(self, name: str) -> None:
        lease = self.leases.pop(name)
        self._say(Gone("flux", name, lease.uid))

    def _say(self, told: Told[Mapping[str, Json]]) -> None:
        for tell in self._watches if self.hints else ():
            tell(told)

    async def follow(self, tell: Tell) -> object:
        self._watches.append(tell)
        try:
            return await asyncio.Event().wait()
        finally:
            self._watches.remove(tell)


@dataclass
class Door:
    """One replica's way to it."""

    server: LeaseServer
    who: str

    async def _way(self) -> None:
        self.server.requests += 1
        await asyncio.sleep(self.server.seconds)
        if self.server.unreachable & {self.who, "*"}:
            raise UnreachableError("the API server does not answer")

    async def all(self) -> list[Lease]:
        await self._way()
        return list(self.server.leases.values())

    async def create(self, lease: Lease) -> Lease:
        await self._way()
        if lease.name in self.server.leases:
            raise AlreadyExistsError("it exists already")
        return self.server.stored(lease)

    async def update(self, lease: Lease) -> Lease:
        await self._way()
        self._check(lease)
        return self.server.stored(lease, lease.uid)

    async def delete(self, lease: Lease) -> None:
        await self._way()
        self._check(lease)
        self.server.dropped(lease.name)

    def _check(self, lease: Lease) -> None:
        live = self.server.leases.get(lease.name)
        if live is None:
            raise NotFoundError("not found")
        if (live.uid, live.version) != (lease.uid, lease.version):
            raise ConflictError("it was changed meanwhile")

    async def follow(self, tell: Tell) -> object:
        return await self.server.follow(tell)


class LoopClock(Clock):
    """The clock of virtual time; its time of day may be set, and it may be put to sleep."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.of_day = timedelta()
        self.stands_still = False

    def uptime(self) -> float:
        return asyncio.get_running_loop().time() + self.slept

    def now(self) -> datetime:
        if self.stands_still:
            return START
        return START + timedelta(seconds=asyncio.get_running_loop().time()) + self.of_day


@dataclass
class Replica:
    """One agent."""

    membership: Membership
    clock: LoopClock
    notified: list[float] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def start(cls, server: LeaseServer, name: str, timing: Timing | None = None) -> Replica:
        clock, notified = LoopClock(), list[float]()
        membership = Membership(Door(server, name), name, timing or Timing(), clock)
        membership.subscribe(lambda: notified.append(asyncio.get_running_loop().time()))
        replica = cls(membership, clock, notified)
        replica.task = asyncio.create_task(replica._live())
        return replica

    async def _live(self) -> None:
        async with self.membership:
            await self._stop.wait()

    def kill(self) -> None:
        """End it as kill -9 does: nothing is given back, and it owns nothing from now on."""
        for task in self.membership._tasks:
            task.cancel()
        self.membership.held.move(NEVER)
        self.membership._leader_until = NEVER

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        self._stop.set()
        assert self.task is not None
        await self.task

    @property
    def apps(self) -> set[str]:
        return {app for app in APPS if self.membership.owns(app)}


async def until(holds: Callable[[], object], *, within: float, every: float = 0.05) -> float:
    """Wait until it holds; give how long it took. Fails when it takes longer than `within`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not holds():
        assert loop.time() - began <= within, f"not so after {within} s"
        await asyncio.sleep(every)
    return loop.time() - began


def is_shared(replicas: Iterable[Replica]) -> bool:
    """Whether each App has exactly one owner, and there is one leader."""
    each = list(replicas)
    owners = [app for replica in each for app in replica.apps]
    leaders = [replica for replica in each if replica.membership.is_leader]
    return sorted(owners) == sorted(APPS) and len(leaders) == 1


async def never_twice(replicas: Iterable[Replica]) -> None:
    """Watch for ever that nothing is owned twice."""
    each = list(replicas)
    while True:
        owners = [app for replica in each for app in replica.apps]
        assert len(owners) == len(set(owners)), "an App has two owners"
        assert sum(replica.membership.is_leader for replica in each) <= 1, "there are two leaders"
        await asyncio.sleep(0.1)
