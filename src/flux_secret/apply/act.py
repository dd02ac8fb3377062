"""Decided writes → written: the list ahead, then rank by rank, then the list with uids."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from flux_secret.apply import order
from flux_secret.apply.cluster import Cluster
from flux_secret.apply.established import Established
from flux_secret.apply.inventory import Entry, Inventory
from flux_secret.apply.lists import Lists
from flux_secret.apply.plan import Write
from flux_secret.apply.recorded import came_of, intent
from flux_secret.apply.unsaid import unsaid
from flux_secret.apply.write import Written, write
from flux_secret.errors import FluxSecretError, ObjectError, RecordError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Note
from flux_secret.outside.kubernetes import ServedKind, crd_kinds


class Actor:
    """Acts for one target; decides nothing."""

    def __init__(
        self,
        cluster: Cluster,
        lists: Lists,
        revision: str,
        changes: ChangeSet,
        values: Collection[Plaintext],
    ) -> None:
        """`values` are those of the target's Secrets: no failure may show them."""
        self._cluster = cluster
        self._lists = lists
        self._values = values
        self._revision = revision
        self._changes = changes
        self._established = Established(cluster)
        self._entries: dict[ObjectKey, Entry] = {}
        self._stopped: FluxSecretError | None = None
        self._inventory: Inventory | None = None
        self._known: Collection[ObjectKey] = ()
        self._noted: list[Note] = []

    async def act(
        self, inventory: Inventory, writes: Sequence[Write], kept: Iterable[Entry] = ()
    ) -> Inventory:
        """Write the list, the objects, and the list again; `kept` is listed without a write.

        What is to be written is on the record before, what came of it after. Raises what stops
        everything (`RecordError`, `UnreachableError`); the objects written until then are in the
        change set, and the list stays the union.
        """
        if writes:
            keys = [one.key for one in writes]
            await self._cluster.recorder.write([intent("apply", inventory, keys, self._revision)])
        self._known = inventory.entries.keys()
        self._entries = {**inventory.entries, **{one.key: one for one in kept}}
        for one in writes:
            # Of a new Secret, pods may see the values before we list it a second time.
            ahead = Entry(one.key, one.uid, one.adopted, values=one.values, holds=one.want.holds)
            entry = self._entries.get(one.key, ahead)
            # Until it is listed again nobody knows what is there: who is killed leaves that behind.
            self._entries[one.key] = replace(entry, digest="", leaving=None)
        begin = self._lists.claim if writes else self._lists.write
        self._inventory = inventory = await begin(inventory, self._entries, self._revision)
        for rank in order.in_ranks(writes, lambda one: one.key):
            await asyncio.gather(*map(self._one, rank))
            if self._stopped is not None:
                with contextlib.suppress(RecordError):  # what stopped it is the news
                    await self._record()
                raise self._stopped
        await self._record()
        return await self._lists.write(inventory, self._entries, self._revision)

    async def _record(self) -> None:
        noted, self._noted = self._noted, []
        if noted:
            await self._cluster.recorder.write(noted)

    async def _one(self, one: Write) -> None:
        try:
            done = await self._written(one)
        except ObjectError as refused:
            error = unsaid(refused, self._values)
            done = Written(
                Change(one.key, Action.FAILED, error=error, origin=one.want.origin), None
            )
        except FluxSecretError as failure:
            self._stopped = self._stopped or failure
            return
        if done is None:
            return
        self._changes.add(done.change)
        self._noted += came_of(one, done, is_new=one.key not in self._known)
        if done.entry is not None:
            self._entries[one.key] = done.entry
            if one.want.is_crd:
                self._established.promise(crd_kinds(one.want.body))
        elif done.is_foreign:
            self._entries.pop(one.key, None)

    async def _written(self, one: Write) -> Written | None:
        kind = await self._established.kind(one.want)
        return await self._cluster.limited(self._sent(one, kind))

    async def _sent(self, one: Write, kind: ServedKind) -> Written | None:
        if self._stopped is not None:  # the API server is gone: do not wait for it once an object
            return None
        return await write(self._cluster.client, one, kind, self._still_ours)

    async def _still_ours(self, touched: ObjectKey | None = None) -> None:
        assert self._inventory is not None, "what is written is listed before"  # noqa: S101
        await self._lists.check(self._inventory, touched)
