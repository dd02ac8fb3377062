"""Two values of one type → which fields were removed, modified, added (typed/compare.go)."""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_secret.embedded.merge.element import element_of
from flux_secret.embedded.merge.fields import Element, FieldSet, Path, by_name
from flux_secret.embedded.merge.schema import Atom, ListType, MapType, Type
from flux_secret.embedded.tree import ABSENT, Json, equal


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the right-hand side did to the left-hand side; no field is in two of the sets."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    def without(self, ignored: FieldSet) -> Comparison:
        """Leave these fields, and all below them, out of account."""
        return Comparison(
            self.removed.without_below(ignored),
            self.modified.without_below(ignored),
            self.added.without_below(ignored),
        )


@dataclass(slots=True)
class _Found:
    removed: list[Path] = field(default_factory=list)
    modified: list[Path] = field(default_factory=list)
    added: list[Path] = field(default_factory=list)


def compare(left: Json, right: Json, type_: Type) -> Comparison:
    """Compare two values of the same type."""
    found = _Found()
    _walk(left, right, type_, (), found)
    return Comparison(
        FieldSet.of(found.removed), FieldSet.of(found.modified), FieldSet.of(found.added)
    )


def _walk(left: Json, right: Json, type_: Type, path: Path, found: _Found) -> None:
    of_left, of_right = type_.atom.for_value(left), type_.atom.for_value(right)
    if right is ABSENT:
        is_leaf = _atom(left, right, of_left, path, found)
    elif left is ABSENT or of_left == of_right:
        is_leaf = _atom(left, right, of_right, path, found)
    else:
        _atom(left, right, of_left, path, found)
        is_leaf = _atom(left, right, of_right, path, found)
    if not is_leaf:
        if left is ABSENT:
            found.added.append(path)
        elif right is ABSENT:
            found.removed.append(path)


def _atom(left: Json, right: Json, atom: Atom, path: Path, found: _Found) -> bool:
    """Compare; say whether it was compared as one leaf."""
    if atom.map is not None:
        empty = not _mapping(left) and not _mapping(right)
        if atom.map.atomic or empty:
            return _leaf(left, right, path, found)
        _map(_mapping(left), _mapping(right), atom.map, path, found)
        return False
    if atom.scalar is not None:
        return _leaf(left, right, path, found)
    if atom.list is not None:
        empty = not _sequence(left) and not _sequence(right)
        if not atom.list.associative or empty:
            return _leaf(left, right, path, found)
        _list(_sequence(left), _sequence(right), atom.list, path, found)
    return False


def _leaf(left: Json, right: Json, path: Path, found: _Found) -> bool:
    if left is ABSENT:
        found.added.append(path)
    elif right is ABSENT:
        found.removed.append(path)
    elif not equal(left, right):
        found.modified.append(path)
    return True


def _map(
    left: dict[str, Json], right: dict[str, Json], type_: MapType, path: Path, found: _Found
) -> None:
    for name in left | right:
        inner = type_.type_of(name)
        if inner is not None:
            ours, theirs = left.get(name, ABSENT), right.get(name, ABSENT)
            _walk(ours, theirs, inner, (*path, by_name(name)), found)


def _list(left: list[Json], right: list[Json], type_: ListType, path: Path, found: _Found) -> None:
    ours, theirs = _indexed(left, type_), _indexed(right, type_)
    for element in ours | theirs:
        before, after = ours.get(element, []), theirs.get(element, [])
        here = (*path, element)
        if len(before) <= 1 and len(after) <= 1:
            _walk(_first(before), _first(after), type_.element, here, found)
        elif len(before) > 1 and len(after) > 1:
            if not equal(before, after):
                found.modified.append(here)
        elif len(before) > 1:  # duplicates that are none any more
            if after:
                _walk(ABSENT, after[0], type_.element, here, found)
            found.removed.append(here)
        else:  # new duplicates
            if before:
                _walk(before[0], ABSENT, type_.element, here, found)
            found.added.append(here)


def _indexed(items: list[Json], type_: ListType) -> dict[Element, list[Json]]:
    index: dict[Element, list[Json]] = {}
    for item in items:
        index.setdefault(element_of(type_, item), []).append(item)
    return index


def _first(items: list[Json]) -> Json:
    return items[0] if items else ABSENT


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
