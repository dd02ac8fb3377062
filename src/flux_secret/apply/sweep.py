"""The end of a pass: objects that moved are handed over, objects that left are removed.

Three events are told apart (design decision 13): a target that shrank (removed, unless the guard
holds it), a target that failed (nothing is touched), and a target that was taken out of the
configuration (always held until a person confirms). Nothing of a target is removed while the kind
of something that it wants is not known: its load may be smaller than it seems.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from flux_secret.apply.cluster import Cluster
from flux_secret.apply.handover import HandedOver, HandOver
from flux_secret.apply.inventory import Inventory, TargetId
from flux_secret.apply.patience import Patience, Wait
from flux_secret.apply.plan import Claim
from flux_secret.apply.removal import Leaving, Remover
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.manifest import Origin
from flux_secret.model.names import ObjectKey
from flux_secret.outside.clock import uptime


@dataclass(slots=True)
class Known:
    """What outlives a pass, for as long as the agent runs."""

    wanted: dict[TargetId, Mapping[ObjectKey, Origin]] = field(default_factory=dict)
    """What each target contained when it was last delivered."""
    told: set[tuple[TargetId, ObjectKey, str]] = field(default_factory=set)
    """What was reported once and need not be again."""
    left_alone: dict[TargetId, frozenset[ObjectKey]] = field(default_factory=dict)
    """What somebody in the cluster wants left alone."""
    left_out: dict[TargetId, frozenset[str]] = field(default_factory=dict)
    """What was left out for want of a scope."""
    patience: Patience = field(default_factory=Patience)
    """Since when what is about to be removed."""
    clock: Callable[[], float] = uptime


@dataclass(slots=True)
class Pass:
    """What the deliveries of one pass said."""

    known: Known = field(default_factory=Known)
    wanted: dict[TargetId, Mapping[ObjectKey, Origin]] = field(default_factory=dict)
    taken: set[ObjectKey] = field(default_factory=set)
    """What was in no list before this pass."""
    partly_placed: set[TargetId] = field(default_factory=set)
    """Targets that want something whose kind is not known."""
    claims: list[tuple[TargetId, Claim]] = field(default_factory=list)

    def want(self, target: TargetId, origins: Mapping[ObjectKey, Origin]) -> None:
        """Note everything that a target contains, and who says so."""
        self.wanted[target] = self.known.wanted[target] = origins
        for key in origins:
            self.known.patience.wanted(target, key)

    def wanted_by(
        self, target: TargetId, sound: Collection[TargetId], delivered: Collection[TargetId]
    ) -> Mapping[ObjectKey, Origin] | None:
        """Give what a target contains; None when nobody knows, since its delivery failed.

        What counts of a target that is not part of this pass is its last delivery.
        """
        if target in delivered:
            return self.wanted.get(target) if target in sound else None
        return self.known.wanted.get(target)

    def claim(self, target: TargetId, claim: Claim) -> None:
        """Note that a target contains what another one lists."""
        self.claims.append((target, claim))


class Sweeper:
    """Ends one pass."""

    def __init__(self, cluster: Cluster, now: Pass) -> None:
        self._cluster = cluster
        self._now = now

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> HandedOver:
        """Hand over first, remove after that; give what is still to be applied."""
        ledger = self._cluster.ledger
        sound = {
            target: one
            for one in delivered
            if one.error is None and (target := TargetId.of(one.target)) in self._now.wanted
        }
        configured = here = frozenset(TargetId.of(one.target) for one in delivered)
        wants = {
            target: wanted
            for target in configured  # what was wanted before it was taken out counts no more
            if (wanted := self._now.wanted_by(target, sound, here)) is not None
        }
        await ledger.open()
        if not self._now.claims and not self._leaving(sound, configured, wants):
            return {}
        self._cluster.forget()  # what is removed is decided on what is there now
        await ledger.open()
        handing = HandOver(self._cluster, wants, sound, configured, self._now.taken)
        for target in sound:  # the first of the git paths first
            for claim in [claim for claimant, claim in self._now.claims if claimant == target]:
                await handing.settle(target, claim, changes)
        wait = Wait(self._cluster.options.handover_seconds, self._now.known.clock)
        patience = self._now.known.patience
        for announced in self._leaving(sound, configured, wants):
            leaving = await patience.announced(announced, ledger, changes, wait)
            cluster = self._cluster.acting_as(leaving.account)
            await Remover(cluster, self._now.known.told, changes).remove(leaving)
        return handing.owed

    def _leaving(
        self,
        sound: dict[TargetId, Delivery],
        configured: Collection[TargetId],
        wants: Mapping[TargetId, Mapping[ObjectKey, Origin]],
    ) -> list[Leaving]:
        leaving = []
        # What any target wants is not removed, also when it cannot have it now.
        claimed = {key for keys in (*self._now.wanted.values(), *wants.values()) for key in keys}
        for inventory in self._cluster.ledger.inventories():
            target = inventory.target
            if target.app and target not in configured:
                continue  # an App is never gone because it is not part of this pass
            wanted = self._now.wanted.get(target, {})
            left = inventory.entries.keys() - wanted.keys()
            if target in configured and (target not in sound or not left):
                continue
            elsewhere = self._elsewhere(target, left, wants)
            gone = frozenset(left - claimed) | elsewhere
            if target in sound and gone:
                one = sound[target]
                commits = frozenset({one.revision.commit} if one.revision else ())
                leaving.append(
                    Leaving(
                        inventory,
                        gone,
                        elsewhere,
                        commits,
                        prune=one.target.prune,
                        dry=one.target.prune_dry,
                        allowed=one.target.allowed_namespaces,
                        account=one.target.service_account,
                        stays=bool(wanted),
                        partly_placed=target in self._now.partly_placed,
                    )
                )
            elif target not in configured and (gone or not inventory.entries):
                leaving.extend(self._taken_out(inventory, gone, elsewhere, sound))
        return leaving

    @staticmethod
    def _taken_out(
        inventory: Inventory,
        gone: frozenset[ObjectKey],
        elsewhere: frozenset[ObjectKey],
        sound: dict[TargetId, Delivery],
    ) -> list[Leaving]:
        """Give an inventory of the same branch whose path is configured no more."""
        branch = (inventory.target.source, inventory.target.branch)
        same = [one for target, one in sound.items() if (target.source, target.branch) == branch]
        commits = frozenset(one.revision.commit for one in same if one.revision)
        if not commits:
            return []
        return [
            Leaving(
                inventory,
                gone,
                elsewhere,
                commits,
                prune=all(one.target.prune for one in same),
                dry=any(one.target.prune_dry for one in same),
                allowed=frozenset().union(*(one.target.allowed_namespaces for one in same)),
                stays=False,
                taken_out=True,
            )
        ]

    def _elsewhere(
        self,
        target: TargetId,
        keys: AbstractSet[ObjectKey],
        wants: Mapping[TargetId, Mapping[ObjectKey, Origin]],
    ) -> frozenset[ObjectKey]:
        """Give what another target lists, unless it was delivered without it."""
        return frozenset(
            key
            for other in self._cluster.ledger.inventories()
            if other.target != target
            for key in keys & other.entries.keys()
            if key in wants.get(other.target, {key})
        )
