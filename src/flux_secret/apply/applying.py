"""One target's bundle → its objects in the cluster, one `Change` each.

1. Name every object fully (scope), read what is there, decide each object's step (plan).
2. Hold what a person must confirm (guard): a Secret's value that would be lost.
3. Write the list ahead: the union of what we own and what we are about to create.
4. Act in ranks; wait for CustomResourceDefinitions before their instances.
5. Write the list again, with uids and digests.
When the API server goes away in between, the union stays, and the next pass goes on from it.

It knows one target: an `Order` says what it needs of what is known about all of them, and they are
told what was `Decided`. So it can be done in a process of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from flux_secret.apply import scopes, telling
from flux_secret.apply.act import Actor
from flux_secret.apply.allowed import OUTSIDE, may_write, refusal, summary
from flux_secret.apply.cluster import DRY, Cluster, Found, Sought
from flux_secret.apply.digest import OBJECTS
from flux_secret.apply.hold import held
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.lists import Lists
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.plan import Claim, Keep, Refuse, Step, Surroundings, Write, holding, step
from flux_secret.apply.recorded import failed
from flux_secret.apply.restart.values import noting
from flux_secret.apply.scope import Placed, Wanted, place
from flux_secret.apply.trying import tried
from flux_secret.errors import FluxSecretError, NotOursError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.manifest import Bundle, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import Kinds


@dataclass(frozen=True, slots=True)
class Order:
    """What applying one target needs of what is known about all."""

    inventory: Inventory
    kinds: Kinds
    confirmed: frozenset[str] = frozenset()
    """Tokens of held changes that a person lets through."""
    left_out: frozenset[str] = frozenset()
    """What was left out of it before for want of a scope."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about one target, for whoever knows them all; no value but in `claims`."""

    target: TargetId
    wanted: Mapping[ObjectKey, Origin]
    """Every object of the bundle, also those that cannot be applied now, and who says so."""
    new: frozenset[ObjectKey]
    """What nobody had in a list before."""
    left_alone: frozenset[ObjectKey]
    """What somebody in the cluster wants left alone."""
    left_out: frozenset[str]
    """What is left out for want of a scope."""
    partly_placed: bool
    """Whether the kind of one of them is not known."""
    claims: tuple[Claim, ...]
    """What another target lists."""

    def bare(self) -> Decided:
        """Give it without any value."""
        return replace(self, claims=tuple(claim.bare() for claim in self.claims))


Tell: TypeAlias = Callable[[Decided], Awaitable[None]]


class Applying:
    """Applies one target."""

    def __init__(self, cluster: Cluster, lists: Lists, order: Order, tell: Tell) -> None:
        """`tell` is told what was decided before anything is written."""
        self._cluster = cluster
        self._lists = lists
        self._order = order
        self._tell = tell

    async def apply(
        self, delivery: Delivery, revision: Revision, bundle: Bundle, changes: ChangeSet
    ) -> None:
        """Apply; one object's failure is `Action.FAILED`, not an exception.

        Raises `UnreachableError`, `IntegrityError` (our key is damaged), `ManifestError` (one
        object twice); `changes` holds what was done until then.
        """
        inventory, kinds = self._order.inventory, self._order.kinds
        placed = place(bundle, kinds, delivery.target.default_namespace, inventory.applyset)
        steps = await self._decide(delivery, revision, placed)
        await self._tell(self._decided(steps, placed))
        writes = [one for one in steps if isinstance(one, Write)]
        for one in steps:
            _note(one, changes, alone=self._cluster.options.tries)
        values = [value for item in bundle.items for value in item.secret_data.values()]
        if self._cluster.options.dry:
            refused = (
                await tried(self._cluster, writes, values) if self._cluster.options.tries else {}
            )
            _would(writes, inventory.entries.keys() - placed.origins.keys(), refused, changes)
            return
        if refusals := [failed(one.key, one.error) for one in steps if isinstance(one, Refuse)]:
            await self._cluster.recorder.write(refusals)
        actor = Actor(self._cluster, self._lists, str(revision), changes, values)
        with telling.applying(delivery.target.name, len(writes), changes):
            await actor.act(inventory, writes, _kept(steps))

    async def _decide(
        self, delivery: Delivery, revision: Revision, placed: Placed
    ) -> tuple[Step, ...]:
        """Read what is there and decide; nothing is written but our own key, if there is none."""
        order, target = self._order, delivery.target
        wanted = [want for want in placed.wanted if may_write(target, want.key)]
        barred = [want for want in placed.wanted if not may_write(target, want.key)]
        if barred and not target.app:
            delivery.notes.append(summary(want.key for want in barred))
        delivery.notes += scopes.told(order.left_out, placed)
        sought = _sought(wanted, order.inventory, order.kinds)
        found = await self._cluster.read(sought, order.inventory.applyset)
        unplaced = _unplaced(placed, barred, target, order.inventory)
        made = await self._steps(wanted, found, placed, restart=bool(delivery.target.restart))
        steps = [*unplaced, *made]
        return await held(self._cluster, steps, found.live, revision)

    def _decided(self, steps: Sequence[Step], placed: Placed) -> Decided:
        inventory = self._order.inventory
        writes = frozenset(one.key for one in steps if isinstance(one, Write))
        return Decided(
            inventory.target,
            placed.origins,
            new=writes - inventory.entries.keys(),
            left_alone=frozenset(one.key for one in steps if isinstance(one, Keep) and one.lasting),
            left_out=scopes.left_out(placed),
            partly_placed=bool(placed.left_out or placed.failed),
            claims=tuple(one for one in steps if isinstance(one, Claim)),
        )

    async def _steps(
        self, wanted: Sequence[Wanted], found: Found, placed: Placed, *, restart: bool
    ) -> list[Step]:
        """Decide about what can be named and read; take what is going to be written."""
        target, options = self._order.inventory.target, self._cluster.options
        # Only now: where there is no key yet, making it may make the namespace that is wanted, too.
        digest_key = await self._cluster.key()
        digests = {
            want.key: digest_key.digest(
                OBJECTS, want.key.namespace, to_bytes(want.body, want.values)
            )
            for want in wanted
            if want.key not in found.failed
        }
        listed = self._order.inventory.entries.keys()
        others = dict(await self._lists.others(target, placed.origins))
        while True:  # until nobody else has taken one of them meanwhile: each time some are theirs
            around = Surroundings(
                self._order.inventory, found.live, others, options.adopt_existing,
                options.daemon, options.heeds_ignore,
            )  # fmt: skip
            steps = [
                Refuse(want.key, found.failed[want.key], want.origin)
                if want.key in found.failed
                else step(want, digests[want.key], around)
                for want in wanted
            ]
            new = {one.key for one in steps if isinstance(one, Write)} - listed
            taken = await self._lists.reserve(target, new)
            if not taken:
                pairs = [*zip(map(holding, steps, wanted), wanted, strict=True)]
                if not restart:
                    return [one for one, _ in pairs]
                return [noting(one, want, digest_key) for one, want in pairs]
            others |= taken


