"""Live object + new object + who owns what → the object to keep and who owns what then.

merge/update.go: `Update` after a create, update or patch; `Apply` for server-side apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flux_secret.embedded.merge.combine import combine
from flux_secret.embedded.merge.compare import Comparison, compare
from flux_secret.embedded.merge.fields import EMPTY, FieldSet, Path
from flux_secret.embedded.merge.fieldset import fields_of
from flux_secret.embedded.merge.remove import without
from flux_secret.embedded.merge.schema import Type
from flux_secret.embedded.tree import ABSENT, Json


@dataclass(frozen=True, slots=True)
class Manager:
    """Who owns fields: one entry of managedFields is one of these."""

    name: str
    operation: str
    """`Apply` or `Update`."""
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager owns, and since when it says so."""

    fields: FieldSet
    time: str = ""


Owners = Mapping[Manager, Owned]


class ConflictsError(Exception):
    """An apply that would change what others own."""

    def __init__(self, conflicts: list[tuple[Manager, Path]]) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class Updater:
    """The rules for one type in one version."""

    type: Type
    ignored: FieldSet = EMPTY
    """Fields that this endpoint resets whatever is sent (strategy.GetResetFields)."""

    def update(self, live: Json, new: Json, owners: Owners, manager: Manager) -> Owners:
        """Give who owns what after `manager` made `new` of `live`."""
        owners, change = self._take(live, new, owners, manager, force=True)
        before = owners[manager].fields if manager in owners else EMPTY
        mine = (before - change.removed | change.modified | change.added).without_below(
            self.ignored
        )
        return _with(owners, manager, mine)

    def apply(
        self, live: Json, applied: Json, owners: Owners, manager: Manager, *, force: bool
    ) -> tuple[Json, Owners]:
        """Give the object after an apply, and who owns what then; raise `ConflictsError`."""
        merged = combine(live, applied, self.type)
        last = owners[manager].fields if manager in owners else EMPTY
        mine = fields_of(applied, self.type).without_below(self.ignored)
        kept = replace(owners[manager], fields=mine) if manager in owners else Owned(mine)
        owners = {**owners, manager: kept}
        if last:
            merged = self._prune(None if merged is ABSENT else merged, owners, last)
        owners, _ = self._take(live, merged, owners, manager, force=force)
        return merged, owners

    def _take(
        self, live: Json, new: Json, owners: Owners, manager: Manager, *, force: bool
    ) -> tuple[Owners, Comparison]:
        """Take what changed from those who owned it; raise `ConflictsError` unless forced."""
        change = compare(live, new, self.type).without(self.ignored)
        touched = change.modified | change.added
        taken = {
            other: owned.fields & touched for other, owned in owners.items() if other != manager
        }
        conflicts = [(other, path) for other, fields in taken.items() for path in fields.paths()]
        if conflicts and not force:
            raise ConflictsError(conflicts)
        left = dict(owners)
        for other, fields in taken.items():
            rest = owners[other].fields - fields - change.removed
            left[other] = replace(owners[other], fields=rest)
        return {other: owned for other, owned in left.items() if owned.fields}, change

    def _prune(self, merged: Json, owners: Owners, last: FieldSet) -> Json:
        """Drop what this manager applied last time, not this time, and nobody else owns."""
        named = last.with_named_fields(self.type)
        pruned = without(merged, named, self.type)
        owned = EMPTY
        for other in owners.values():
            owned = owned | other.fields
        # addBackOwnedItems: what anybody (this apply included) owns stays
        whole = self._named(merged)
        stay = self._named(pruned) | owned.with_named_fields(self.type)
        pruned = without(merged, whole - stay, self.type)
        # addBackDanglingItems: what this manager did not own last time stays
        gone = (whole - self._named(pruned)) & named
        return without(merged, gone, self.type)

    def _named(self, value: Json) -> FieldSet:
        return fields_of(value, self.type).with_named_fields(self.type)


def _with(owners: Owners, manager: Manager, fields: FieldSet) -> Owners:
    left = {other: owned for other, owned in owners.items() if other != manager}
    if not fields:
        return left
    time = owners[manager].time if manager in owners else ""
    return {**left, manager: Owned(fields, time)}
