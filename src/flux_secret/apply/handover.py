"""A claim → the object moves from one target's list to another's, and is never deleted in between.

1. The other target must not want it any more: it was delivered without it in this pass, or it was
   taken out of the configuration of the same branch, or it is an App that is about to remove it for
   the same account (`patience`). Else two targets define one object, and the
   claim is refused in Flux v1's words: whoever has the object keeps it. Of two that met it in this
   pass for the first time, the one whose git path was named first has it.
2. The new list is written first, the old one after it: a crash in between leaves the object in two
   lists, where the sweep drops it from the older one.
3. The new owner applies it in the same pass; its uid stays. What a worker claimed has no values
   here: its target is owed another delivery, which applies it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeAlias

from flux_secret.apply.act import Actor
from flux_secret.apply.cluster import Cluster, Sought
from flux_secret.apply.hold import held
from flux_secret.apply.inventory import Entry, TargetId
from flux_secret.apply.plan import Claim, Refuse, Step, Surroundings, Write, step
from flux_secret.errors import FluxSecretError, NotOursError, ObjectError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.duplicate import across_targets
from flux_secret.model.manifest import Origin
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import LiveObject

HandedOver: TypeAlias = Mapping[TargetId, Mapping[ObjectKey, str]]
"""What was handed over and is still to be applied, and what to say of each."""


class HandOver:
    """Settles the claims of one pass."""

    def __init__(
        self,
        cluster: Cluster,
        wanted: Mapping[TargetId, Mapping[ObjectKey, Origin]],
        sound: Mapping[TargetId, Delivery],
        configured: Collection[TargetId],
        taken: Collection[ObjectKey],
    ) -> None:
        """`wanted` is what each target contains, where that is known.

        `sound` is in the order of the git paths; `taken` was in no list before this pass.
        """
        self._cluster = cluster
        self._wanted = wanted
        self._sound = sound
        self._configured = configured
        self._taken = taken
        self.owed: dict[TargetId, dict[ObjectKey, str]] = {}

    async def settle(self, claimant: TargetId, claim: Claim, changes: ChangeSet) -> None:
        """Hand over, or refuse."""
        key, owner = claim.key, self._cluster.ledger.owner(claim.key)
        if owner is not None and not self._is_free(key, owner, claimant):
            changes.add(_failed(claim, self._refusal(key, owner, claimant)))
            return
        try:
            await self._hand_over(claimant, claim, changes)
        except ObjectError as error:
            changes.add(_failed(claim, error))
        loses = self._wanted.get(owner, {}).get(key) if owner is not None else None
        if owner is not None and loses is not None:
            lost = self._refusal(key, claimant, owner)
            changes.add(Change(key, Action.FAILED, error=lost, origin=str(loses)))

    def _is_free(self, key: ObjectKey, owner: TargetId, claimant: TargetId) -> bool:
        listed = self._cluster.ledger.inventory(owner).entries.get(key)
        if listed is not None and listed.leaving is not None:
            return listed.leaving == self._sound[claimant].target.service_account
        if owner not in self._configured and not owner.app:
            return (owner.source, owner.branch) == (claimant.source, claimant.branch)
        if owner not in self._wanted:
            return False
        if key not in self._wanted[owner]:
            return True
        order = list(self._sound)
        if owner not in self._sound or key not in self._taken:
            return False
        return order.index(claimant) < order.index(owner)

    def _refusal(self, key: ObjectKey, owner: TargetId, claimant: TargetId) -> NotOursError:
        if owner not in self._configured and not owner.app:
            namespace = self._cluster.options.agent_namespace
            return NotOursError(
                f"{key.long} belongs to the target {owner}, which is not delivered here",
                remedy="remove it from one of the two; or, if that target is used no more: kubectl "
                f"-n {namespace} delete configmap {owner.inventory_name}, and deliver once with "
                "--adopt-existing",
            )
        theirs = self._wanted.get(owner, {}).get(key)
        if theirs is None:
            why = "which failed" if owner in self._configured else "which was not delivered yet"
            what = f"{key.long} belongs to the target {owner}, {why}"
        else:
            said = across_targets(key, theirs, self._wanted[claimant][key])
            what = f"{said}: it belongs to the target {owner}"
        return NotOursError(
            what,
            remedy="remove it from one of the two; it is handed over once the other is delivered "
            "without it",
        )

    async def _hand_over(self, claimant: TargetId, claim: Claim, changes: ChangeSet) -> None:
        ledger, key = self._cluster.ledger, claim.key
        revision = self._sound[claimant].revision
        assert revision is not None, "a sound delivery has one"  # noqa: S101
        owner = ledger.owner(key)
        account = self._sound[claimant].target.service_account
        live = None if claim.is_bare else await self._read(claim, account)
        inventory = ledger.inventory(claimant)
        if owner is not None:
            entry = ledger.inventory(owner).entries.get(key, Entry(key))
            moved = replace(entry, digest="", fields="", leaving=None)
            inventory = replace(inventory, entries={**inventory.entries, key: moved})
            inventory = await ledger.write(
                ledger.inventory(claimant), inventory.entries, str(revision)
            )
            await self._drop(owner, key)
        if claim.is_bare:
            self.owed.setdefault(claimant, {})[key] = _said(owner)
            return
        around = Surroundings(inventory, {key: live}, {}, self._cluster.options.adopt_existing)
        (decided,) = await held(
            self._cluster, [step(claim.want, claim.digest, around)], around.live, revision
        )
        await self._act(decided, owner, inventory.target, str(revision), changes)

    async def _act(
        self,
        decided: Step,
        owner: TargetId | None,
        claimant: TargetId,
        revision: str,
        changes: ChangeSet,
    ) -> None:
        match decided:
            case Write(note=note):
                ledger, values = self._cluster.ledger, [*decided.want.values.values()]
                actor = Actor(self._cluster, ledger, revision, changes, values)
                inventory, said = ledger.inventory(claimant), _said(owner) or note
                await actor.act(inventory, [replace(decided, note=said)])
            case Refuse(key=key, error=error, origin=origin):
                changes.add(Change(key, Action.FAILED, error=error, origin=origin))
            case _:
                changes.add(Change(decided.key, Action.SKIPPED, _said(owner)))

    async def _drop(self, owner: TargetId, key: ObjectKey) -> None:
        old = self._cluster.ledger.inventory(owner)
        entries = {name: entry for name, entry in old.entries.items() if name != key}
        await self._cluster.ledger.write(old, entries, old.revision)

    async def _read(self, claim: Claim, account: str) -> LiveObject | None:
        sought = Sought(claim.key, claim.want.kind, listed=False)
        found = await self._cluster.acting_as(account).read([sought], "")
        if claim.key in found.failed:
            raise found.failed[claim.key]
        return found.live[claim.key]


def _said(owner: TargetId | None) -> str:
    return f"handed over by {owner}" if owner else ""


def _failed(claim: Claim, error: FluxSecretError) -> Change:
    return Change(claim.key, Action.FAILED, error=error, origin=claim.want.origin)
