"""Target → Delivery: the product. Everything else calls this function or a prefix of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.target import Target
from flux_secret.reconcile.interface import Stages


async def deliver(target: Target, stages: Stages) -> Delivery:
    """Deliver `target` once; an expected failure is part of the returned `Delivery`.

    Nothing is removed here: what a target no longer contains is swept once every target of the
    pass has been applied, so that an object that moved between targets is handed over.
    """
    delivery = Delivery(target)
    try:
        async with (
            stages.source.checkout(target) as checkout,
            stages.stores.reader(target, delivery.reads) as reader,
        ):
            delivery.revision = Revision(checkout.commit, reader.revisions)
            manifests = await stages.generator.generate(target, checkout, reader)
            bundle = await stages.resolver.resolve(manifests, reader)
        await stages.applier.apply(delivery, bundle, delivery.changes)
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
