"""Deliveries → restarts of what uses the Secrets that they changed: the front of this room.

1. Compare what our lists say of each Secret's values with the namespace's record.
2. Where a value is another one, note in the record which workloads are due, before anything else.
3. Restart those whose turn it is, within budget and outside of freeze windows; note it.
4. The rest waits for its time; so it does when the agent ends: the record is in the cluster.

Nothing is decided by what happened in this process, so neither a start nor a change of the leader
restarts anything, and an interrupted run is taken up.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from flux_secret.apply.digest import DigestKey
from flux_secret.apply.inventory import ID_LABEL, Inventory, TargetId, read_inventory
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.restart.noting import Fresh, Noting
from flux_secret.apply.restart.owned import Lists, Space, is_restartable
from flux_secret.apply.restart.record import Record
from flux_secret.apply.restart.records import Records
from flux_secret.apply.restart.rollouts import Rollouts
from flux_secret.apply.restart.turn import Turn, Wait
from flux_secret.apply.state import digest_key
from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action
from flux_secret.model.delivery import Delivery
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Recorder, Unrecorded
from flux_secret.model.restart import SecretRollout
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import Client, ConflictError
from flux_secret.outside.kubernetes.home import CONFIG_MAPS

RETRY_SECONDS: Final = 30.0  # after a failure
MAX_PAUSE_SECONDS: Final = 60.0  # so that a clock that is set shows soon
_log = structlog.get_logger(component="restarts")


def utc_now() -> dt.datetime:
    """Give the time."""
    return dt.datetime.now(dt.UTC)


class Restarter:
    """Restarts for one agent; `before` and `after` go around rounds, `run` goes on meanwhile."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        clock: Callable[[], dt.datetime] = utc_now,
        acting: Callable[[str], Client] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """`namespace` is the agent's, where the records lie.

        `acting` gives a client in the name of a target's service account; in the agent's for none.
        `recorder` has each restart before it happens, and after.
        """
        self.owns: Callable[[Target], bool] = lambda _target: True
        """Says whether a target is delivered here now: not by another replica, not suspended."""
        self._client = client
        self._recorder = recorder or Unrecorded()
        self._acting = acting or client.acting_as
        self._namespace = namespace
        self._clock = clock
        self._targets: dict[TargetId, Target] = {}
        self._begun: dict[TargetId, Target] = {}
        """Targets whose lists were looked at before their first delivery."""
        self._looked: dict[TargetId, Target] = {}
        """Targets whose lists were looked at after one."""
        self._lists: Lists | None = None
        self._records = Records(client, namespace)
        self._rollouts = Rollouts(self._acting, self._records)
        self._again: set[str] = set()
        """Namespaces in which something failed."""
        self._waits: dict[ObjectKey, Wait] = {}
        self._epoch = 0
        self._seen_epoch = 0
        self._looking = asyncio.Lock()
        self._woken = asyncio.Event()

    async def before(self, targets: Iterable[Target]) -> None:
        """Note what the lists say before anything of these targets is delivered the first time.

        Else a value that changes in the first round after an interrupted one would look like first
        contact. It never raises for a cluster that fails.
        """
        given = {TargetId.of(one): one for one in targets}
        self._targets |= given
        new = [name for name, one in given.items() if one.restart and self._begun.get(name) != one]
        epoch = self._epoch
        if new and await self._look(new) and epoch == self._epoch:
            self._begun |= given

    async def after(self, delivered: Sequence[Delivery]) -> None:
        """Restart what deliveries made due; it never raises for a cluster that fails."""
        self._targets |= {TargetId.of(one.target): one.target for one in delivered}
        concerned = [TargetId.of(one.target) for one in delivered if self._concerns(one)]
        fresh = {
            change.key: TargetId.of(one.target)
            for one in delivered
            for change in one.changes
            if change.action is Action.CREATED and is_restartable(change.key)
        }
        epoch = self._epoch
        if concerned and await self._look(concerned, fresh) and epoch == self._epoch:
            sound = (one.target for one in delivered if one.error is None)
            self._looked |= {TargetId.of(target): target for target in sound}

    def forget(self) -> None:
        """Remember nothing: which targets are delivered here has changed."""
        self._epoch += 1
        self._begun.clear()
        self._looked.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take up what waits meanwhile: while an agent runs, and leads."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def run(self) -> None:
        """Take up what waits, until cancelled."""
        while True:
            self._woken.clear()
            try:
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()
            except TimeoutError:
                await self.settle()

    async def settle(self) -> None:
        """Restart what waited for this time, and look how rollouts are; it never raises."""
        await self._look(())

    def tell(self, told: Callable[[Sequence[SecretRollout]], None]) -> None:
        """Tell of all rollouts, whenever they are others than before."""
        self._rollouts.told = told

    async def rollouts(self) -> Sequence[SecretRollout]:
        """Give what is due or rolling, and count its pods; raise what the cluster raises."""
        return await self._rollouts.all(self._space_of, self._waits)

    def _concerns(self, one: Delivery) -> bool:
        if one.target.restart is None:
            return False
        if self._lists is None or self._looked.get(TargetId.of(one.target)) != one.target:
            return True
        return any(
            (change.key.group, change.key.kind) == ("", "Secret")
            and change.action is not Action.UNCHANGED  # skipped: perhaps it was handed over since
            and not change.lasting
            for change in one.changes
        )

    def _pause(self) -> float | None:
        """Give seconds until something is to be done; None: nothing waits."""
        pauses = [RETRY_SECONDS] if self._again else []
        if self._waits:
            next_one = min(wait.until for wait in self._waits.values())
            pauses += [(next_one - self._clock()).total_seconds(), MAX_PAUSE_SECONDS]
        return max(min(pauses), 0.0) if pauses else None

    async def _look(self, targets: Collection[TargetId], fresh: Fresh | None = None) -> bool:
        """Read these targets' lists anew, and look at their namespaces and at what is due.

        Says whether the lists could be read; a namespace that fails is looked at again.
        """
        async with self._looking:
            if self._seen_epoch != self._epoch:
                self._seen_epoch, self._lists = self._epoch, None
                self._records.forget()
                self._waits.clear()
            try:
                namespaces = await self._read(targets)
                records = await self._records.all()
            except FluxSecretError as failure:
                self._lists = None
                self._records.forget()
                self._failed("", failure)
                return False
            again, self._again = self._again, set()
            due = {name for name, record in records.items() if record.due}
            for namespace in sorted((namespaces | again | due) - {""}):
                try:
                    await self._turn(namespace, fresh or {})
                except FluxSecretError as failure:
                    self._failed(namespace, failure)
            await self._rollouts.tell(self._space_of, self._waits)
            self._woken.set()
            return True

    def _failed(self, namespace: str, failure: FluxSecretError) -> None:
        self._again.add(namespace)
        self._woken.set()
        _log.warning("restarts.failed", err=failure.what, remedy=failure.remedy)

    async def _read(self, targets: Iterable[TargetId]) -> frozenset[str]:
        """Read lists; give the namespaces that they are about."""
        if self._lists is None:
            self._lists = await self._all_lists()
            return self._lists.namespaces(self._targets)
        touched: frozenset[str] = frozenset()
        for name in targets:
            none = Inventory(name, self._namespace)
            selector = f"{ID_LABEL}={none.applyset}"  # `get` is not among our rights there
            found = await self._client.list(CONFIG_MAPS, self._namespace, selector)
            touched |= self._lists.put(read_inventory(found[0]) if found else none)
        return touched

    async def _all_lists(self) -> Lists:
        ledger = Ledger(self._client, self._namespace)  # its own: deliveries go on meanwhile
        await ledger.open()
        return Lists(ledger.inventories())

    async def _space(self, record: Record) -> Space:
        """Give a namespace as the lists have it, which are no older than its record."""
        namespace = record.namespace
        space = self._space_of(namespace)
        if record.secrets.keys() - space.secrets.keys() - space.others:
            # nobody's any more? or of an App that came to another replica since we read all lists
            self._lists = await self._all_lists()
            space = self._space_of(namespace)
        if space.handing:
            await self._read(space.handing)
            space = self._space_of(namespace)
            if space.handing:
                self._again.add(namespace)
        return space

    async def _turn(self, namespace: str, fresh: Fresh) -> None:
        try:
            await self._taken(namespace, fresh)
        except ConflictError:  # another agent wrote the record: what it says now counts
            self._records.forget()
            await self._taken(namespace, fresh)

    async def _taken(self, namespace: str, fresh: Fresh) -> None:
        record = await self._records.of(namespace)
        space = await self._space(record)
        noting = Noting(self._acting, self._key, space, fresh, self._clock)
        noted, refused = await noting.noted(record)
        record = await self._records.write(record, noted)
        for one in refused:
            self._failed(namespace, one)
        before = {key: wait for key, wait in self._waits.items() if key.namespace == namespace}
        for key in before:
            del self._waits[key]
        if record.due:
            turn = Turn(
                self._acting, await self._key(), space, record, self._clock, before, self._recorder
            )
            try:
                await turn.take()
            finally:
                self._waits |= turn.waits
                await self._records.write(record, turn.record)

    def _space_of(self, namespace: str) -> Space:
        return self._lists.space(namespace, self._ours) if self._lists else Space()

    def _ours(self, name: TargetId) -> Target | None:
        target = self._targets.get(name)
        return target if target is not None and self.owns(target) else None

    async def _key(self) -> DigestKey:
        return await digest_key(self._client, self._namespace, make=False)
