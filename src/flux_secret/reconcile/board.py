"""Rounds → what is known of them: the latest outcome, who runs pods, metrics."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Final

from flux_secret.api.interface import Repository, SyncOutcome, TargetOutcome, Workload
from flux_secret.api.metrics import Metrics
from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.change import Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.target import Target
from flux_secret.reconcile.requests import Requests
from flux_secret.reconcile.round import Round

WORKLOADS: Final = frozenset({"Deployment", "DaemonSet", "StatefulSet", "CronJob"})  # Flux v1's


class Board:
    """What one agent has done; answers the API, and passes requests on to the loop."""

    def __init__(self, repository: Repository, targets: Sequence[Target]) -> None:
        self.requests = Requests()
        self._repository = repository
        self._metrics = Metrics((target.name, target.generation.network) for target in targets)
        self._changes: dict[str, tuple[Change, ...]] = {}

    @property
    def repository(self) -> Repository:
        """The application repository."""
        return self._repository

    async def sync(self, confirmed: Collection[str] = ()) -> SyncOutcome:
        """Do a round, everything made anew; `confirmed` are tokens of held changes."""
        return outcome_of(await self.requests.sync(confirmed))

    def hint(self) -> None:
        """Look for new commits now."""
        self.requests.hint()

    def workloads(self, namespace: str) -> Sequence[Workload]:
        """Give what runs pods, as the deliveries so far have left it."""
        return [
            Workload(
                key.namespace, key.kind, key.name,
                error=change.failure,
            )
            for changes in self._changes.values()
            for change in changes
            if (key := change.key).kind in WORKLOADS
            and (not namespace or key.namespace == namespace)
        ]  # fmt: skip

    def metrics(self) -> bytes:
        """Give them in Prometheus' text format."""
        return self._metrics.text()

    def note(self, done: Round, seconds: float) -> None:
        """Take in a round that has ended."""
        loaded = [one for one in done.deliveries if one.error is None]
        for one in loaded:
            if changes := tuple(one.changes):
                self._changes[one.target.name] = changes
        kept = [change for changes in self._changes.values() for change in changes]
        failed = sum(change.error is not None for change in kept)
        self._metrics.synced(
            seconds,
            success=done.exit_code == 0,
            applied=len(kept) - failed if loaded else None,
            failed=failed,
            git_ready=bool(done.syncs)
            and not any(isinstance(one.error, UnreachableError) for one in done.deliveries),
        )
        for one in done.deliveries:
            at = time.time() if one.exit_code == 0 else None
            self._metrics.delivered(one.target.name, at=at)


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
