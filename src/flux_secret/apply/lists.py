"""Whose an object is, and how a target's own list is written: what applying asks of all lists.

The `Ledger` answers. In a worker nobody but its parent has the ledger: there a question is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.errors import BugError
from flux_secret.model.names import ObjectKey

Ask: TypeAlias = Callable[[object], Awaitable[Any]]
"""A question of this module → its answer; raises what answering it raised."""


class Lists(Protocol):
    """The lists of all targets."""

    async def others(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Give whose these objects are, of those that another target lists or is about to."""

    async def reserve(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Take them all, or none: give those that another target has taken meanwhile."""

    async def write(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Write a target's list, unless it is the old one."""

    async def claim(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Write it in any case, as another holder than any before; raise `UnreachableError`."""

    async def check(self, inventory: Inventory, touched: ObjectKey | None = None) -> None:
        """Raise `UnreachableError` when another delivery has claimed the list meanwhile.

        Then it is told to write the object `touched` again, which we may have overwritten.
        """


@dataclass(frozen=True, slots=True)
class Others:
    """`Lists.others`, asked."""

    target: TargetId
    keys: frozenset[ObjectKey]


@dataclass(frozen=True, slots=True)
class Reserve:
    """`Lists.reserve`, asked."""

    target: TargetId
    keys: frozenset[ObjectKey]


@dataclass(frozen=True, slots=True)
class WriteList:
    """`Lists.write`, asked."""

    inventory: Inventory
    entries: Mapping[ObjectKey, Entry]
    revision: str


@dataclass(frozen=True, slots=True)
class ClaimList(WriteList):
    """`Lists.claim`, asked."""


@dataclass(frozen=True, slots=True)
class CheckList:
    """`Lists.check`, asked."""

    inventory: Inventory
    touched: ObjectKey | None


async def answered(lists: Lists, question: object) -> object:
    """Answer a question; raises what `lists` raises."""
    match question:
        case Others(target, keys):
            return await lists.others(target, keys)
        case Reserve(target, keys):
            return await lists.reserve(target, keys)
        case ClaimList(inventory, entries, revision):
            return await lists.claim(inventory, entries, revision)
        case CheckList(inventory, touched):
            await lists.check(inventory, touched)
            return None
        case WriteList(inventory, entries, revision):
            return await lists.write(inventory, entries, revision)
    raise BugError(f"nobody answers {type(question).__name__}")


@dataclass(frozen=True, slots=True)
class AskedLists:
    """The same, asked of somebody else."""

    ask: Ask

    async def others(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Ask."""
        found: Mapping[ObjectKey, TargetId] = await self.ask(Others(target, frozenset(keys)))
        return found

    async def reserve(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        """Ask."""
        taken: Mapping[ObjectKey, TargetId] = await self.ask(Reserve(target, frozenset(keys)))
        return taken

    async def write(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Ask, unless there is nothing to write."""
        if entries == inventory.entries:
            return inventory
        written: Inventory = await self.ask(WriteList(inventory, entries, revision))
        return written

    async def claim(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        """Ask."""
        claimed: Inventory = await self.ask(ClaimList(inventory, entries, revision))
        return claimed

    async def check(self, inventory: Inventory, touched: ObjectKey | None = None) -> None:
        """Ask."""
        await self.ask(CheckList(inventory, touched))
