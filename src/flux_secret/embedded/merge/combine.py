"""Live value + applied value → both together, the applied one winning (typed/merge.go).

Nothing is ever removed here. Items of a keyed list or a set keep the live order, and take the
applied order where the applied list says another.
"""

from __future__ import annotations

from flux_secret.embedded.merge.element import element_of
from flux_secret.embedded.merge.fields import Element
from flux_secret.embedded.merge.schema import Atom, ListType, MapType, Type
from flux_secret.embedded.tree import ABSENT, Json


def combine(live: Json, applied: Json, type_: Type) -> Json:
    """Merge two values of one type; `ABSENT` when nothing is left of either."""
    of_live, of_applied = type_.atom.for_value(live), type_.atom.for_value(applied)
    return _atom(live, applied, of_live if applied is ABSENT else of_applied)


def _atom(live: Json, applied: Json, atom: Atom) -> Json:
    if atom.map is not None:
        return _map(live, applied, atom.map)
    if atom.scalar is None and atom.list is not None:
        return _list(live, applied, atom.list)
    return _leaf(live, applied)


def _leaf(live: Json, applied: Json) -> Json:
    return live if applied is ABSENT else applied


def _map(live: Json, applied: Json, type_: MapType) -> Json:
    ours = live if isinstance(live, dict) else {}
    theirs = applied if isinstance(applied, dict) else {}
    if type_.atomic or not (ours or theirs):  # keeps null and empty apart
        return _leaf(live, applied)
    merged: dict[str, Json] = {}
    for name in ours | theirs:
        inner = type_.type_of(name)
        if inner is None:
            continue
        value = combine(ours.get(name, ABSENT), theirs.get(name, ABSENT), inner)
        if value is not ABSENT:
            merged[name] = value
    return merged or ABSENT


def _list(live: Json, applied: Json, type_: ListType) -> Json:
    ours = live if isinstance(live, list) else []
    theirs = applied if isinstance(applied, list) else []
    if not type_.associative or not (ours or theirs):
        return _leaf(live, applied)
    return _items(ours, theirs, type_) or ABSENT


def _items(live: list[Json], applied: list[Json], type_: ListType) -> list[Json]:
    """Walk both lists at once; numbers of steps as in `visitListItems`."""
    left = [element_of(type_, item) for item in live]
    right = [element_of(type_, item) for item in applied]
    ours, theirs = _first_of(left, live), dict(zip(right, applied, strict=True))
    shared = [element for element in right if element in ours]
    merged: list[Json] = []
    done: set[Element] = set()
    at_left = at_right = 0

    def take(element: Element, mine: Json, yours: Json) -> None:
        value = combine(mine, yours, type_.element)
        if value is not ABSENT:
            merged.append(value)

    while at_left < len(left) or at_right < len(right):
        if at_left < len(left) and at_right < len(right):
            element = left[at_left]
            if element == right[at_right]:
                done.add(element)
                take(element, ours[element], theirs[element])
                at_left, at_right, shared = at_left + 1, at_right + 1, shared[1:]
                continue
            if element in theirs and shared and shared[0] != element:
                at_left += 1  # shared, but not the one whose turn it is
                continue
        if at_left < len(left):
            element = left[at_left]
            if element not in theirs:
                take(element, live[at_left], ABSENT)
                at_left += 1
                continue
            if element in done:
                at_left += 1
        if at_right < len(right):
            element = right[at_right]
            done.add(element)
            take(element, ours.get(element, ABSENT), theirs[element])
            at_right += 1
            if shared and shared[0] == element:
                shared = shared[1:]
    return merged


def _first_of(elements: list[Element], items: list[Json]) -> dict[Element, Json]:
    """Index items; what stands there twice is merged with nothing (duplicates become null)."""
    index: dict[Element, Json] = {}
    for element, item in zip(elements, items, strict=True):
        index[element] = None if element in index else item
    return index
