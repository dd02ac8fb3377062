"""The steps of a delivery that hold values: from a checkout to objects in the cluster."""

from __future__ import annotations

from flux_secret.model.delivery import Delivery, Revision
from flux_secret.reconcile.interface import MakingStages


class Here:
    """Takes them in this process."""

    async def make(self, delivery: Delivery, stages: MakingStages) -> bool:
        """Take every step of the flow; say whether a script asked which entries there are."""
        target = delivery.target
        async with (
            stages.source.checkout(target) as checkout,
            stages.stores.reader(target, delivery.reads) as reader,
        ):
            delivery.revision = Revision(checkout.commit, reader.revisions)
            delivery.notes += [*checkout.notes, *reader.notes]
            manifests = await stages.generator.generate(target, checkout, reader, delivery.remarks)
            bundle = await stages.resolver.resolve(manifests, reader)
        await stages.applier.apply(delivery, bundle, delivery.changes)
        return reader.listed
