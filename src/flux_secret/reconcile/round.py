"""Targets → Deliveries: one round over all targets, applied first, swept last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.target import Target
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.interface import Stages
from flux_secret.reconcile.memory import Memory

CONCURRENT_DELIVERIES: Final = 4  # generators are processes; more only queue for the same cores


@dataclass(slots=True)
class Round:
    """What one round did."""

    deliveries: tuple[Delivery, ...]
    swept: ChangeSet = field(default_factory=ChangeSet)
    """What was handed over or removed."""
    sweep_error: FluxSecretError | None = None

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


async def deliver_round(
    targets: Sequence[Target], stages: Stages, memory: Memory | None = None
) -> Round:
    """Deliver every target, each on its own (design decision 9), then sweep.

    The sweep comes last so that an object that moved from one target to another is handed over and
    not deleted in between.
    """
    slots = asyncio.Semaphore(CONCURRENT_DELIVERIES)

    async def one(target: Target) -> Delivery:
        async with slots:
            return await deliver(target, stages, memory)

    done = Round(tuple(await asyncio.gather(*(one(target) for target in targets))))
    try:
        await stages.applier.sweep(done.deliveries, done.swept)
    except FluxSecretError as failure:
        done.sweep_error = failure
    return done
