"""Every target's inventory, read once a pass and kept up to date by our own writes.

One list request a pass tells what each target owns; each write carries the resourceVersion it was
read at, so another flux-secret that delivers the same target is noticed (design decision 10).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from flux_secret.apply.inventory import ID_LABEL, LABEL, Entry, Inventory, TargetId, read_inventory
from flux_secret.errors import IntegrityError, UnreachableError
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import (
    Client,
    ConflictError,
    Json,
    NotFoundError,
    Preconditions,
)
from flux_secret.outside.kubernetes.body import text
from flux_secret.outside.kubernetes.home import CONFIG_MAPS, create

SELECTOR: Final = LABEL
CHECKS: Final = 5
"""How often it is tried to tell another holder what it must write again."""


class Ledger:
    """The inventories of one agent's namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._all: dict[str, Inventory] = {}
        self._fresh = False
        self._damaged: dict[str, IntegrityError] = {}
        self._owners: dict[ObjectKey, TargetId] = {}
        self._reserved: dict[TargetId, frozenset[ObjectKey]] = {}
        self._written: dict[str, Inventory | None] = {}
        """What we wrote or removed since the last reading began: it is newer than what was read."""
        self._reading = asyncio.Lock()
        self._identity = secrets.token_hex(4)
        self._holders: dict[TargetId, str] = {}
        """Who held each target's list when we last delivered it: we ourselves, if we wrote."""

    def forget(self) -> None:
        """Read again before the next use: a new pass begins."""
        self._fresh = False

    async def open(self) -> None:
        """Read the inventories unless this pass has read them already."""
        async with self._reading:
            if self._fresh:
                return
            self._written = {}
            listed = await self._client.list(CONFIG_MAPS, self._namespace, SELECTOR)
            self._damaged = {}
            read: dict[str, Inventory | None] = dict(filter(None, map(self._parsed, listed)))
            newest = read | self._written
            self._all = {name: one for name, one in newest.items() if one is not None}
            self._owners = {
                key: inventory.target
                for inventory in self._all.values()
                for key in inventory.entries
            }
            for target, keys in self._reserved.items():
                self._own(target, keys)
            self._fresh = True

    def inventory(self, target: TargetId) -> Inventory:
        """Give a target's; an empty one when it has none. Raises `IntegrityError` when damaged."""
        name = target.inventory_name
        if name in self._damaged:
            raise self._damaged[name]
        return self._all.get(name) or Inventory(target, self._namespace)

    def begin(self, target: TargetId) -> Inventory:
        """Give the list that a delivery begins with; raises as `inventory` does."""
        inventory = self.inventory(target)
        self._holders[target] = inventory.holder
        return inventory

    def is_as_we_left_it(self, inventory: Inventory) -> bool:
        """Whether no other agent has delivered the target since we did."""
        return self._holders.get(inventory.target) == inventory.holder

    def inventories(self) -> tuple[Inventory, ...]:
        """Give all that can be read."""
        return tuple(self._all.values())

    def owner(self, key: ObjectKey) -> TargetId | None:
        """Give the target that lists the object, or is about to."""
        return self._owners.get(key)

    async def others(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Give whose these objects are, of those that another target lists or is about to."""
        owners = ((key, self.owner(key)) for key in keys)
        return {key: owner for key, owner in owners if owner is not None and owner != target}

    async def reserve(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Note that a target is about to list these: two that plan at once may not both.

        Those that another has taken meanwhile are given, and then nothing is noted: plan again.
        """
        keys = frozenset(keys)
        if taken := await self.others(target, keys):
            return taken
        self._reserved[target] = keys
        self._own(target, keys)
        return {}

    def _own(self, target: TargetId, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self._owners.setdefault(key, target)

    async def write(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Write the new list, unless it is the old one; raise `UnreachableError` on a conflict."""
        self._reserved.pop(inventory.target, None)
        if entries == inventory.entries:
            return inventory
        return await self._put(inventory, entries, revision)

    async def claim(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Write it in any case, as a holder that there was never before: a delivery begins.

        Raises `UnreachableError` when somebody has changed it since it was read.
        """
        self._reserved.pop(inventory.target, None)
        holder = f"{self._identity}-{secrets.token_hex(4)}"
        claimed = await self._put(replace(inventory, holder=holder), entries, revision)
        self._holders[inventory.target] = holder
        return claimed

    async def check(self, inventory: Inventory, touched: ObjectKey | None = None) -> None:
        """Raise `UnreachableError` when another delivery has claimed the list meanwhile.

        What we may have overwritten of its objects is `touched`: it is told to write that again.
        """
        for _ in range(CHECKS):
            selector = f"{ID_LABEL}={inventory.applyset}"
            listed = await self._client.list(CONFIG_MAPS, self._namespace, selector)
            theirs = read_inventory(listed[0]) if listed else None
            if theirs is not None and theirs.holder == inventory.holder:
                return
            self.forget()
            if theirs is None or touched is None or touched not in theirs.entries:
                break
            unknown = replace(theirs.entries[touched], digest="", fields="")
            entries = {**theirs.entries, touched: unknown}
            with contextlib.suppress(UnreachableError):  # it has just written: look again
                await self._put(theirs, entries, theirs.revision)
                break
        raise _taken(inventory.target)

    async def _put(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        new = replace(inventory, entries=dict(entries), revision=revision)
        name, body = new.target.inventory_name, new.to_body()
        try:
            if inventory.resource_version:
                live = await self._client.replace(CONFIG_MAPS, self._namespace, name, body)
            else:
                live = await create(self._client, CONFIG_MAPS, self._namespace, name, body)
        except (ConflictError, NotFoundError):
            self.forget()
            raise _taken(new.target) from None
        new = replace(new, uid=live.uid, resource_version=live.resource_version)
        self._all[name] = self._written[name] = new
        for key in inventory.entries.keys() - new.entries.keys():
            if self._owners.get(key) == new.target:
                del self._owners[key]
        self._owners |= dict.fromkeys(new.entries, new.target)
        return new

    async def remove(self, inventory: Inventory) -> None:
        """Remove the inventory of a target that is gone, if nobody changed it meanwhile."""
        name = inventory.target.inventory_name
        if inventory.resource_version:
            unchanged = Preconditions(inventory.uid, inventory.resource_version)
            try:
                await self._client.delete(CONFIG_MAPS, self._namespace, name, unchanged)
            except (ConflictError, NotFoundError):
                self.forget()
                return
        self._all.pop(name, None)
        self._written[name] = None

    def _parsed(self, config_map: Json) -> tuple[str, Inventory] | None:
        try:
            inventory = read_inventory(config_map)
        except IntegrityError as error:
            self._damaged[text(config_map, "metadata", "name")] = error
            return None
        return inventory.target.inventory_name, inventory


def _taken(target: TargetId) -> UnreachableError:
    return UnreachableError(
        f"the inventory of {target} was changed by somebody else meanwhile",
        remedy="another flux-secret delivers the same target; the next pass tries again",
    )
