"""Target → Delivery: the product. Everything else calls this function or a prefix of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Final

from structlog.contextvars import bound_contextvars

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery
from flux_secret.model.target import Target
from flux_secret.reconcile.interface import DeliveryStages
from flux_secret.reconcile.memory import Memory

ID_BYTES: Final = 4
"""A delivery's id is random, and unique enough for a log: 8 hex digits."""


async def deliver(target: Target, stages: DeliveryStages, memory: Memory | None = None) -> Delivery:
    """Deliver `target` once; an expected failure is part of the returned `Delivery`.

    Nothing is made again that `memory` knows to hold. Nothing is removed here: what a target no
    longer contains is swept once every target of the pass has been applied, so that an object that
    moved between targets is handed over. Every line of the log about it has its id.
    """
    with bound_contextvars(delivery=secrets.token_hex(ID_BYTES)):
        return await _deliver(Delivery(target), stages, memory or Memory())


async def _deliver(delivery: Delivery, stages: DeliveryStages, memory: Memory) -> Delivery:
    try:
        if not await memory.holds(delivery, stages.source, stages.stores, stages.applier):
            memory.keep(delivery, listed=await stages.maker.make(delivery, stages))
    except FluxSecretError as failure:
        delivery.error = failure
    finally:
        await _shielded(stages.auditor.record(delivery))
    return delivery


async def _shielded(record: Awaitable[None]) -> None:
    """Finish writing the record even when the delivery is cancelled meanwhile."""
    task = asyncio.ensure_future(record)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
