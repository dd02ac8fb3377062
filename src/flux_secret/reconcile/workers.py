"""The steps of a delivery that hold values, taken by a worker: this process never holds one.

Here the commits are pinned and laid out, and what all targets share is answered. The worker is
given words: what to deliver, from which commits, and what applying it takes. What it did comes back
the same way, as far as it came; values end with it (design decision 7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flux_secret.errors import BugError, FluxSecretError
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.record import Kind, Note
from flux_secret.model.target import Target
from flux_secret.reconcile.interface import (
    Checkout,
    DeliveryStages,
    MakingStages,
    Pins,
)
from flux_secret.reconcile.making import Here


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do; it fetches nothing and moves no marker."""

    target: Target
    """Without the login of its repository."""
    checkout: Checkout
    """Laid out already; removed by whoever gave the job."""
    pins: Pins
    order: Any
    """The apply room's."""


@dataclass(frozen=True, slots=True)
class Made:
    """How far it came."""

    delivery: Delivery
    listed: bool = False
    """Whether a script asked which entries there are."""


class Crew(Protocol):
    """Has jobs done by processes of their own."""

    async def work(self, job: Job, answer: Callable[[Any], Awaitable[object]]) -> Any:  # noqa: ANN401 -- what the job's `work` gave
        """Have one done; raise `FluxSecretError` when its process was lost."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Takes the steps of each delivery in a process of its own."""

    crew: Crew

    async def make(self, delivery: Delivery, stages: DeliveryStages) -> bool:
        """Pin, have it done, and note in `delivery` what was done."""
        target = delivery.target
        async with (
            stages.source.checkout(target) as checkout,
            stages.stores.pins(target) as pins,
        ):
            delivery.revision = Revision(checkout.commit, pins.revisions)
            job = Job(target.without_login(), checkout, pins, await stages.applier.order(target))
            made = await self.crew.work(job, stages.applier.answer)
            if not isinstance(made, Made):
                raise BugError("a worker did something else")
            _note(delivery, made.delivery)
        return made.listed


def _note(delivery: Delivery, done: Delivery) -> None:
    """Take over what was done; raise what it failed with."""
    delivery.revision = done.revision or delivery.revision
    delivery.reads += done.reads
    delivery.changes.changes += done.changes
    delivery.notes += done.notes
    delivery.remarks += done.remarks
    if done.error is not None:
        raise done.error


MADE_BY_WORKERS: Final = frozenset(
    {
        Kind.READ, Kind.REFUSED, Kind.KEY, Kind.INTENT, Kind.DELIVERED, Kind.FAILED, Kind.ADOPTED,
        Kind.HELD,
    }
)  # fmt: skip
"""What a worker may put on the record; whose delivery it is of is not for it to say."""


def permitted(notes: Sequence[Note]) -> Sequence[Note]:
    """Give what a worker wants recorded; raise `BugError` when that is not for it to say."""
    if not all(note.kind in MADE_BY_WORKERS for note in notes):
        raise BugError("a worker wanted something recorded that no worker does")
    return notes


async def work(job: Job, stages: MakingStages) -> Made:
    """Do a job, in the worker; an expected failure is part of what is given back."""
    delivery = Delivery(job.target)
    try:
        listed = await Here().make(delivery, stages)
    except FluxSecretError as failure:
        delivery.error = failure
        return Made(delivery)
    return Made(delivery, listed)
