"""Objects that a target no longer contains → deleted, held, or left with a word why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flux_secret.apply import guard, order, telling
from flux_secret.apply.allowed import OUTSIDE, is_allowed
from flux_secret.apply.cluster import Cluster, Found, Sought
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.prune import Fate, fate
from flux_secret.apply.recorded import failed, intent, pruned
from flux_secret.apply.write import TRIES
from flux_secret.errors import FluxSecretError, ObjectError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Note
from flux_secret.outside.kubernetes import (
    ConflictError,
    Kinds,
    LiveObject,
    NotFoundError,
    Preconditions,
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """What one target no longer contains."""

    inventory: Inventory
    gone: frozenset[ObjectKey]
    elsewhere: frozenset[ObjectKey]
    """Of those: what another target lists, and wants or may want."""
    commits: frozenset[str]
    """Application commits that say so."""
    prune: bool
    dry: bool
    """Whether to say only what would be removed."""
    allowed: frozenset[str]
    """The only namespaces that may be touched; empty for all."""
    stays: bool
    """Whether anything of the target stays; an empty generation is held."""
    partly_placed: bool = False
    """Whether the kind of something that the target wants is not known: then nothing goes."""
    taken_out: bool = False
    """Whether the target itself left the configuration: always held."""
    account: str = ""
    """In whose name it is removed; empty for our own."""
    confirmed: bool = False
    """Whether a person has said so already: nothing is held."""


@dataclass(frozen=True, slots=True)
class _Going:
    """What is deleted now."""

    inventory: Inventory
    """Claimed: whoever delivers the target meanwhile has another one."""
    live: Mapping[ObjectKey, LiveObject]
    kinds: Kinds


class Remover:
    """Removes for one sweep."""

    def __init__(
        self, cluster: Cluster, told: set[tuple[TargetId, ObjectKey, str]], changes: ChangeSet
    ) -> None:
        self._cluster = cluster
        self._told = told
        self._changes = changes
        self._noted: list[Note] = []

    async def remove(self, leaving: Leaving) -> None:
        """Remove what may go; the inventory keeps what could not (kustomize-controller #1664)."""
        inventory = leaving.inventory
        if not leaving.prune:
            for key in sorted(leaving.gone):
                self._tell(inventory, key, "no longer in the repository; pruning is off")
            return
        barred = {key for key in leaving.gone if not is_allowed(key, leaving.allowed)}
        for key in sorted(barred):
            self._tell(inventory, key, f"not pruned: {OUTSIDE}")
        kept = leaving.gone - barred - leaving.elsewhere if leaving.partly_placed else frozenset()
        for key in sorted(kept):
            self._tell(inventory, key, "not pruned: another object's kind is not known now")
        leaving = replace(leaving, gone=leaving.gone - barred - kept)
        kinds = await self._cluster.kinds()
        entries = dict(inventory.entries)
        found = await self._read(leaving, kinds)
        going = self._sorted_out(leaving, found, kinds, entries)
        if leaving.dry:
            for key in sorted(going):
                telling.removing(key, dry=True)
                self._tell(inventory, key, "would be pruned (--sync-garbage-collection-dry)")
        elif going and self._may(leaving, going):
            ledger = self._cluster.ledger
            await self._cluster.recorder.write([intent("prune", inventory, going)])
            inventory = await ledger.claim(inventory, inventory.entries, inventory.revision)
            live = {key: one for key in going if (one := found.live[key]) is not None}
            await self._delete_all(_Going(inventory, live, kinds), entries)
        if leaving.taken_out and not entries:
            await self._cluster.ledger.remove(inventory)
        else:
            await self._cluster.ledger.write(inventory, entries, inventory.revision)

    def _sorted_out(
        self, leaving: Leaving, found: Found, kinds: Kinds, entries: dict[ObjectKey, Entry]
    ) -> dict[ObjectKey, str]:
        """Give what goes, with its uid; take out of `entries` what is listed no more."""
        going: dict[ObjectKey, str] = {}
        for key in sorted(leaving.gone):
            decided, why = self._fate(entries[key], found, kinds, leaving)
            if why:
                self._tell(leaving.inventory, key, why)
            if decided is Fate.DROP:
                del entries[key]
            elif decided is Fate.GO and (live := found.live[key]) is not None:
                going[key] = live.uid
        return going

    async def _read(self, leaving: Leaving, kinds: Kinds) -> Found:
        sought = [
            Sought(key, kinds.any_version(key.group, key.kind), listed=True)
            for key in leaving.gone
            if not kinds.is_failing(key.group)
        ]
        found = await self._cluster.read(sought, leaving.inventory.applyset)
        for key, error in sorted(found.failed.items()):
            self._changes.add(Change(key, Action.FAILED, error=error))
        return found

    def _fate(self, entry: Entry, found: Found, kinds: Kinds, leaving: Leaving) -> tuple[Fate, str]:
        if leaving.inventory.target.is_home(entry.key):
            return Fate.DROP, "not pruned: its App lies in it"
        if entry.key in leaving.elsewhere:
            return Fate.DROP, ""  # a hand-over was cut short: the other list was written first
        if kinds.is_failing(entry.key.group):
            return Fate.KEEP, "not pruned: its API does not answer now"
        if kinds.any_version(entry.key.group, entry.key.kind) is None:
            # Its CustomResourceDefinition is gone, or a starting API server does not show it yet.
            return Fate.KEEP, "not pruned: its kind is not served now"
        if entry.key in found.failed:
            return Fate.KEEP, ""
        return fate(entry, found.live[entry.key], leaving.inventory.applyset)

    def _may(self, leaving: Leaving, going: dict[ObjectKey, str]) -> bool:
        if leaving.confirmed:
            return True
        target = str(leaving.inventory.target)
        why = guard.must_hold_removal(
            going, len(leaving.inventory.entries), everything=not leaving.stays
        )
        if leaving.taken_out:
            why = "the target was taken out of the configuration"
        token = guard.removal_token(target, leaving.commits, going)
        if not why or token in self._cluster.confirmed:
            return True
        error = guard.held_for_removal(target, why, going, leaving.commits, token)
        first, *others = sorted(going)
        self._changes.add(Change(first, Action.FAILED, error=error))
        for key in others:
            self._changes.add(Change(key, Action.SKIPPED, f"held: --confirm {token}"))
        return False

    async def _delete_all(self, going: _Going, entries: dict[ObjectKey, Entry]) -> None:
        """Delete in reverse order; a rank is always finished before a failure goes on its way."""
        for rank in order.in_ranks(going.live, lambda key: key, reverse=True):
            deletions = (self._delete(key, going) for key in rank)
            ended = await asyncio.gather(*deletions, return_exceptions=True)
            noted, self._noted = self._noted, []
            if noted:
                await self._cluster.recorder.write(noted)
            for key, is_gone in zip(rank, ended, strict=True):
                if isinstance(is_gone, BaseException):
                    raise is_gone
                if is_gone:
                    del entries[key]

    async def _delete(self, key: ObjectKey, going: _Going) -> bool:
        error: FluxSecretError
        telling.removing(key, dry=False)
        try:
            await self._cluster.limited(self._deleted(key, going))
        except NotFoundError:
            return True
        except ObjectError as refused:
            error = refused
        else:
            self._changes.add(Change(key, Action.DELETED))
            self._noted.append(pruned(key, going.live[key].uid))
            return True
        self._noted.append(failed(key, error))
        self._changes.add(Change(key, Action.FAILED, error=error))
        return False

    async def _deleted(self, key: ObjectKey, going: _Going) -> None:
        """Delete the version that was read, or a newer one while the list is still ours."""
        kind = going.kinds.any_version(key.group, key.kind)
        assert kind is not None, "what is not served has not been found"  # noqa: S101
        client, live = self._cluster.client, going.live[key]
        for left in reversed(range(TRIES)):
            unchanged = Preconditions(live.uid, live.resource_version)
            try:
                return await client.delete(kind, key.namespace, key.name, unchanged)
            except ConflictError:
                now = await client.metadata(kind, key.namespace, key.name)
                if now is None:
                    return None
                if now.uid != live.uid or not left:
                    raise
                await self._cluster.ledger.check(going.inventory)
                live = now
        return None

    def _tell(self, inventory: Inventory, key: ObjectKey, why: str) -> None:
        """Report once; a daemon does not say the same thing at every pass."""
        if (inventory.target, key, why) not in self._told:
            self._told.add((inventory.target, key, why))
            self._changes.add(Change(key, Action.SKIPPED, why))
