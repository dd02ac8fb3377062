"""Bundle → what a running Flux v1 owned is ours, or is given back: `flux-secret adopt`.

It takes the applier's place in a round, so that an object is found exactly as a delivery finds it,
and writes no field of any object. The inventory is written ahead: a run that is interrupted is
finished by the next one.

What Flux v1 delivered and git no longer has is looked for at the end of the round, and put into the
first target's inventory: the next delivery removes it as it removes everything that left the
repository, with the same guard, or leaves it where garbage collection is off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Self

from flux_secret.apply.adoption import CLIENT_SIDE, adoption, release
from flux_secret.apply.allowed import is_allowed
from flux_secret.apply.cluster import DRY, ApplyOptions, Cluster, Sought
from flux_secret.apply.fluxv1 import DEPLOYMENTS, is_running_flux
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.leftovers import Leftover, Search
from flux_secret.apply.payload import LAST_APPLIED, PART_OF
from flux_secret.apply.recorded import adopted, intent
from flux_secret.apply.scope import Wanted, place
from flux_secret.apply.unsaid import unsaid
from flux_secret.errors import (
    BugError,
    FluxSecretError,
    ForbiddenError,
    HeldError,
    NotOursError,
    ObjectError,
)
from flux_secret.model.adoption import Direction, Mode
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.flux_v1 import MARK, Ignore, ignored, resource_id
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Recorder
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import (
    FIELD_MANAGER,
    Client,
    ConflictError,
    Json,
    LiveObject,
    ServedKind,
)
from flux_secret.outside.kubernetes.body import encoded, mapping, text

_SHOWN_KINDS: Final = 20


@dataclass(frozen=True, slots=True)
class _Patch:
    """One object's patch; empty when it is as it should be already."""

    key: ObjectKey
    kind: ServedKind
    operations: Sequence[Json]
    note: str = ""
    origin: str = ""


