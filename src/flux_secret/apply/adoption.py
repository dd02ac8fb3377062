"""A live object of Flux v1 → the JSON patch that makes its fields ours, or gives them back. Pure.

Flux v1's kubectl owns fields by client-side apply: entries of operation Update, and an annotation
with the whole object, a Secret's values included. Server-side apply beside them would never remove
a field that left the repository, so the entries move to our own manager, as client-go's csaupgrade
does it. Each patch carries the resourceVersion that was read: a change in between is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flux_secret.apply.payload import LAST_APPLIED, PART_OF
from flux_secret.model.flux_v1 import CHECKSUM, MARK
from flux_secret.outside.kubernetes import FIELD_MANAGER, Json, LiveObject, ManagedEntry
from flux_secret.outside.kubernetes.body import mapping

CLIENT_SIDE: Final = "kubectl-client-side-apply"
CLIENT_SIDE_MANAGERS: Final = frozenset({CLIENT_SIDE, "kubectl", "before-first-apply"})
"""Who Flux v1's kubectl was, by age; `before-first-apply` is what the API server calls the fields
of a client-side object at the first server-side apply."""
_ANNOTATIONS: Final = (LAST_APPLIED, CHECKSUM)
_LABELS: Final = (MARK,)


def adoption(live: LiveObject, *, part_of: str = "") -> list[Json]:
    """Give the patch that takes it over; empty when there is nothing left to take.

    `part_of` is the inventory whose label it gets at once: for what no delivery applies any more,
    and only what carries the label is ever removed.
    """
    moved = [entry for entry in live.managed if _is_client_side(entry)]
    gone = [("annotations", name) for name in _ANNOTATIONS if name in live.annotations]
    gone += [("labels", name) for name in _LABELS if name in live.labels]
    is_missing = bool(part_of) and live.labels.get(PART_OF) != part_of
    missing = {("labels", PART_OF): part_of} if is_missing else {}
    if not moved and not gone and not missing:
        return []
    rest = [entry for entry in live.managed if entry not in moved]
    return [
        *_additions(live, missing),
        *_removals(gone),
        *_managed(live, _merged(rest, moved, FIELD_MANAGER, "Apply")),
    ]


def forgetting(live: LiveObject) -> list[Json]:
    """Give the patch that takes away what kubectl remembers of it, and nothing else.

    Who owns which field stays: a value that somebody has changed must still be seen as changed.
    """
    return [*_removals([("annotations", LAST_APPLIED)]), _unchanged(live)]


def release(live: LiveObject, mark: str, last_applied: str | None) -> list[Json]:
    """Give the patch after which Flux v1's kubectl takes it for its own.

    `last_applied` is the object as kubectl would remember it; None for Secrets, whose values are
    written nowhere else: kubectl apply then cannot remove a field, until it has applied once.
    """
    moved = [entry for entry in live.managed if _is_ours(entry)]
    gone = [("labels", PART_OF)] if PART_OF in live.labels else []
    added = {("labels", MARK): mark}
    if last_applied is not None:
        added["annotations", LAST_APPLIED] = last_applied
    missing = {
        (place, name): value
        for (place, name), value in added.items()
        if (live.labels if place == "labels" else live.annotations).get(name) != value
    }
    if not moved and not gone and not missing:
        return []
    rest = [entry for entry in live.managed if entry not in moved]
    return [
        *_removals(gone),
        *_additions(live, missing),
        *_managed(live, _merged(rest, moved, CLIENT_SIDE, "Update")),
    ]


def _is_client_side(entry: ManagedEntry) -> bool:
    update = entry.operation == "Update" and not entry.subresource
    return update and entry.manager in CLIENT_SIDE_MANAGERS


def _is_ours(entry: ManagedEntry) -> bool:
    return entry.manager == FIELD_MANAGER and entry.operation == "Apply" and not entry.subresource


def _merged(
    rest: Sequence[ManagedEntry], moved: Iterable[ManagedEntry], manager: str, operation: str
) -> list[ManagedEntry]:
    """Give all entries, the moved ones united with what `manager` had, one an API version."""
    entries = list(rest)
    for entry in moved:
        fields = _without_ours(entry.fields)
        for place, other in enumerate(entries):
            same = (other.manager, other.operation, other.subresource, other.api_version)
            if same == (manager, operation, "", entry.api_version):
                entries[place] = replace(other, fields=_union(other.fields, fields))
                break
        else:
            entries.append(replace(entry, manager=manager, operation=operation, fields=fields))
    return entries


def _union(one: Mapping[str, Json], other: Mapping[str, Json]) -> Mapping[str, Json]:
    united = dict(one)
    for name, below in other.items():
        united[name] = _union(mapping(united.get(name)), mapping(below))
    return united


def _without_ours(fields: Mapping[str, Json]) -> Mapping[str, Json]:
    """Leave out the bookkeeping of either side: it is removed, or written anew."""
    metadata = dict(mapping(fields, "f:metadata"))
    for place, names in (("f:annotations", _ANNOTATIONS), ("f:labels", (*_LABELS, PART_OF))):
        left = {
            name: below
            for name, below in mapping(metadata.get(place)).items()
            if name.removeprefix("f:") not in names
        }
        metadata.pop(place, None)
        if left.keys() - {"."}:
            metadata[place] = left
    kept = {name: below for name, below in fields.items() if name != "f:metadata"}
    return {**kept, "f:metadata": metadata} if metadata else kept


def _removals(gone: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"op": "remove", "path": _path(place, name)} for place, name in gone]


def _additions(live: LiveObject, added: Mapping[tuple[str, str], str]) -> list[Json]:
    patch: list[Json] = []
    if not live.annotations and any(place == "annotations" for place, _ in added):
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    if not live.labels and any(place == "labels" for place, _ in added):
        patch.append({"op": "add", "path": "/metadata/labels", "value": {}})
    for (place, name), value in added.items():
        patch.append({"op": "add", "path": _path(place, name), "value": value})
    return patch


def _managed(live: LiveObject, entries: Sequence[ManagedEntry]) -> list[Json]:
    return [
        {
            "op": "replace",
            "path": "/metadata/managedFields",
            "value": [entry.to_json() for entry in entries],
        },
        _unchanged(live),
    ]


def _unchanged(live: LiveObject) -> Json:
    """Make the patch a conflict when somebody has changed the object meanwhile."""
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version}


def _path(place: str, name: str) -> str:
    """Give a JSON pointer (RFC 6901)."""
    return f"/metadata/{place}/{name.replace('~', '~0').replace('/', '~1')}"
