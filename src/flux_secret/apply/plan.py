"""What is wanted + what is there + what is ours → one step an object. Pure: it decides only.

1. There, and in no list of ours: refused, also when its values agree; adopted if that is allowed.
2. There, and in another target's list: a claim; the sweep hands it over, or it is refused.
   Flux v1's, with the mark of the daemon that we take the place of: adopted.
3. There, in our list, with that uid: ours. Unchanged when neither what we want nor what we own of
   it changed; else applied.
4. There, in our list, with no uid or another: ours only if it carries our label and our fields.
5. Not there: created.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from flux_secret.apply import fields
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.payload import PART_OF, masked
from flux_secret.apply.scope import Wanted
from flux_secret.errors import FluxSecretError, NotOursError, RejectedError
from flux_secret.model.flux_v1 import MARK, Ignore, SyncSet, ignored
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import FIELD_MANAGER, Json, LiveObject
from flux_secret.outside.kubernetes.body import mapping, text

APPLY: Final = "flux-secret.io/apply"
IGNORED_FIELDS: Final = "flux-secret.io/ignore-fields"
LEFT_ALONE: Final = "ignored: an annotation in the cluster says so"


class Policy(enum.Enum):
    """What `flux-secret.io/apply` on a manifest says."""

    FORCE = "force"
    MERGE = "merge"
    """Fields that another manager took stay with it."""
    IF_NOT_PRESENT = "if-not-present"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Write:
    """Apply it: create (no `uid`) or configure."""

    want: Wanted
    digest: str
    uid: str = ""
    resource_version: str = ""
    note: str = ""
    adopted: bool = False
    body: Mapping[str, Json] | None = None
    """The object without the fields that are left to others; None for the whole."""
    values: Mapping[str, str] | None = None
    """Keyed digests of a Secret's values, where its target restarts what uses them."""

    @property
    def key(self) -> ObjectKey:
        """The object's name."""
        return self.want.key


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing to do: `UNCHANGED`, or `SKIPPED` with a note."""

    key: ObjectKey
    entry: Entry | None
    note: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it is skipped until somebody in the cluster wants it otherwise."""
        return self.note == LEFT_ALONE


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not touched: `FAILED`."""

    key: ObjectKey
    error: FluxSecretError
    origin: str = ""
    """Where its manifest stands."""


@dataclass(frozen=True, slots=True)
class Claim:
    """It belongs to another target now; the sweep decides."""

    want: Wanted
    digest: str
    owner: TargetId
    is_bare: bool = False
    """Whether its values were left out: whoever settles it cannot apply it."""

    @property
    def key(self) -> ObjectKey:
        """The object's name."""
        return self.want.key

    def bare(self) -> Claim:
        """Give it without the values."""
        return replace(self, want=replace(self.want, values={}), is_bare=True)


Step: TypeAlias = Write | Keep | Refuse | Claim


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is there and whose it is."""

    inventory: Inventory
    live: Mapping[ObjectKey, LiveObject | None]
    others: Mapping[ObjectKey, TargetId]
    """Objects in other targets' lists."""
    adopt_existing: bool
    daemon: SyncSet | None = None
    """The daemon of Flux v1 whose place we take: what carries its mark is adopted."""
    heeds_ignore: bool = True
    """Whether Flux v1's `ignore` annotation is for us."""


def step(want: Wanted, digest: str, around: Surroundings) -> Step:
    """Decide about one object."""
    live = around.live[want.key]
    entry = around.inventory.entries.get(want.key)
    policy = _policy(want)
    if policy is None:
        known = ", ".join(known.value for known in Policy)
        error = RejectedError(
            f"{want.key.long}: {APPLY} is none of {known}", remedy="mend that annotation"
        )
        return Refuse(want.key, error, want.origin)
    if why := _left_alone(want, policy, live, heeds_ignore=around.heeds_ignore):
        return Keep(want.key, entry, why)
    if entry is None and want.key in around.others:
        return Claim(want, digest, around.others[want.key])
    if live is None:
        return Write(want, digest)
    return _about_live(want, digest, live, around)


def holding(made: Step, want: Wanted) -> Step:
    """Let our list say where an unchanged Secret's values come from: that may be another entry."""
    if isinstance(made, Keep) and made.entry is not None and not made.note:
        return replace(made, entry=replace(made.entry, holds=want.holds))
    return made


