"""N replicas share the Apps, and one of them leads; each knows until when it may write.

Each replica keeps a Lease of its own and reads those of the others, all on one beat:

1. Read all Leases. Others live as long as theirs change (`observed`); Apps are shared among those
   who live (`shards`).
2. Renew our own: it names the others that we see, and whose share we therefore leave to them.
   Nobody takes a share before everybody who lives has said so, or cannot write any more.
3. Renew the leader's, or take it where nobody holds it (`leader`).
4. What was read and renewed counts for `renew_seconds` from the moment the beat *began*; from then
   on nothing is ours until a beat succeeds. Others wait `lease_seconds`, which is longer.

A watch of the Leases only hints at when to beat sooner; what counts is always read. What the others
pass on (`relay`) stands in their Leases, too, and is taken from the watch at once: it is a hint.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.outside.clock import Clock
from flux_secret.outside.deadline import NEVER, Deadline
from flux_secret.outside.kubernetes import (
    ConflictError,
    Gone,
    Json,
    NotFoundError,
    Synced,
    Told,
    Upsert,
)
from flux_secret.outside.kubernetes.lease import Lease
from flux_secret.reconcile import leader
from flux_secret.reconcile.observed import Observed
from flux_secret.reconcile.replicas import Timing
from flux_secret.reconcile.shards import Ring

_log = structlog.get_logger(component="replicas")
RELEASE_SECONDS: Final = 5.0
"""How long giving back may take when the agent stops; others take over anyway, later."""
MOST_REMOVED: Final = 20
"""Leases of dead replicas that the leader removes on one beat."""


class Leases(Protocol):
    """Where Leases are kept."""

    async def all(self) -> list[Lease]:
        """Read those of this group."""

    async def create(self, lease: Lease) -> Lease:
        """Create one; raise `ConflictError` when it is there."""

    async def update(self, lease: Lease) -> Lease:
        """Replace the version that was read; raise `ConflictError`, `NotFoundError`."""

    async def delete(self, lease: Lease) -> None:
        """Delete the version that was read; raise `ConflictError`, `NotFoundError`."""

    async def follow(self, tell: Callable[[Told[Mapping[str, Json]]], None]) -> object:
        """Tell what changes, until cancelled."""


class Membership:
    """One replica among others; opened with `async with`, which gives everything back at its end.

    Stop what writes before the block ends: what is given back, others take at once.
    """

    def __init__(
        self,
        leases: Leases,
        identity: str,
        timing: Timing,
        clock: Clock | None = None,
    ) -> None:
        """Be one of them; `identity` is this process's alone."""
        clock = clock or Clock()
        self.identity = identity
        self._leases = leases
        self._timing = timing
        self._listeners: list[Callable[[], None]] = []
        self._says = "{}"  # something, so that others know that we understand
        self._hear: Callable[[str, str], None] = lambda _who, _text: None
        self._clock = clock.uptime
        self._now = clock.now
        self._observed = Observed()
        self._ring = Ring(identity)
        self._mine: Lease | None = None
        self._leading: Lease | None = None
        self._joined = 0.0
        self.held = Deadline(NEVER, clock.uptime)
        """Until when we may write; for `Limits.seconds_left`, in workers too."""
        self._leader_until = NEVER
        self._next_death = float("inf")
        self._hint = asyncio.Event()
        self._hinted: dict[str, tuple[str, frozenset[str]]] = {}
        self._last_renewed: dict[str, str] = {}
        self._told: object = None
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[object]] = []

    # -- what others ask --

    def owns(self, app: str) -> bool:
        """Whether the App is ours to deliver now."""
        return self.held.seconds_left() > 0 and self._ring.owns(app)

    def is_anothers(self, app: str) -> bool:
        """Whether the App is another replica's; not when nobody's share is known now."""
        return self.held.seconds_left() > 0 and self._ring.owner(app) != self.identity

    @property
    def is_leader(self) -> bool:
        """Whether we may do now what only one may do."""
        return self._clock() < self._leader_until

    def deadline(self) -> float:
        """Give the moment, on `outside.clock.uptime`, after which nothing may be written.

        Each renewal moves it on.
        """
        return self.held.at

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, which must not raise, when shares or the leader change.

        Give what ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def members(self) -> frozenset[str]:
        """Who shares the Apps, as it was last read; empty when our own lease has run out."""
        return self._ring.members if self.held.seconds_left() > 0 else frozenset()

    @property
    def others(self) -> frozenset[str]:
        """Who of them is not us."""
        return self.members - {self.identity}

    def say(self, text: str, *, soon: bool) -> None:
        """Have the others read this; `soon`: with the next beat, which comes now.

        However often it is called, there are no more beats than `Timing.shortest_seconds` allow.
        """
        if text != self._says:
            self._says = text
            if soon:
                self._hint.set()

    def listen(self, hear: Callable[[str, str], None]) -> None:
        """Call `hear`, which must not raise, with who said what: at each reading, and sooner."""
        self._hear = hear

    # -- life --

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._run(), name="replicas"),
            asyncio.create_task(self._leases.follow(self._heard), name="replicas-hints"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.held.move(NEVER)
        self._leader_until = NEVER
        for task in self._tasks:
            if not task.cancelled() and (bug := task.exception()) is not None:
                raise bug
        if self._expiry is not None:
            self._expiry.cancel()
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._give_back()
        except (FluxSecretError, TimeoutError) as failure:
            _log.warning("lease.not_given_back", err=_words(failure))

    async def _give_back(self) -> None:
        """Give back what is still as we wrote it."""
        for lease in await self._leases.all():
            if lease.holder != self.identity:
                continue
            with contextlib.suppress(ConflictError, NotFoundError):
                if lease.name == self._timing.leader_name:
                    await self._leases.update(leader.released(lease))
                else:
                    await self._leases.delete(lease)

    async def _run(self) -> None:
        failing = False
        while True:
            self._hint.clear()
            try:
                async with asyncio.timeout(self._timing.renew_seconds):
                    await self._beat()
                failing = False
            except (FluxSecretError, TimeoutError) as failure:
                if not failing:
                    _log.warning("lease.failed", err=_words(failure))
                failing = not isinstance(failure, ConflictError)
            self._tell()
            await self._pause()

    async def _pause(self) -> None:
        """Wait for the next beat: at the latest when somebody may die, sooner on a hint."""
        # early enough for a beat to take its time, and at different times
        regular = self._timing.retry_seconds * (0.85 - random.random() / 5)  # noqa: S311
        until_death = self._next_death - self._clock()  # it may have come during the beat
        seconds = min(regular, max(0.0, until_death))
        shortest = min(seconds, self._timing.shortest_seconds)
        await asyncio.sleep(shortest)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - shortest):
                await self._hint.wait()

    # -- a beat --

    async def _beat(self) -> None:
        began, self._next_death = self._clock(), float("inf")  # unknown until all was read
        leases = await self._read()
        joins = self.held.seconds_left() <= 0 or self._mine is None
        if joins:  # as a new one, since others may have shared out what was ours
            self._observed, self._joined = Observed(), began
            await self._renew(frozenset())
            leases = await self._read()
        self._observed.see(leases.values(), self._clock())
        others = [one for one in leases.values() if self._is_other(one)]
        settled = began - self._joined >= self._timing.renew_seconds
        self._ring = Ring.of(self.identity, others, settled=settled)  # before others are told so
        self._next_death = self._observed.next_death(self._not_mine(leases))
        if not joins or others:
            await self._renew(frozenset(one.holder for one in others))
        self.held.move(began + self._timing.renew_seconds)
        for one in others:
            self._hear(one.holder, one.says)
        await self._lead(leases.get(self._timing.leader_name), began)
        if self._clock() < self._leader_until:
            await self._remove_dead(leases)

    async def _read(self) -> Mapping[str, Lease]:
        leases = {lease.name: lease for lease in await self._leases.all()}
        self._mine = leases.get(self._timing.member_name(self.identity))
        return leases

    def _is_other(self, lease: Lease) -> bool:
        is_member = lease.name == self._timing.member_name(lease.holder)
        return is_member and lease.holder != self.identity and self._observed.is_live(lease)

    def _not_mine(self, leases: Mapping[str, Lease]) -> list[Lease]:
        return [lease for lease in leases.values() if lease.holder != self.identity]

    def _lease(self, name: str) -> Lease:
        """Give a Lease as we write it now; no two in a row say the same time."""
        at = self._now()
        renewed = _micro_time(at)
        if renewed == self._last_renewed.get(name):
            renewed = _micro_time(at + timedelta(microseconds=1))
        self._last_renewed[name] = renewed
        return Lease(name, self.identity, self._timing.lease_seconds, renewed, acquired=renewed)

    async def _renew(self, sees: frozenset[str]) -> None:
        name = self._timing.member_name(self.identity)
        ours = replace(self._lease(name), sees=sees, says=self._says)
        wanted = leader.claim(self._mine, ours, live=False)
        if wanted is None:
            return
        try:
            write = self._leases.update if wanted.version else self._leases.create
            self._mine = await write(wanted)
        except (ConflictError, NotFoundError):
            self._hint.set()  # the next beat reads what is there
            raise

    async def _lead(self, lease: Lease | None, began: float) -> None:
        live = lease is not None and self._observed.is_live(lease)
        wanted = leader.claim(lease, self._lease(self._timing.leader_name), live=live)
        if wanted is None:
            self._leader_until = NEVER
            return
        try:
            await (self._leases.update if wanted.version else self._leases.create)(wanted)
        except (ConflictError, NotFoundError):
            self._hint.set()  # somebody was faster: the next beat tells who
            return
        self._leader_until = began + self._timing.renew_seconds

    async def _remove_dead(self, leases: Mapping[str, Lease]) -> None:
        """Remove what replicas left that were killed, unless they have come back meanwhile."""
        dead = [
            one
            for one in leases.values()
            if one.name == self._timing.member_name(one.holder)
            and self._observed.unchanged_seconds(one) > 2 * one.duration_seconds
            and one.holder != self.identity
        ]
        for lease in dead[:MOST_REMOVED]:
            with contextlib.suppress(ConflictError, NotFoundError):
                await self._leases.delete(lease)

    # -- telling --

    def _heard(self, told: Told[Mapping[str, Json]]) -> None:
        """Beat soon when somebody came, went, or sees others than before; not on a renewal."""
        if isinstance(told, Upsert):
            lease = Lease.parse(told.object)
            said = (lease.holder, lease.sees)
            if lease.holder != self.identity and self._hinted.get(lease.name) != said:
                self._hint.set()
            self._hinted[lease.name] = said
            is_member = lease.name == self._timing.member_name(lease.holder)
            if is_member and lease.holder in self.others:
                self._hear(lease.holder, lease.says)
        elif isinstance(told, Gone):
            self._hinted.pop(told.name, None)
            self._hint.set()
        elif isinstance(told, Synced):
            self._hint.set()

    def _tell(self) -> None:
        """Notify when something has changed, and again when our lease runs out."""
        remaining = self.held.seconds_left()
        state = (self._ring if remaining > 0 else None, self.is_leader)
        if state != self._told:
            self._told = state
            _log.info(
                "replicas.changed",
                members=" ".join(sorted(self.members)),
                leader=self.is_leader,
                waiting=" ".join(sorted(self._ring.unaware)),
            )
            for listener in self._listeners:
                listener()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if remaining > 0:
            self._expiry = asyncio.get_running_loop().call_later(remaining, self._tell)


def _words(failure: FluxSecretError | TimeoutError) -> str:
    return failure.what if isinstance(failure, FluxSecretError) else "it takes too long"


def _micro_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