class Adopter:
    """Changes owners, not objects."""

    def __init__(
        self,
        client: Client,
        options: ApplyOptions,
        mode: Mode,
        recorder: Recorder | None = None,
    ) -> None:
        self._cluster = Cluster(client, options, recorder=recorder)
        self._mode = mode
        self._wanted: set[str] = set()
        self._values: list[Plaintext] = []

    def round(self) -> Self:
        """Begin a round: there is only one."""
        return self

    async def order(self, _target: Target) -> NoReturn:
        """Refuse: nothing is adopted elsewhere."""
        raise BugError("adopting is done in one process")

    async def answer(self, _question: object) -> NoReturn:
        """Refuse, too."""
        raise BugError("adopting is done in one process")

    async def settled(self, _target: Target, _changes: ChangeSet) -> bool:
        """Say no: nothing is remembered here."""
        return False

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> tuple[()]:
        """Take over what left the repository; nothing is removed here."""
        daemon = self._cluster.options.daemon
        if self._mode.direction is not Direction.OURS or daemon is None or not delivered:
            return ()
        first = delivered[0]
        failures = [one.error for one in delivered if one.error is not None]
        if failures:
            if not any(isinstance(error, HeldError) for error in failures):  # nothing was done then
                first.notes.append(
                    "what left the repository is not looked for, since a target could not be read"
                )
            return ()
        allowed = [one.target.allowed_namespaces for one in delivered]
        search = Search(
            daemon,
            self._wanted,
            frozenset().union(*allowed) if all(allowed) else frozenset(),
            self._cluster.options.excluded_resources,
        )
        left = await search.run(self._cluster)
        if left.unlisted:
            first.notes.append(_unlisted(left.unlisted))
        await self._take_leftovers(first, left.found, changes)
        return ()

    async def _take_leftovers(
        self, first: Delivery, leftovers: Sequence[Leftover], changes: ChangeSet
    ) -> None:
        """List them where they are listed already, or with the first target."""
        ledger, revision = self._cluster.ledger, str(first.revision)
        homes: dict[TargetId, list[Leftover]] = {}
        for one in leftovers:
            if why := _left_as_it_is(one.key, one.live):
                changes.add(Change(one.key, Action.SKIPPED, f"it left the repository; {why}"))
                continue
            home = ledger.owner(one.key) or TargetId.of(first.target)
            homes.setdefault(home, []).append(one)
        note = "it left the repository; " + (
            "the next delivery removes it, or holds it"
            if first.target.prune and not first.target.prune_dry
            else "it stays, until --sync-garbage-collection"
        )
        patches: list[_Patch] = []
        for home, found in homes.items():
            inventory = ledger.inventory(home)
            entries = dict(inventory.entries)
            for one in found:
                known = entries.get(one.key)
                if known is None or known.uid != one.live.uid:
                    entries[one.key] = Entry(one.key, one.live.uid, adopted=True)
                operations = adoption(one.live, part_of=inventory.applyset)
                where = f"in {one.key.namespace}: " if one.key.namespace else ""
                patches.append(_Patch(one.key, one.kind, operations, where + note))
            if not self._mode.dry:
                await self._intend(inventory, patches, revision)
                await ledger.write(inventory, entries, revision)
        await self._act_on(patches, changes)

    async def apply(self, delivery: Delivery, bundle: Bundle, changes: ChangeSet) -> None:
        """Take the bundle's objects over, or give back what the target lists.

        Raises `HeldError` while Flux v1 is running, `UnreachableError`, `IntegrityError`.
        """
        if delivery.revision is None:
            raise BugError("a delivery is adopted before its revision is known")
        await self._refuse_while_flux_runs(delivery)
        cluster, target = self._cluster, TargetId.of(delivery.target)
        await cluster.ledger.open()
        inventory, kinds = cluster.ledger.inventory(target), await cluster.kinds()
        placed = place(bundle, kinds, delivery.target.default_namespace, inventory.applyset)
        for one in placed.failed:
            changes.add(Change(one.key, Action.FAILED, error=one.error, origin=one.origin))
        self._wanted |= {resource_id(key) for key in placed.origins}
        self._values += [value for item in bundle.items for value in item.secret_data.values()]
        allowed = delivery.target.allowed_namespaces
        wanted = {want.key: want for want in placed.wanted if is_allowed(want.key, allowed)}
        if self._mode.direction is Direction.OURS:
            await self._take(inventory, wanted, str(delivery.revision), changes)
        else:
            await self._give_back(inventory, wanted, str(delivery.revision), changes)

    async def _take(
        self, inventory: Inventory, wanted: Mapping[ObjectKey, Wanted], revision: str,
        changes: ChangeSet,
    ) -> None:  # fmt: skip
        sought = [Sought(want.key, want.kind, listed=False) for want in wanted.values()]
        live = await self._read(sought, inventory, wanted, changes)
        entries, patches = dict(inventory.entries), []
        for key, there in sorted(live.items()):
            if why := self._not_to_take(wanted[key], there, inventory.target):
                changes.add(why)
            elif there is not None:
                known = entries.get(key)
                if known is None or known.uid != there.uid:
                    entries[key] = Entry(key, there.uid, adopted=True)
                want = wanted[key]
                patches.append(_Patch(key, want.kind, adoption(there), origin=want.origin))
        new = {one.key for one in patches if entries[one.key] != inventory.entries.get(one.key)}
        if not self._mode.dry:
            await self._intend(inventory, patches, revision)
            await self._cluster.ledger.write(inventory, entries, revision)
        await self._act_on(patches, changes, new)

    def _not_to_take(
        self, want: Wanted, live: LiveObject | None, target: TargetId
    ) -> Change | None:
        """Say why an object is left as it is; None when it is to be taken."""
        key = want.key
        if live is None:
            return Change(key, Action.SKIPPED, "not there: the first delivery creates it")
        owner = self._cluster.ledger.owner(key)
        why = _left_as_it_is(key, live)
        if not why and owner is not None and owner != target:
            why = f"{owner} has it"
        if why:
            return Change(key, Action.SKIPPED, why)
        if owner == target or self._is_our_daemons(key, live):
            return None
        return Change(key, Action.FAILED, error=_foreign(key, live), origin=want.origin)

    def _is_our_daemons(self, key: ObjectKey, live: LiveObject) -> bool:
        options, mark = self._cluster.options, live.labels.get(MARK)
        if options.daemon is not None and mark == options.daemon.mark(key):
            return True
        return options.adopt_existing and not mark

    async def _give_back(
        self, inventory: Inventory, wanted: Mapping[ObjectKey, Wanted], revision: str,
        changes: ChangeSet,
    ) -> None:  # fmt: skip
        daemon = self._cluster.options.daemon
        if daemon is None:
            raise BugError("objects are given back to a daemon that is not known")
        kinds = await self._cluster.kinds()
        served = {key: kinds.any_version(key.group, key.kind) for key in inventory.entries}
        sought = [Sought(key, kind, listed=True) for key, kind in served.items()]
        live = await self._read(sought, inventory, wanted, changes)
        patches = []
        for key, there in sorted(live.items()):
            kind, entry = served[key], inventory.entries[key]
            if there is None or kind is None or (entry.uid and entry.uid != there.uid):
                changes.add(Change(key, Action.SKIPPED, "not there, or another object by now"))
            else:
                remembered = _last_applied(wanted.get(key), daemon.mark(key))
                patches.append(_Patch(key, kind, release(there, daemon.mark(key), remembered)))
        await self._intend(inventory, patches, revision)
        done = await self._act_on(patches, changes)
        if not self._mode.dry:
            released = {one.key for one, ok in zip(patches, done, strict=True) if ok}
            left = {
                key: entry
                for key, entry in inventory.entries.items()
                if key not in released and live.get(key) is not None
            }
            inventory = await self._cluster.ledger.write(inventory, left, revision)
            if not left:
                await self._cluster.ledger.remove(inventory)

    async def _read(
        self, sought: Sequence[Sought], inventory: Inventory, wanted: Mapping[ObjectKey, Wanted],
        changes: ChangeSet,
    ) -> Mapping[ObjectKey, LiveObject | None]:  # fmt: skip
        found = await self._cluster.read(sought, inventory.applyset)
        for key, error in sorted(found.failed.items()):
            origin = wanted[key].origin if key in wanted else ""
            changes.add(Change(key, Action.FAILED, error=error, origin=origin))
        return found.live

    async def _intend(self, inventory: Inventory, patches: Sequence[_Patch], revision: str) -> None:
        """Record what is going to be patched, if anything is."""
        keys = [one.key for one in patches if one.operations]
        if keys and not self._mode.dry:
            word = "adopt" if self._mode.direction is Direction.OURS else "release"
            await self._cluster.recorder.write([intent(word, inventory, keys, revision)])

    async def _act_on(
        self,
        patches: Sequence[_Patch],
        changes: ChangeSet,
        new: Collection[ObjectKey] | None = None,
    ) -> Sequence[bool]:
        """Patch objects, and record it; say of each whether it is as it should be.

        `new` are those that were not ours before; None: all of them.
        """
        done = await asyncio.gather(
            *(self._act(one, changes, new=new is None or one.key in new) for one in patches)
        )
        word = Action(self._mode.direction.value)
        notes = [
            adopted(one.key, word, one.note)
            for one, is_done in zip(patches, done, strict=True)
            if is_done and one.operations and not self._mode.dry
        ]
        if notes:
            await self._cluster.recorder.write(notes)
        return done

    async def _act(self, one: _Patch, changes: ChangeSet, *, new: bool) -> bool:
        """Patch one object; say whether it is as it should be now."""
        word = Action(self._mode.direction.value)
        note = "; ".join(filter(None, [DRY * self._mode.dry, one.note]))
        if not one.operations:
            changes.add(Change(one.key, word if new else Action.UNCHANGED, note))
            return True
        if self._mode.dry:
            changes.add(Change(one.key, word, note))
            return True
        manager = FIELD_MANAGER if self._mode.direction is Direction.OURS else CLIENT_SIDE
        error: FluxSecretError
        try:
            await self._cluster.limited(
                self._cluster.client.patch(
                    one.kind, one.key.namespace, one.key.name, encoded(one.operations), manager
                )
            )
        except ConflictError as conflict:
            error = conflict
            error.remedy = "somebody changed it meanwhile: run the same command again"
        except ObjectError as refused:
            error = unsaid(refused, self._values)
        else:
            changes.add(Change(one.key, word, note))
            return True
        changes.add(Change(one.key, Action.FAILED, error=error, origin=one.origin))
        return False

    async def _refuse_while_flux_runs(self, delivery: Delivery) -> None:
        """Look for a running Flux v1 in our namespace: both would fight over every field."""
        namespace = self._cluster.options.agent_namespace
        try:
            found = await self._cluster.client.list(DEPLOYMENTS, namespace, "")
        except ForbiddenError:
            delivery.notes.append(f"cannot look whether a Flux v1 is running in {namespace}")
            return
        running = [text(one, "metadata", "name") for one in found if is_running_flux(one)]
        for name in running:
            stop = f"kubectl scale deployment/{name} -n {namespace} --replicas=0"
            if not self._mode.dry:
                raise HeldError(
                    f"deployment/{name} in {namespace} is a running Flux v1",
                    remedy=f"stop it first: {stop}",
                )
            delivery.notes.append(f"a Flux v1 is running; stop it before you go on: {stop}")


