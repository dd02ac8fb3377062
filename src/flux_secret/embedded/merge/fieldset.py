"""Value + type → the set of every leaf field and list item in it (typed/tofieldset.go)."""

from __future__ import annotations

from collections import Counter

from flux_secret.embedded.merge.element import element_of
from flux_secret.embedded.merge.fields import EMPTY, FieldSet, Path, by_name
from flux_secret.embedded.merge.schema import Atom, ListType, MapType, Type
from flux_secret.embedded.tree import Json


def fields_of(value: Json, type_: Type) -> FieldSet:
    """Give what an apply of this value claims to own."""
    found: list[Path] = []
    _walk(value, type_.atom.for_value(value), (), found)
    return FieldSet.of(found) if found else EMPTY


def _walk(value: Json, atom: Atom, path: Path, found: list[Path]) -> None:
    if atom.map is not None:
        _map(value, atom.map, path, found)
    elif atom.scalar is not None:
        found.append(path)
    elif atom.list is not None:
        _list(value, atom.list, path, found)


def _map(value: Json, type_: MapType, path: Path, found: list[Path]) -> None:
    if type_.atomic:
        found.append(path)
        return
    for name, item in value.items() if isinstance(value, dict) else ():
        inner = type_.type_of(name)
        below = (*path, by_name(name))
        if inner is not None:
            _walk(item, inner.atom.for_value(item), below, found)
        if item is None or item == {} or name not in type_.members:
            found.append(below)


def _list(value: Json, type_: ListType, path: Path, found: list[Path]) -> None:
    if not type_.associative:
        found.append(path)
        return
    items = value if isinstance(value, list) else []
    elements = [element_of(type_, item) for item in items]
    count = Counter(elements)
    for element, item in zip(elements, items, strict=True):
        below = (*path, element)
        if count[element] == 1:
            _walk(item, type_.element.atom.for_value(item), below, found)
        found.append(below)
