"""Bundles → objects in the cluster: the apply room's front, which knows all targets.

How one target is applied says `applying`, how a round ends `sweep`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.apply.applying import Applying, Decided, Order
from flux_secret.apply.cluster import ApplyOptions, Cluster, Sought
from flux_secret.apply.glance import Glance
from flux_secret.apply.going import going
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.lists import answered
from flux_secret.apply.plan import LEFT_ALONE, is_left_alone, is_settled
from flux_secret.apply.retire import departed, retire
from flux_secret.apply.sweep import Known, Pass, Sweeper
from flux_secret.errors import BugError, HeldError, ObjectError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Recorder
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import Client, Kinds


@dataclass(frozen=True, slots=True)
class Owed:
    """What was handed over to a target that is to be delivered once more."""

    delivery: Delivery
    objects: Mapping[ObjectKey, str]
    """Each, and what to say of it."""


class ClusterApplier:
    """Makes a cluster equal to bundles, a round at a time; several rounds may run at once."""

    def __init__(
        self,
        client: Client,
        options: ApplyOptions | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Begin; `recorder` has what is going to be done before it is, and what came of it."""
        self._cluster = Cluster(client, options or ApplyOptions(), recorder=recorder)
        self._glance = Glance(self._cluster)
        self._known = Known()

    def confirm(self, tokens: Collection[str]) -> None:
        """Let through what these tokens name, from the next round on."""
        self._cluster.confirmed.update(tokens)

    async def retire(self, app: str, *, prune: bool, account: str = "") -> ChangeSet:
        """Remove what an App, `NAMESPACE/NAME`, owns, or forget it; raise while something stays.

        In the name of `account`, as it was delivered. What lies in a namespace that is being
        deleted is left to that: who may look there, or remove, goes with it.
        """
        cluster, target = self._cluster.acting_as(account), TargetId("", "", "", app)
        try:
            return await retire(cluster, self._known, target, prune=prune)
        except ObjectError:
            entries = self._cluster.ledger.inventory(target).entries
            left = await going(self._cluster.client, {key.namespace for key in entries} - {""})
            if not left:
                raise
        return await retire(cluster, self._known, target, prune=prune, left_to=left)

    async def departed(self, known: Collection[str]) -> Sequence[tuple[str, HeldError]]:
        """Give each App that has a list and is not known, and why its objects are held."""
        return await departed(self._cluster.ledger, known)

    def round(self) -> ApplyRound:
        """Begin a round."""
        if self._cluster.begin():
            self._glance.forget()
        return ApplyRound(self._cluster, self._glance, self._known)


class ApplyRound:
    """Makes the cluster equal to the bundles of some targets; `sweep` ends it.

    A target may be applied elsewhere: `order` says what that takes, `answer` is asked meanwhile.
    """

    def __init__(self, cluster: Cluster, glance: Glance, known: Known) -> None:
        self._cluster = cluster
        self._glance = glance
        self._known = known
        self._pass = Pass(known)

    async def apply(self, delivery: Delivery, bundle: Bundle, changes: ChangeSet) -> None:
        """Apply; one object's failure is `Action.FAILED`, not an exception.

        Raises `UnreachableError`, `IntegrityError` (a damaged inventory), `ManifestError` (one
        object twice); `changes` holds what was done until then.
        """
        if delivery.revision is None:
            raise BugError("a delivery is applied before its revision is known")
        order = await self.order(delivery.target)
        cluster = self._cluster.acting_as(delivery.target.service_account)
        applying = Applying(cluster, self._cluster.ledger, order, self._take)
        await applying.apply(delivery, delivery.revision, bundle, changes)

    async def order(self, target: Target) -> Order:
        """Say what applying a target takes; raises `UnreachableError`, `IntegrityError`."""
        name = TargetId.of(target)
        await self._cluster.ledger.open()
        return Order(
            self._cluster.ledger.begin(name),
            await self._cluster.kinds(),
            frozenset(self._cluster.confirmed),
            self._known.left_out.get(name, frozenset()),
        )

    async def answer(self, question: object) -> object:
        """Answer whoever applies a target elsewhere: it asks of all lists, and says what it knows.

        Raises what writing a list raises.
        """
        match question:
            case Decided():
                await self._take(question)
            case Kinds():
                self._cluster.learn(question)
            case _:
                return await answered(self._cluster.ledger, question)
        return None

    async def _take(self, decided: Decided) -> None:
        """Know what was decided about a target."""
        target = decided.target
        self._known.left_out[target] = decided.left_out
        self._known.left_alone[target] = decided.left_alone
        self._pass.want(target, decided.wanted)
        self._pass.taken.update(decided.new)
        if decided.partly_placed:
            self._pass.partly_placed.add(target)
        for claim in decided.claims:
            self._pass.claim(target, claim)

    async def settled(self, target: Target, changes: ChangeSet) -> bool:
        """Whether every object of the last `apply` is there as we left it; reads metadata only.

        Seen at a glance, which all targets of a pass share. If so each is noted as unchanged, and
        the sweep knows what the target contains. What is left alone must still be wanted so.
        """
        cluster, name = self._cluster, TargetId.of(target)
        await cluster.ledger.open()
        inventory, wanted = cluster.ledger.inventory(name), self._known.wanted.get(name)
        left = self._known.left_alone.get(name, frozenset())
        if wanted is None or not wanted.keys() - left <= inventory.entries.keys():
            return False
        if not cluster.ledger.is_as_we_left_it(inventory):
            return False  # another agent delivered it, perhaps from another commit
        kinds = await cluster.kinds()
        sought = [
            Sought(key, kinds.any_version(key.group, key.kind), listed=True) for key in wanted
        ]
        confined = bool(target.allowed_namespaces)
        account = target.service_account
        if account:  # what others see is nothing to it
            live = (await cluster.acting_as(account).read(sought, inventory.applyset)).live
        else:
            live = (await self._glance.read(sought, confined=confined)).live
        if not all(
            is_left_alone(live.get(key))
            if key in left
            else is_settled(inventory.entries[key], live.get(key))
            for key in wanted
        ):
            return False
        self._pass.want(name, wanted)
        for key in sorted(wanted):
            skipped = Change(key, Action.SKIPPED, LEFT_ALONE, lasting=True)
            changes.add(skipped if key in left else Change(key, Action.UNCHANGED))
        return True

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> Sequence[Owed]:
        """Hand over or remove what the delivered targets no longer contain (design decision 13).

        Gives what was handed over to targets that were applied elsewhere: they are to be delivered
        once more, since nobody here has its values.
        """
        owed = await Sweeper(self._cluster, self._pass).sweep(delivered, changes)
        by_name = {TargetId.of(one.target): one for one in delivered}
        return [Owed(by_name[name], said) for name, said in owed.items()]
