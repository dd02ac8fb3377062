"""Targets → Deliveries: one round over all targets, applied first, swept last.

Each repository is asked once a round, and all of its targets are delivered at the same commit. The
sync marker of a repository moves to that commit when each of its targets was delivered: its
manifests were made and applied, and what left was swept. Single objects that failed do not hold it
back: as under Flux v1 they are reported by themselves, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from flux_secret.errors import FluxSecretError, RecordError
from flux_secret.model.app import Followed
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.reconcile import events
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.interface import Owed, Pinned, Stages, pinned
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.undertaking import ID_BYTES, undertaking

CONCURRENT_DELIVERIES: Final = 4  # at least: generators are processes


@dataclass(slots=True)
class Round:
    """What one round did."""

    deliveries: tuple[Delivery, ...]
    swept: ChangeSet = field(default_factory=ChangeSet)
    """What was handed over or removed."""
    sweep_error: FluxSecretError | None = None
    syncs: tuple[Sync, ...] = ()
    """How far each repository's branch was delivered; none where it could not be fetched."""

    @property
    def exit_code(self) -> int:
        """0, or the most telling failure's code (design §6).

        A delivery's own code comes before the sweep's; among several, the smallest, since 7 only
        says that some objects failed.
        """
        codes = {delivery.exit_code for delivery in self.deliveries}
        if self.sweep_error is not None:
            codes.add(self.sweep_error.exit_code)
        codes |= {change.error.exit_code for change in self.swept.failed if change.error}
        return min(codes - {0}, default=0)

    def saw(self, repository: Followed, head: str) -> bool:
        """Whether it was made when that was the repository's newest commit already."""
        if isinstance(repository, Source):
            return any((sync.source, sync.head) == (repository, head) for sync in self.syncs)
        revisions = [one.revision.stores for one in self.deliveries if one.revision]
        pinned = [stores[repository].seen for stores in revisions if repository in stores]
        return bool(pinned) and all(commit == head for commit in pinned)

    @property
    def again_seconds(self) -> float:
        """After how many seconds another round has something to decide; infinite for none."""
        waits = [change.again_seconds for change in self.swept if change.again_seconds > 0]
        return min(waits, default=math.inf)

    @property
    def errors(self) -> str:
        """Say in one line why targets were not delivered; objects that failed say it themselves."""
        said = [f"{one.target.name}: {one.error.what}" for one in self.deliveries if one.error]
        if self.sweep_error is not None:
            said.append(self.sweep_error.what)
        return "; ".join(said)


async def deliver_round(
    targets: Sequence[Target],
    stages: Stages,
    memory: Memory | None = None,
    *,
    at_once: int = CONCURRENT_DELIVERIES,
) -> Round:
    """Deliver every target, each on its own (design decision 9), `at_once`; then sweep.

    The sweep comes last so that an object that moved from one target to another is handed over and
    not deleted in between.
    """
    slots = asyncio.Semaphore(at_once)
    if stages.restarter is not None:
        await stages.restarter.before(targets)
    async with pinned(stages) as now:

        async def one(target: Target) -> Delivery:
            async with slots:
                return await deliver(target, now, memory)

        done = Round(tuple(await asyncio.gather(*(one(target) for target in targets))))
        try:
            for owed in await _swept(done, now):
                pay(owed, await deliver(owed.delivery.target, now, memory), done.swept)
        except FluxSecretError as failure:
            done.sweep_error = failure
        in_full = _in_full(done)
        done.syncs = tuple(await now.source.finish(in_full))
    if stages.restarter is not None:
        await stages.restarter.after(done.deliveries)
    _tell(done, in_full)
    return done


async def _swept(done: Round, now: Pinned) -> Sequence[Owed]:
    """Sweep; what that puts on the record is an undertaking of its own."""
    apps = sorted({one.target.app for one in done.deliveries} - {""})
    with undertaking("sweep", delivery=secrets.token_hex(ID_BYTES), app=" ".join(apps)) as doing:
        try:
            owed = await now.applier.sweep(done.deliveries, done.swept)
        except FluxSecretError as failure:
            with contextlib.suppress(RecordError):  # what went wrong is the news
                await doing.end({"error": failure.what})
            raise
        failed = len(done.swept.failed)
        await doing.end({"objects": len(done.swept), "failed": failed})
        return owed


def pay(owed: Owed, again: Delivery, swept: ChangeSet) -> None:
    """Report what the second delivery of a target did to the objects that were handed over."""
    owed.delivery.error = again.error
    for change in again.changes:
        if change.key in owed.objects:
            swept.add(replace(change, note=owed.objects[change.key] or change.note))


def _tell(done: Round, in_full: Collection[Source]) -> None:
    """Log each branch's sync; what was swept belongs to no branch, and is told with the first."""
    swept = list(done.swept)
    for sync in done.syncs:
        mine = [one for one in done.deliveries if one.target.source == sync.source]
        changes = [change for one in mine for change in one.changes]
        events.tell(sync, changes, swept, in_full=sync.source in in_full)
        swept = []


def _in_full(done: Round) -> frozenset[Source]:
    """Give the branches of which every target was delivered."""
    if done.sweep_error is not None:
        return frozenset()
    failed = {one.target.source for one in done.deliveries if one.error is not None}
    return frozenset(one.target.source for one in done.deliveries) - failed