def _left_as_it_is(key: ObjectKey, live: LiveObject) -> str:
    """Say why nobody takes an object over; an empty text when it may be."""
    if live.is_going:
        return "it is being deleted"
    if ignored(live.annotations) is not Ignore.WHOLLY:
        return ""
    why = "ignored: an annotation in the cluster says so"
    if key.kind != "Secret" or LAST_APPLIED not in live.annotations:
        return why
    where = f"{key} -n {key.namespace} {LAST_APPLIED}-"
    return f"{why}; another one holds its values in clear: kubectl annotate {where}"


def _unlisted(kinds: Sequence[str]) -> str:
    """Name them, those that may hold values first."""
    ordered = sorted(kinds, key=lambda name: (not name.startswith("secrets"), "." in name, name))
    more = f" and {len(kinds) - _SHOWN_KINDS} more" if len(kinds) > _SHOWN_KINDS else ""
    return (
        "what Flux v1 left of these kinds is not known, since they cannot be listed: "
        f"{', '.join(ordered[:_SHOWN_KINDS])}{more}; "
        "allow it, or name the namespaces that Flux v1 had: --k8s-allow-namespace"
    )


def _foreign(key: ObjectKey, live: LiveObject) -> NotOursError:
    if live.labels.get(MARK):
        return NotOursError(
            f"{key.long} carries the mark of another Flux v1",
            remedy="adopt with the --git-url, --git-branch and --git-path that it had, in order",
        )
    return NotOursError(
        f"{key.long} was not delivered by Flux v1",
        remedy="look at it; take it over with --adopt-existing",
    )


def _last_applied(want: Wanted | None, mark: str) -> str | None:
    """Give what kubectl would remember of an object; None for a Secret, or what git has no more."""
    if want is None or want.values or want.key.kind == "Secret":
        return None
    metadata = mapping(want.body, "metadata")
    labels = {name: value for name, value in mapping(metadata, "labels").items() if name != PART_OF}
    body = {**want.body, "metadata": {**metadata, "labels": {**labels, MARK: mark}}}
    return json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n"
