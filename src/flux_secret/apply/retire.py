"""An App that is no more → its objects removed, or left and forgotten."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import structlog

from flux_secret.apply import guard
from flux_secret.apply.cluster import Cluster
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.removal import Leaving, Remover
from flux_secret.apply.sweep import Known
from flux_secret.errors import FluxSecretError, HeldError, ObjectError
from flux_secret.model.change import ChangeSet

_log = structlog.get_logger(component="cluster")


async def retire(
    cluster: Cluster,
    known: Known,
    target: TargetId,
    *,
    prune: bool,
    left_to: frozenset[str] = frozenset(),
) -> ChangeSet:
    """Remove everything that a target owns, or forget that it does; then its list goes, too.

    What lies in a namespace of `left_to`, which is being deleted, is only forgotten. Whoever
    deletes an App has confirmed it: nothing is held. What another target lists stays.
    Raises the first `FluxSecretError` that keeps an object in the list; the rest is gone by then.
    """
    ledger = cluster.ledger
    cluster.forget()  # what is removed is decided on what is there now
    await ledger.open()
    inventory, changes = ledger.inventory(target), ChangeSet()
    if left_to:
        stays = {key: one for key, one in inventory.entries.items() if key.namespace not in left_to}
        inventory = await ledger.write(inventory, stays, inventory.revision)
        _log.info("app.left", app=target.app, to=" ".join(sorted(left_to)),
                  reason="the namespace is being deleted, with what lies in it")  # fmt: skip
    if prune and inventory.entries:
        elsewhere = frozenset(
            key
            for other in ledger.inventories()
            if other.target != target
            for key in inventory.entries.keys() & other.entries.keys()
        )
        leaving = Leaving(
            inventory,
            gone=frozenset(inventory.entries),
            elsewhere=elsewhere,
            commits=frozenset(),
            prune=True,
            dry=False,
            allowed=frozenset(),
            stays=False,
            taken_out=True,
            confirmed=True,
        )
        await Remover(cluster, set(), changes).remove(leaving)
        _check(changes, target, left=len(ledger.inventory(target).entries))
    else:
        await ledger.remove(inventory)
    for kept in (known.wanted, known.left_alone, known.left_out):
        kept.pop(target, None)
    return changes


async def departed(ledger: Ledger, known: Collection[str]) -> Sequence[tuple[str, HeldError]]:
    """Give each App, `NAMESPACE/NAME`, that owns something and is not `known`, and why it is held.

    Raises what reading the lists raises.
    """
    await ledger.open()
    found = []
    for inventory in ledger.inventories():
        target, going = inventory.target, inventory.entries.keys()
        if target.app and target.app not in known and going:
            why = "it is no longer in the settings file"
            commits = {inventory.revision}
            token = guard.removal_token(str(target), commits, going)
            held = guard.held_for_removal(str(target), why, going, commits, token)
            found.append((target.app, held))
    return found


def _check(changes: ChangeSet, target: TargetId, *, left: int) -> None:
    if not left:
        return
    error: FluxSecretError | None = next((one.error for one in changes.failed if one.error), None)
    why = error.what if error else "; ".join(one.note for one in changes if one.note)
    raise ObjectError(
        f"{left} object{'s' if left != 1 else ''} of {target} could not be removed: {why}",
        remedy=(error.remedy if error else "")
        or "it is tried again; kubectl tells what holds them",
    )
