"""Bundle → objects in the cluster, one `Change` each: the apply room's front.

1. Name every object fully (scope), read what is there, decide each object's step (plan).
2. Hold what a person must confirm (guard): a Secret's value that would be lost.
3. Write the list ahead: the union of what we own and what we are about to create.
4. Act in ranks; wait for CustomResourceDefinitions before their instances.
5. Write the list again, with uids and digests.
When the API server goes away in between, the union stays, and the next pass goes on from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.apply import telling
from flux_secret.apply.act import Actor
from flux_secret.apply.allowed import OUTSIDE, is_allowed, summary
from flux_secret.apply.cluster import DRY, ApplyOptions, Cluster, Sought
from flux_secret.apply.digest import OBJECTS
from flux_secret.apply.glance import Glance
from flux_secret.apply.hold import held
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.plan import (
    LEFT_ALONE,
    Claim,
    Keep,
    Refuse,
    Step,
    Surroundings,
    Write,
    is_left_alone,
    is_settled,
    step,
)
from flux_secret.apply.restart.values import noting
from flux_secret.apply.scope import Wanted, place
from flux_secret.apply.scopes import Scopes
from flux_secret.apply.sweep import Known, Pass, Sweeper
from flux_secret.errors import BugError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.manifest import Bundle, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import Client, Kinds


@dataclass(frozen=True, slots=True)
class Decided:
    """One target's plan: printable, and not yet acted on."""

    inventory: Inventory
    wanted: Mapping[ObjectKey, Origin]
    """Every object of the bundle, also those that cannot be applied now, and who says so."""
    steps: tuple[Step, ...]
    partly_placed: bool = False
    """Whether the kind of one of them is not known."""

    @property
    def new(self) -> frozenset[ObjectKey]:
        """What nobody had in a list before."""
        return frozenset(one.key for one in self.writes) - self.inventory.entries.keys()

    @property
    def writes(self) -> tuple[Write, ...]:
        """What is going to be applied."""
        return tuple(one for one in self.steps if isinstance(one, Write))

    @property
    def kept(self) -> tuple[Entry, ...]:
        """What is listed and stays as it is."""
        keeps = (one for one in self.steps if isinstance(one, Keep))
        return tuple(one.entry for one in keeps if one.entry is not None)


class ClusterApplier:
    """Makes a cluster equal to bundles, a round at a time; several rounds may run at once."""

    def __init__(
        self,
        client: Client,
        options: ApplyOptions | None = None,
        configured: Callable[[], Collection[Target]] = frozenset,
    ) -> None:
        """Begin; `configured` gives every configured target, also those of other rounds."""
        self._cluster = Cluster(client, options or ApplyOptions())
        self._glance = Glance(self._cluster)
        self._known = Known(configured=lambda: frozenset(map(TargetId.of, configured())))
        self._scopes = Scopes()
        self._left_alone: dict[TargetId, frozenset[ObjectKey]] = {}

    def confirm(self, tokens: Collection[str]) -> None:
        """Let through what these tokens name, from the next round on."""
        self._cluster.confirmed.update(tokens)

    def round(self) -> ApplyRound:
        """Begin a round."""
        if self._cluster.begin():
            self._glance.forget()
        return ApplyRound(self._cluster, self._glance, self._known, self._scopes, self._left_alone)


