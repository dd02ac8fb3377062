"""What an App no longer contains is announced before it goes: another App may take it over.

Each App is delivered in a round of its own, perhaps by another replica, so nobody sees a move as a
whole. 1. Whoever delivers the old App marks the object in its list, with the account that it acts
for, and removes nothing yet. 2. The new App, which could not have it until then, finds the mark and
takes it over (`handover`), if it acts for the same account. 3. What nobody took within the time is
removed. The time counts on our own clock from when *we* saw it leave; after a restart, anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flux_secret.apply.inventory import TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.removal import Leaving
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.names import ObjectKey


@dataclass(frozen=True, slots=True)
class Wait:
    """For how long others may take it over; 0 where every target is part of one round."""

    seconds: float
    clock: Callable[[], float]


class Patience:
    """Since when what leaves, for as long as the agent runs."""

    def __init__(self) -> None:
        self._since: dict[tuple[TargetId, ObjectKey], float] = {}

    def wanted(self, target: TargetId, key: ObjectKey) -> None:
        """Note that it is wanted: should it leave later, it is announced anew."""
        self._since.pop((target, key), None)

    async def announced(
        self, leaving: Leaving, ledger: Ledger, changes: ChangeSet, wait: Wait
    ) -> Leaving:
        """Mark what leaves; give it without what may still be taken over.

        Raises what writing the list raises.
        """
        inventory = leaving.inventory
        if not inventory.target.app or not wait.seconds:
            return leaving
        keys = leaving.gone - leaving.elsewhere
        marked = {
            key: replace(inventory.entries[key], leaving=leaving.account)
            for key in keys
            if inventory.entries[key].leaving != leaving.account
        }
        if marked:
            entries = {**inventory.entries, **marked}
            inventory = await ledger.write(inventory, entries, inventory.revision)
        now, waiting = wait.clock(), set()
        for key in sorted(keys):
            since = self._since.setdefault((inventory.target, key), now)
            left = since + wait.seconds - now
            if left > 0 and leaving.prune:
                waiting.add(key)
                note = f"it left the repository, and goes in {left:.0f} s unless another App has it"
                changes.add(Change(key, Action.SKIPPED, note, again_seconds=left))
            elif leaving.prune:
                del self._since[inventory.target, key]
        return replace(leaving, inventory=inventory, gone=leaving.gone - waiting)
