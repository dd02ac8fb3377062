"""Target → Delivery: the product. Everything else calls this function or a prefix of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable

from structlog.contextvars import bound_contextvars

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery
from flux_secret.model.target import Target
from flux_secret.reconcile.interface import AuditStage, DeliveryStages
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.undertaking import ID_BYTES, Undertaking, undertaking


async def deliver(target: Target, stages: DeliveryStages, memory: Memory | None = None) -> Delivery:
    """Deliver `target` once; an expected failure is part of the returned `Delivery`.

    Nothing is made again that `memory` knows to hold. Nothing is removed here: what a target no
    longer contains is swept once every target of the pass has been applied, so that an object that
    moved between targets is handed over. Every line of the log about it has its id, and every note
    of it on the record.
    """
    one = secrets.token_hex(ID_BYTES)
    with (
        bound_contextvars(delivery=one),
        undertaking(target.name, delivery=one, app=target.app, target=target.name) as doing,
    ):
        return await _deliver(Delivery(target), stages, memory or Memory(), doing)


async def _deliver(
    delivery: Delivery, stages: DeliveryStages, memory: Memory, doing: Undertaking
) -> Delivery:
    ended = False
    try:
        await _try(delivery, stages, memory)
        await _note_held(delivery, stages, memory)
        ended = True
    finally:
        await _shielded(_recorded(delivery, stages.auditor, doing, ended=ended))
    return delivery


async def _recorded(
    delivery: Delivery, auditor: AuditStage, doing: Undertaking, *, ended: bool
) -> None:
    """End what is on the record of it, and log it; an outcome that cannot be recorded fails it."""
    error = delivery.error.what if delivery.error else None if ended else "it was interrupted"
    failed = len(delivery.changes.failed)
    try:
        await doing.end({"error": error, "objects": len(delivery.changes), "failed": failed})
    except FluxSecretError as failure:
        delivery.error = delivery.error or failure
    await auditor.record(delivery)


async def _try(delivery: Delivery, stages: DeliveryStages, memory: Memory) -> None:
    try:
        if not await memory.holds(delivery, stages.source, stages.stores, stages.applier):
            memory.keep(delivery, listed=await stages.maker.make(delivery, stages))
        # a store whose head is refused was read as it was before: that is delivered, and is a fault
        delivery.error = await stages.stores.refused(delivery.target)
    except FluxSecretError as failure:
        delivery.error = failure


async def _note_held(delivery: Delivery, stages: DeliveryStages, memory: Memory) -> None:
    """Say what is delivered as it was; a store that cannot be read is said elsewhere."""
    reads, listed = memory.asked(delivery)
    with contextlib.suppress(FluxSecretError):
        held = await stages.stores.held_back(delivery.target, reads, listed=listed)
        delivery.held = list(held)
        memory.waits(delivery.target, held)


async def _shielded(record: Awaitable[None]) -> None:
    """Finish writing the record even when the delivery is cancelled meanwhile."""
    task = asyncio.ensure_future(record)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