def _left_alone(
    want: Wanted, policy: Policy, live: LiveObject | None, *, heeds_ignore: bool
) -> str:
    """Say who wants it left alone: the manifest, or somebody in the cluster; empty for nobody."""
    if policy is Policy.IGNORE:
        return f"{APPLY}: ignore"
    if not heeds_ignore:
        return ""
    if ignored(mapping(want.body, "metadata", "annotations")) is Ignore.WHOLLY:
        return "ignored: its manifest says so"
    if is_left_alone(live):
        return LEFT_ALONE
    return ""


def _about_live(want: Wanted, digest: str, live: LiveObject, around: Surroundings) -> Step:
    entry, policy = around.inventory.entries.get(want.key), _policy(want)
    if live.is_going:
        return Refuse(want.key, _going(want.key), want.origin)
    if entry is None or not is_ours(entry, live, around.inventory.applyset):
        return _first_contact(want, digest, live, around)
    if policy is Policy.IF_NOT_PRESENT:
        return Keep(want.key, entry, f"{APPLY}: if-not-present")
    return _ours(want, digest, live, entry)


def is_ours(entry: Entry, live: LiveObject, applyset: str) -> bool:
    """Whether the object that is there is the one in our list."""
    if entry.uid and entry.uid == live.uid:
        return True
    labelled = live.labels.get(PART_OF) == applyset
    return labelled and live.applied_by(FIELD_MANAGER) is not None


def is_settled(entry: Entry, live: LiveObject | None) -> bool:
    """Whether the object is there, the same one, with our fields as we left them."""
    own = live.applied_by(FIELD_MANAGER) if live is not None and not live.is_going else None
    same = live is not None and bool(entry.uid) and entry.uid == live.uid
    known = bool(entry.digest and entry.fields)
    return same and own is not None and known and entry.fields == own.digest


def is_left_alone(live: LiveObject | None) -> bool:
    """Whether somebody in the cluster still wants it left alone."""
    return live is not None and ignored(live.annotations) is Ignore.WHOLLY


def _first_contact(want: Wanted, digest: str, live: LiveObject, around: Surroundings) -> Step:
    if around.adopt_existing or around.inventory.target.is_home(want.key):
        return _adoption(want, digest, live, f"it was there before{_managers(live)}")
    if around.daemon is not None and live.labels.get(MARK) == around.daemon.mark(want.key):
        return _adoption(want, digest, live, "Flux v1 delivered it from here")
    error = NotOursError(
        f"{want.key.long} exists already and was not made by flux-secret{_managers(live)}",
        remedy="delete it, rename yours, or take it over with --adopt-existing",
    )
    return Refuse(want.key, error, want.origin)


def _adoption(want: Wanted, digest: str, live: LiveObject, why: str) -> Write:
    note = f"adopted: {why}"
    return Write(want, digest, live.uid, live.resource_version, note, adopted=True)


def _ours(want: Wanted, digest: str, live: LiveObject, entry: Entry) -> Step:
    own = live.applied_by(FIELD_MANAGER)
    drifted = bool(entry.fields) and entry.fields != (own.digest if own else "")
    if entry.digest == digest and entry.fields and not drifted and entry.uid == live.uid:
        return Keep(want.key, entry)
    shape = masked(want.body, want.values)
    left = [found.path for found in fields.taken(shape, live) if _is_left(want, found)]
    body = want.body
    for path in left:
        body = fields.without(body, path)
    note = ""
    if drifted and not left:
        note = fields.drift_note(shape, live)
    elif left:
        note = "left to others: " + ", ".join(map(fields.spoken, left[: fields.MAX_NOTED]))
    return Write(
        want, digest, live.uid, live.resource_version, note, entry.adopted,
        body if left else None,
    )  # fmt: skip


def _policy(want: Wanted) -> Policy | None:
    said = _annotation(want, APPLY) or Policy.FORCE.value
    return next((policy for policy in Policy if policy.value == said), None)


def _is_left(want: Wanted, found: fields.Taken) -> bool:
    if want.values and found.path[:1] == ("f:data",):
        return False  # a Secret's value is never left to others: it would be an old one for ever
    ignored = [part.strip() for part in _annotation(want, IGNORED_FIELDS).split(",")]
    return _policy(want) is Policy.MERGE or str(found) in ignored


def _annotation(want: Wanted, name: str) -> str:
    return text(want.body, "metadata", "annotations", name)


def _managers(live: LiveObject) -> str:
    managers = sorted({entry.manager for entry in live.managed if entry.manager})
    return f" (its fields are {', '.join(managers)}'s)" if managers else ""


def _going(key: ObjectKey) -> RejectedError:
    return RejectedError(
        f"{key.long} is being deleted", remedy="it is created again once it is gone"
    )
