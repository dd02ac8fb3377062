"""Rounds → what is known of them: the latest outcome, who runs pods, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Final

from flux_secret.api.interface import Repository, SyncOutcome, TargetOutcome
from flux_secret.api.metrics import Metrics
from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.change import Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target
from flux_secret.model.workload import State, Workload, is_workload
from flux_secret.reconcile.interface import LiveObjects
from flux_secret.reconcile.loop import Heads
from flux_secret.reconcile.requests import Requests
from flux_secret.reconcile.round import Round

CONNECTING_SECONDS: Final = 10.0  # that a question waits for the agent to connect


class Board:
    """What one agent has done; answers the API, and passes requests on to the loop."""

    def __init__(self, repository: Repository, targets: Sequence[Target]) -> None:
        self.requests = Requests()
        self._live: LiveObjects | None = None
        self._connected = asyncio.Event()
        self._repository = repository
        self._metrics = Metrics(
            ((target.name, target.generation.network) for target in targets),
            lambda: self.requests.waiting,
        )
        self._changes: dict[str, tuple[Change, ...]] = {}
        self._failures: dict[str, str] = {}
        """Why a target was not delivered the last time, by its name."""

    @property
    def repository(self) -> Repository:
        """The application repository."""
        return self._repository

    def connected(self, live: LiveObjects | None) -> None:
        """Note which cluster to ask; None while the agent connects anew."""
        self._live = live
        self._connected.set() if live else self._connected.clear()

    async def sync(
        self, confirmed: Collection[str] = (), *, begun: Callable[[], None] = lambda: None
    ) -> SyncOutcome:
        """Do a round, everything made anew; `confirmed` are tokens of held changes."""
        asked = time.monotonic()
        started: float | None = None

        def starts() -> None:
            nonlocal started
            started = time.monotonic()
            self._metrics.job_begun(started - asked)
            begun()

        exit_code = 1
        try:
            done = await self.requests.sync(confirmed, starts)
            exit_code = done.exit_code
        finally:
            if started is not None:
                self._metrics.job_ended(time.monotonic() - started, success=exit_code == 0)
        return outcome_of(done)

    def hint(self) -> None:
        """Look for new commits now."""
        self.requests.hint()

    async def workloads(self, namespace: str) -> Sequence[Workload]:
        """Give what runs pods, as it is in the cluster now, and what went wrong with it here.

        One that could not be created is among them, so that a person sees why it is not there.
        """
        errors = dict(self._errors())
        found = [
            dataclasses.replace(one, error=errors.pop(one.key, ""))
            for one in await (await self._cluster()).workloads(namespace)
        ]
        missing = [
            Workload(key, status=State.ERROR.value, error=error)
            for key, error in errors.items()
            if namespace in {"", key.namespace}
        ]
        return sorted(found + missing, key=_by_key)

    async def export(self) -> bytes:
        """Give what was delivered and holds no value, as YAML."""
        return await (await self._cluster()).export()

    async def _cluster(self) -> LiveObjects:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), CONNECTING_SECONDS)
        if self._live is None:
            raise UnreachableError(
                "the agent is not connected to the cluster yet", remedy="ask again in a moment"
            )
        return self._live

    def _kept(self) -> Iterator[Change]:
        """Give every object's last outcome."""
        for changes in self._changes.values():
            yield from changes

    def _errors(self) -> Iterator[tuple[ObjectKey, str]]:
        """Give what went wrong with each workload, by itself or with its whole target."""
        for target, changes in self._changes.items():
            whole = self._failures.get(target, "")
            for change in changes:
                if is_workload(change.key) and (whole or change.failure):
                    yield change.key, whole or _failed(change)

    def watching(self, heads: Heads) -> Heads:
        """Give the same with each poll noted: whether git hosts answer."""
        return _Watched(heads, self._metrics)

    def metrics(self) -> bytes:
        """Give them in Prometheus' text format."""
        return self._metrics.text()

    def note(self, done: Round, seconds: float) -> None:
        """Take in a round that has ended."""
        self._failures = {
            one.target.name: f"{one.target.name}: {_said(one.error)}"
            for one in done.deliveries
            if one.error is not None
        }
        loaded = [one for one in done.deliveries if one.error is None]
        for one in loaded:
            if changes := tuple(one.changes):
                self._changes[one.target.name] = changes
        kept = list(self._kept())
        failed = sum(change.error is not None for change in kept)
        self._metrics.synced(
            seconds,
            success=done.exit_code == 0,
            applied=len(kept) - failed if loaded else None,
            failed=failed,
        )
        for one in done.deliveries:
            at = time.time() if one.exit_code == 0 else None
            self._metrics.delivered(one.target.name, at=at)


@dataclasses.dataclass(frozen=True, slots=True)
class _Watched:
    """Heads whose polls are noted.

    A round says nothing of it: it goes on from the last good copy while a host is down.
    """

    heads: Heads
    metrics: Metrics

    async def poll(self) -> Hashable:
        """Ask; note whether each answered."""
        ready = False
        try:
            found = await self.heads.poll()
            ready = True
        finally:
            self.metrics.polled(ready=ready)
        return found


def _by_key(one: Workload) -> ObjectKey:
    return one.key


def outcome_of(done: Round) -> SyncOutcome:
    """Say how a round ended, in words for people; no value is among them."""
    errors = []
    for one in done.deliveries:
        if one.error is not None:
            errors.append(f"{one.target.name}: {_said(one.error)}")
        errors += [f"{one.target.name}: {_failed(change)}" for change in one.changes.failed]
    if done.sweep_error is not None:
        errors.append(f"removing what is no longer wanted: {_said(done.sweep_error)}")
    errors += map(_failed, done.swept.failed)
    return SyncOutcome(
        exit_code=done.exit_code,
        commit=next((sync.commit for sync in done.syncs), ""),
        targets=[_target(one) for one in done.deliveries],
        error="\n".join(errors),
        head=next((sync.head for sync in done.syncs), ""),
    )


def _target(one: Delivery) -> TargetOutcome:
    return TargetOutcome(
        target=one.target.name,
        revision=str(one.revision) if one.revision else "",
        error=_said(one.error) if one.error else "",
        changes=[str(change) for change in one.changes],
        notes=[*one.notes, *map(str, one.remarks)],
    )


def _failed(change: Change) -> str:
    remedy = change.error.remedy if change.error else ""
    return f"{change.failure} ({remedy})" if remedy else change.failure


def _said(error: FluxSecretError) -> str:
    return f"{error.what} ({error.remedy})" if error.remedy else error.what
