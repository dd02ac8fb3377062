"""An endpoint's field manager: the object and its managedFields after a write.

The stack of managedfields/internal/fieldmanager.go, from the outside in: version check,
last-applied annotation, objects without managedFields, at most ten updaters, manager identity,
times, fields that nobody owns, structured merge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.embedded.merge.compare import compare
from flux_secret.embedded.merge.entries import APPLY, UPDATE, are_reset, decode, encode
from flux_secret.embedded.merge.fields import EMPTY, FieldSet, Path, shown
from flux_secret.embedded.merge.fieldset import fields_of
from flux_secret.embedded.merge.schema import Type
from flux_secret.embedded.merge.update import ConflictsError, Manager, Owned, Owners, Updater
from flux_secret.embedded.merge.validate import validate
from flux_secret.embedded.status import Cause, StatusError, apply_conflict, bad_request
from flux_secret.embedded.tree import ABSENT, Json, Tree, child, copied, equal, items, text

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MOST_UPDATERS: Final = 10
_BUCKET: Final = "ancient-changes"
_BEFORE_APPLY: Final = "before-first-apply"
_KUBECTL: Final = "kubectl"
_NOBODYS: Final = FieldSet.of(  # stripmeta.go
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName",
                "generation", "managedFields", "resourceVersion",
            )
        ),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldManager:
    """Keeps managedFields for one kind, version and subresource."""

    type: Type
    api_version: str
    kind: str
    now: Callable[[], str]
    ignored: FieldSet = EMPTY
    subresource: str = ""

    def update(self, live: Tree | None, new: Tree, empty: Tree, manager: str) -> Tree:
        """Give `new` with its managedFields, after a create, an update or a patch."""
        owners = self._owners_sent(live, new)
        new = without_managed(new)
        if owners is None:
            return new
        if not owners and live is not None:
            return new  # skipnonapplied.go: an object that nobody tracks stays so
        before = without_managed(live) if live is not None else empty
        return _with_managed(new, self._update(before, new, owners, manager))

    def _owners_sent(self, live: Tree | None, new: Tree) -> dict[Manager, Owned] | None:
        sent = child(new, "metadata").get("managedFields")
        if not self.subresource:
            if are_reset(sent):
                return {}
            owners = _decoded(sent)
            if owners:
                return owners
        return _decoded(items(live, "metadata", "managedFields"))

    def _update(self, live: Tree, new: Tree, owners: Owners, name: str) -> Owners:
        manager = self._identity(name, UPDATE)
        current = replace(manager, name="", operation="current-operation")
        updater = Updater(self.type, self.ignored)
        owners = dict(updater.update(live, new, owners, current))
        taken = owners.pop(current, None)
        fields = taken.fields - _NOBODYS if taken else EMPTY
        if fields:
            before = owners[manager].fields if manager in owners else EMPTY
            owners[manager] = Owned(fields | before, self.now())
        return _capped(owners)

    def apply(self, live: Tree, applied: Tree, manager: str, *, force: bool) -> Tree:
        """Give the object after a server-side apply.

        Raises `StatusError` for conflicts and what cannot be applied, `TypedError` for an object
        that does not fit its kind.
        """
        if (text(applied, "apiVersion"), text(applied, "kind")) != (self.api_version, self.kind):
            version = text(applied, "apiVersion")
            named = f"{version if '/' in version else f'/{version}'}, Kind={text(applied, 'kind')}"
            raise bad_request(f"invalid object type: {named}")
        if child(applied, "metadata").get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        owners: Owners = decode(items(live, "metadata", "managedFields"))
        bare = without_managed(live)
        if not owners and text(live, "metadata", "uid"):
            empty = {"apiVersion": self.api_version, "kind": self.kind}
            owners = self._update(empty, bare, {}, _BEFORE_APPLY)
        try:
            return self._apply(bare, applied, owners, manager, force=force)
        except ConflictsError as conflicts:
            if manager != _KUBECTL:
                raise _conflict(conflicts.conflicts) from conflicts
            left = self._left(conflicts.conflicts, bare)
            if left:
                raise _conflict(left) from conflicts
            return self._apply(bare, applied, owners, manager, force=True)

    def _apply(self, live: Tree, applied: Tree, owners: Owners, name: str, *, force: bool) -> Tree:
        manager = self._identity(name, APPLY)
        known = next((one for one in owners if _is_same_applier(one, manager)), None)
        if known is not None and known != manager:  # it applied in another version before
            owners = {manager if one == known else one: owned for one, owned in owners.items()}
        validate(applied, self.type)
        updater = Updater(self.type, self.ignored)
        merged, after = updater.apply(live, applied, owners, manager, force=force)
        changed = not equal(live, merged)
        mine = after.get(manager)
        left = {one: owned for one, owned in after.items() if one != manager}
        if mine and (fields := mine.fields - _NOBODYS):
            left[manager] = Owned(fields, self.now() if changed else mine.time)
        merged = live if merged is ABSENT or merged is None else merged
        result = _with_managed(copied(merged), left)
        if name == _KUBECTL:
            _sync_last_applied(result, applied)
        return result

    def _left(
        self, conflicts: list[tuple[Manager, Path]], live: Tree
    ) -> list[tuple[Manager, Path]]:
        """Leave out what a client-side `kubectl apply` wrote before (lastappliedmanager.go)."""
        try:
            last = json.loads(text(live, "metadata", "annotations", LAST_APPLIED))
        except ValueError:
            return conflicts
        if text(last, "apiVersion") != self.api_version:
            return conflicts
        change = compare(last, live, self.type)
        allowed = fields_of(last, self.type) - change.modified - change.added - change.removed
        known = set(allowed.paths())
        return [(manager, path) for manager, path in conflicts if path not in known]

    def _identity(self, name: str, operation: str) -> Manager:
        return Manager(name or "unknown", operation, self.api_version, self.subresource)


def _is_same_applier(one: Manager, other: Manager) -> bool:
    return (one.name, one.operation, one.subresource) == (other.name, APPLY, other.subresource)


def _decoded(entries: Json) -> dict[Manager, Owned]:
    try:
        return decode(entries if isinstance(entries, list) else [])
    except ValueError:
        return {}


def without_managed(tree: Tree) -> Tree:
    """Give the object without its managedFields."""
    metadata = {
        name: one for name, one in child(tree, "metadata").items() if name != "managedFields"
    }
    return {**tree, "metadata": metadata} if "metadata" in tree else tree


def _with_managed(tree: Tree, owners: Owners) -> Tree:
    metadata = dict(child(tree, "metadata"))
    metadata.pop("managedFields", None)
    if owners:
        metadata["managedFields"] = encode(owners)
    return {**tree, "metadata": metadata}


def _capped(owners: Mapping[Manager, Owned]) -> Owners:
    """Merge the oldest updaters into one when there are more than ten (capmanagers.go)."""
    updaters = [manager for manager in owners if manager.operation == UPDATE]
    surplus = len(updaters) - MOST_UPDATERS
    if surplus <= 0:
        return owners
    updaters.sort(key=lambda one: (owners[one].time, one.name, one.api_version, one.subresource))
    left, first = dict(owners), dict[str, Manager]()
    for manager in updaters:
        if surplus <= 0:
            break
        if manager.api_version not in first:
            first[manager.api_version] = manager
            continue
        bucket = Manager(_BUCKET, UPDATE, manager.api_version)
        if bucket not in left:
            left[bucket] = left.pop(first[manager.api_version])
        mine = left.pop(manager)
        left[bucket] = Owned(left[bucket].fields | mine.fields, mine.time)
        surplus -= 1
    return left


def _sync_last_applied(tree: Tree, applied: Tree) -> None:
    annotations = child(tree, "metadata", "annotations")
    if not annotations.get(LAST_APPLIED):
        return
    last = copied(applied)
    child(last, "metadata", "annotations").pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = json.dumps(last, separators=(",", ":"), sort_keys=True) + "\n"


def _conflict(conflicts: list[tuple[Manager, Path]]) -> StatusError:
    named = [(_printed(manager), shown(path)) for manager, path in conflicts]
    causes = [Cause("FieldManagerConflict", f"conflict with {who}", where) for who, where in named]
    if len(named) == 1:
        who, where = named[0]
        return apply_conflict(f"Apply failed with 1 conflict: conflict with {who}: {where}", causes)
    lines = []
    for who in sorted({who for who, _ in named}):
        lines.append(f"conflicts with {who}:")
        lines += [f"- {where}" for other, where in named if other == who]
    count = len(named)
    return apply_conflict(f"Apply failed with {count} conflicts: " + "\n".join(lines), causes)


def _printed(manager: Manager) -> str:
    name = json.dumps(manager.name)
    if manager.subresource:
        name += f" with subresource {json.dumps(manager.subresource)}"
    if manager.operation == APPLY:
        return name
    # the identity has no time in it (conflict.go printManager), so none is ever printed
    return f"{name} using {manager.api_version}"