class ApplyRound:
    """Makes the cluster equal to the bundles of some targets; `sweep` ends it."""

    def __init__(
        self,
        cluster: Cluster,
        glance: Glance,
        known: Known,
        scopes: Scopes,
        left_alone: dict[TargetId, frozenset[ObjectKey]],
    ) -> None:
        self._cluster = cluster
        self._glance = glance
        self._known = known
        self._pass = Pass(known)
        self._scopes = scopes
        self._left_alone = left_alone

    async def apply(self, delivery: Delivery, bundle: Bundle, changes: ChangeSet) -> None:
        """Apply; one object's failure is `Action.FAILED`, not an exception.

        Raises `UnreachableError`, `IntegrityError` (a damaged inventory), `ManifestError` (one
        object twice); `changes` holds what was done until then.
        """
        if delivery.revision is None:
            raise BugError("a delivery is applied before its revision is known")
        decided = await self.decide(delivery, delivery.revision, bundle)
        self._left_alone[decided.inventory.target] = frozenset(
            one.key for one in decided.steps if isinstance(one, Keep) and one.lasting
        )
        self._pass.want(decided.inventory.target, decided.wanted)
        self._pass.taken.update(decided.new)
        if decided.partly_placed:
            self._pass.partly_placed.add(decided.inventory.target)
        for one in decided.steps:
            self._note(decided.inventory.target, one, changes)
        if self._cluster.options.dry:
            _tell(decided, changes)
            return
        values = [value for item in bundle.items for value in item.secret_data.values()]
        actor = Actor(self._cluster, str(delivery.revision), changes, values)
        with telling.applying(delivery.target.name, len(decided.writes), changes):
            await actor.act(decided.inventory, decided.writes, decided.kept)

    async def settled(self, target: Target, changes: ChangeSet) -> bool:
        """Whether every object of the last `apply` is there as we left it; reads metadata only.

        Seen at a glance, which all targets of a pass share. If so each is noted as unchanged, and
        the sweep knows what the target contains. What is left alone must still be wanted so.
        """
        cluster, name = self._cluster, TargetId.of(target)
        await cluster.ledger.open()
        inventory, wanted = cluster.ledger.inventory(name), self._known.wanted.get(name)
        left = self._left_alone.get(name, frozenset())
        if wanted is None or not wanted.keys() - left <= inventory.entries.keys():
            return False
        kinds = await cluster.kinds()
        sought = [
            Sought(key, kinds.any_version(key.group, key.kind), listed=True) for key in wanted
        ]
        confined = bool(target.allowed_namespaces)
        live = (await self._glance.read(sought, confined=confined)).live
        if not all(
            is_left_alone(live.get(key))
            if key in left
            else is_settled(inventory.entries[key], live.get(key))
            for key in wanted
        ):
            return False
        self._pass.want(name, wanted)
        for key in sorted(wanted):
            skipped = Change(key, Action.SKIPPED, LEFT_ALONE, lasting=True)
            changes.add(skipped if key in left else Change(key, Action.UNCHANGED))
        return True

    async def sweep(self, delivered: Sequence[Delivery], changes: ChangeSet) -> None:
        """Hand over or remove what the delivered targets no longer contain (design decision 13)."""
        await Sweeper(self._cluster, self._pass).sweep(delivered, changes)

    async def decide(self, delivery: Delivery, revision: Revision, bundle: Bundle) -> Decided:
        """Read what is there and decide; nothing is written but our own key, if there is none."""
        cluster, target = self._cluster, TargetId.of(delivery.target)
        await cluster.ledger.open()
        inventory = cluster.ledger.inventory(target)
        kinds = await cluster.kinds()
        placed = place(bundle, kinds, delivery.target.default_namespace, inventory.applyset)
        allowed = delivery.target.allowed_namespaces
        wanted = [want for want in placed.wanted if is_allowed(want.key, allowed)]
        barred = [want.key for want in placed.wanted if not is_allowed(want.key, allowed)]
        if barred:
            delivery.notes.append(summary(barred))
        delivery.notes += self._scopes.told(target, placed)
        found = await cluster.read(_sought(wanted, inventory, kinds), inventory.applyset)
        # Only now: where there is no key yet, making it may make the namespace that is wanted, too.
        digest_key = await cluster.key()
        # From here to `reserve` nothing waits, so two targets cannot both take one object.
        around = Surroundings(
            inventory,
            found.live,
            self._others(target, placed.origins),
            cluster.options.adopt_existing,
            cluster.options.daemon,
            cluster.options.heeds_ignore,
        )
        steps: list[Step] = [Refuse(one.key, one.error, one.origin) for one in placed.failed]
        steps += [Keep(key, inventory.entries.get(key), OUTSIDE) for key in barred]
        steps += [Keep(key, None, f"left out: {why.reason}") for key, why in placed.left_out]
        for want in wanted:
            if error := found.failed.get(want.key):
                steps.append(Refuse(want.key, error, want.origin))
                continue
            sent = to_bytes(want.body, want.values)
            made = step(want, digest_key.digest(OBJECTS, want.key.namespace, sent), around)
            steps.append(noting(made, want, digest_key) if delivery.target.restart else made)
        cluster.ledger.reserve(target, [one.key for one in steps if isinstance(one, Write)])
        decided = await held(cluster, steps, found.live, revision)
        partly_placed = bool(placed.left_out or placed.failed)
        return Decided(inventory, placed.origins, decided, partly_placed)

    def _others(self, target: TargetId, keys: Iterable[ObjectKey]) -> Mapping[ObjectKey, TargetId]:
        owners = ((key, self._cluster.ledger.owner(key)) for key in keys)
        return {key: owner for key, owner in owners if owner is not None and owner != target}

    def _note(self, target: TargetId, one: Step, changes: ChangeSet) -> None:
        """Report what needs no write."""
        match one:
            case Keep(key=key, note=note, lasting=lasting):
                action = Action.SKIPPED if note else Action.UNCHANGED
                changes.add(Change(key, action, note, lasting=lasting))
            case Refuse(key=key, error=error, origin=origin):
                changes.add(Change(key, Action.FAILED, error=error, origin=origin))
            case Claim(key=key, owner=owner):
                self._pass.claim(target, one)
                note = f"it belongs to {owner}; the end of this pass decides"
                changes.add(Change(key, Action.SKIPPED, note))
            case Write():
                pass


def _tell(decided: Decided, changes: ChangeSet) -> None:
    """Say what would be written and removed."""
    for one in decided.writes:
        action = Action.CONFIGURED if one.uid else Action.CREATED
        changes.add(Change(one.key, action, f"{one.note}; {DRY}" if one.note else DRY))
    for key in sorted(decided.inventory.entries.keys() - decided.wanted):
        changes.add(Change(key, Action.DELETED, DRY))


def _sought(wanted: Iterable[Wanted], inventory: Inventory, kinds: Kinds) -> list[Sought]:
    return [
        Sought(
            want.key,
            kinds.any_version(want.key.group, want.key.kind) if want.awaited else want.kind,
            listed=bool(inventory.entries.get(want.key, Entry(want.key)).uid),
        )
        for want in wanted
    ]
