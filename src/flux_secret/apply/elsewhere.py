"""Bundle → objects in the cluster, in a process that knows one target: the others it asks about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flux_secret.apply.applying import Applying, Decided, Order
from flux_secret.apply.cluster import ApplyOptions, Cluster
from flux_secret.apply.lists import Ask, AskedLists
from flux_secret.errors import BugError
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.manifest import Bundle
from flux_secret.model.record import Recorder
from flux_secret.outside.kubernetes import Client


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Applies the target that an `Order` is about."""

    client: Client
    options: ApplyOptions
    order: Order
    ask: Ask
    recorder: Recorder | None = None
    """Has what is going to be done before it is, and what came of it."""

    async def apply(self, delivery: Delivery, bundle: Bundle, changes: ChangeSet) -> None:
        """Apply, as `ApplyRound.apply` does; what it decides is told without values."""
        if delivery.revision is None:
            raise BugError("a delivery is applied before its revision is known")
        options = replace(self.options, confirmations=self.order.confirmed)
        cluster = Cluster(self.client, options, recorder=self.recorder)
        cluster.learn(self.order.kinds)
        acting = cluster.acting_as(delivery.target.service_account)
        applying = Applying(acting, AskedLists(self.ask), self.order, self._tell)
        await applying.apply(delivery, delivery.revision, bundle, changes)
        kinds = await cluster.kinds()
        if kinds is not self.order.kinds:  # a definition was applied: others may need to know
            await self.ask(kinds)

    async def _tell(self, decided: Decided) -> None:
        await self.ask(decided.bare())
