"""Target → Trace: every step of a delivery in its order, writing nothing; it says where it stopped.

The steps are those of `making.Here`. Values are held here as they are there, and end with it.
"""

from __future__ import annotations

import contextlib

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.target import Target
from flux_secret.reconcile.why.interface import Holders, TraceStages
from flux_secret.reconcile.why.seen import Step, Trace


async def trace(target: Target, stages: TraceStages, holders: Holders) -> Trace:
    """Take every step; what stops it is part of the returned `Trace`."""
    found = Trace(Delivery(target))
    try:
        await _take(found, stages, holders)
    except FluxSecretError as failure:
        found.delivery.error = failure
    else:
        found.stopped = None
    with contextlib.suppress(FluxSecretError):  # a store that cannot be read was said already
        found.rewound = await stages.stores.refused(target)
        reads = found.delivery.reads
        found.held = tuple(await stages.stores.held_back(target, reads, listed=False))
    return found


async def _take(found: Trace, stages: TraceStages, holders: Holders) -> None:
    delivery, target = found.delivery, found.delivery.target
    found.stopped = Step.SOURCE
    async with stages.source.checkout(target) as checkout:
        delivery.revision = Revision(checkout.commit)
        delivery.notes += checkout.notes
        found.stopped = Step.STORES
        async with stages.stores.reader(target, delivery.reads) as reader:
            delivery.revision = Revision(checkout.commit, reader.revisions)
            delivery.notes += reader.notes
            found.stopped = Step.GENERATE
            manifests = await stages.generator.generate(target, checkout, reader, delivery.remarks)
            found.origins.update({one.key: one.origin for one in manifests.items})
            found.stopped = Step.RESOLVE
            bundle = await stages.resolver.resolve(manifests, reader)
            found.holders.update(holders(bundle, reader.handed_out))
    found.stopped = Step.APPLY
    await stages.applier.apply(delivery, bundle, delivery.changes)
