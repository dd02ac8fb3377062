"""`metadata.managedFields` ⇄ owners (managedfields/internal/managedfields.go)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flux_secret.embedded.merge.fields import FieldSet
from flux_secret.embedded.merge.update import Manager, Owned, Owners
from flux_secret.embedded.tree import Json, Tree, text

APPLY: Final = "Apply"
UPDATE: Final = "Update"


def decode(entries: Sequence[Json]) -> dict[Manager, Owned]:
    """Read managedFields; raise `ValueError` for what the API server would not take."""
    owners: dict[Manager, Owned] = {}
    for index, entry in enumerate(entries):
        operation, api_version = text(entry, "operation"), text(entry, "apiVersion")
        if operation not in {APPLY, UPDATE}:
            raise ValueError("operation must be `Apply` or `Update`")
        if not api_version:
            raise ValueError("apiVersion must not be empty")
        if text(entry, "fieldsType") != "FieldsV1":
            raise ValueError(f"invalid fieldsType in managed fields entry {index}")
        manager = Manager(
            text(entry, "manager"), operation, api_version, text(entry, "subresource")
        )
        fields = FieldSet.decode(entry.get("fieldsV1") or {})
        owners[_same(manager, owners)] = Owned(fields, text(entry, "time"))
    return owners


def _same(manager: Manager, owners: Owners) -> Manager:
    """Give the key of an applier: its version is no part of who it is."""
    if manager.operation == APPLY:
        for other in owners:
            if (other.name, other.operation, other.subresource) == (
                manager.name,
                APPLY,
                manager.subresource,
            ):
                return other
    return manager


def encode(owners: Owners) -> list[Tree]:
    """Write managedFields in their order: operation, time, manager, version, subresource."""
    pairs = sorted(owners.items(), key=lambda pair: _order(*pair))
    return [_entry(manager, owned) for manager, owned in pairs]


def _order(manager: Manager, owned: Owned) -> tuple[str, ...]:
    return (
        manager.operation,
        owned.time,
        manager.name,
        manager.api_version,
        manager.subresource,
    )


def _entry(manager: Manager, owned: Owned) -> Tree:
    return {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        **({"time": owned.time} if owned.time else {}),
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.fields.encode(),
        **({"subresource": manager.subresource} if manager.subresource else {}),
    }


def are_reset(entries: Json) -> bool:
    """Whether a writer asks for no managedFields: `[]` or `[{}]`."""
    return isinstance(entries, list) and entries in ([], [{}])
