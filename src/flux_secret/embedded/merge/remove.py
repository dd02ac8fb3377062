"""Value without the fields and items of a set (typed/remove.go)."""

from __future__ import annotations

from flux_secret.embedded.merge.element import element_of
from flux_secret.embedded.merge.fields import FieldSet, by_name
from flux_secret.embedded.merge.schema import ListType, MapType, Type
from flux_secret.embedded.tree import Json


def without(value: Json, removed: FieldSet, type_: Type) -> Json:
    """Give the value without these; containers that end up empty become null."""
    atom = type_.atom.for_value(value)
    if atom.map is not None:
        return _map(value, removed, atom.map)
    if atom.scalar is not None:
        return value
    return _list(value, removed, atom.list) if atom.list is not None else None


def _map(value: Json, removed: FieldSet, type_: MapType) -> Json:
    if not isinstance(value, dict) or not value or type_.atomic:
        return None
    kept: dict[str, Json] = {}
    for name, item in value.items():
        element = by_name(name)
        if element in removed.members:
            continue
        below, inner = removed.under(element), type_.type_of(name)
        kept[name] = without(item, below, inner) if below and inner else item
    return kept or None


def _list(value: Json, removed: FieldSet, type_: ListType) -> Json:
    if not isinstance(value, list) or not value or not type_.associative:
        return None
    kept: list[Json] = []
    for item in value:
        element = element_of(type_, item)
        if element in removed.members:
            continue
        below = removed.under(element)
        kept.append(without(item, below, type_.element) if below else item)
    return kept or None