def _note(one: Step, changes: ChangeSet, *, alone: bool) -> None:
    """Report what needs no write; `alone`: no end of a pass will decide about claims."""
    match one:
        case Keep(key=key, note=note, lasting=lasting):
            action = Action.SKIPPED if note else Action.UNCHANGED
            changes.add(Change(key, action, note, lasting=lasting))
        case Refuse(key=key, error=error, origin=origin):
            changes.add(Change(key, Action.FAILED, error=error, origin=origin))
        case Claim(key=key, owner=owner, want=want) if alone:
            error = NotOursError(
                f"{key.long} belongs to {owner}",
                remedy="let one of the two make it; if it moved from there, deliver both",
            )
            changes.add(Change(key, Action.FAILED, error=error, origin=want.origin))
        case Claim(key=key, owner=owner):
            note = f"it belongs to {owner}; the end of this pass decides"
            changes.add(Change(key, Action.SKIPPED, note))
        case Write():
            pass


def _would(
    writes: Iterable[Write],
    gone: Iterable[ObjectKey],
    refused: Mapping[ObjectKey, FluxSecretError],
    changes: ChangeSet,
) -> None:
    """Say what would be written, refused and removed."""
    for one in writes:
        if error := refused.get(one.key):
            origin = one.want.origin
            changes.add(Change(one.key, Action.FAILED, error=error, origin=origin))
            continue
        action = Action.CONFIGURED if one.uid else Action.CREATED
        changes.add(Change(one.key, action, f"{one.note}; {DRY}" if one.note else DRY))
    for key in sorted(gone):
        changes.add(Change(key, Action.DELETED, DRY))


def _kept(steps: Iterable[Step]) -> list[Entry]:
    """Give what is listed and stays as it is."""
    kept = [one.entry for one in steps if isinstance(one, Keep) and one.entry is not None]
    return [replace(one, leaving=None) for one in kept]  # it is wanted, perhaps again


def _unplaced(
    placed: Placed, barred: Iterable[Wanted], target: Target, inventory: Inventory
) -> Iterable[Step]:
    """Say what becomes of objects that are not looked at any further.

    What a git path may not write is left out, as by Flux v1; an App is refused it.
    """
    yield from (Refuse(one.key, one.error, one.origin) for one in placed.failed)
    for want in barred:
        if target.app:
            yield Refuse(want.key, refusal(target, want.key), want.origin)
        else:
            yield Keep(want.key, inventory.entries.get(want.key), OUTSIDE)
    yield from (Keep(key, None, f"left out: {why.reason}") for key, why in placed.left_out)


def _sought(wanted: Iterable[Wanted], inventory: Inventory, kinds: Kinds) -> list[Sought]:
    return [
        Sought(
            want.key,
            kinds.any_version(want.key.group, want.key.kind) if want.awaited else want.kind,
            listed=bool(inventory.entries.get(want.key, Entry(want.key)).uid),
        )
        for want in wanted
    ]
