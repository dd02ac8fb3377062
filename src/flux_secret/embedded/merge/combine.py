"""Live value + applied value → both together, the applied one winning (typed/merge.go).

Nothing is ever removed here. Items of a keyed list or a set keep the live order, and take the
applied order where the applied list says another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

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
    left = [element_of(type_, item) for item in live]
    right = [element_of(type_, item) for item in applied]
    ours, theirs = _first_of(left, live), dict(zip(right, applied, strict=True))
    merged = (
        combine(
            live[step.at] if step.is_live else ours.get(step.element, ABSENT),
            ABSENT if step.is_live else theirs[step.element],
            type_.element,
        )
        for step in _steps(left, right)
    )
    return [value for value in merged if value is not ABSENT]


@dataclass(frozen=True, slots=True)
class _Step:
    """One item of the merged list: the live one at `at` as it is, or the applied one on top."""

    element: Element
    is_live: bool = False
    at: int = 0


def _steps(left: list[Element], right: list[Element]) -> Iterator[_Step]:
    """Walk both lists at once (`visitListItems`)."""
    shared = deque(element for element in right if element in left)
    done: set[Element] = set()
    at_left = at_right = 0
    while at_left < len(left) or at_right < len(right):
        ours = left[at_left] if at_left < len(left) else None
        theirs = right[at_right] if at_right < len(right) else None
        if ours is not None and ours == theirs:
            at_left += 1
        elif ours is not None and theirs is not None and ours in right:
            if shared and shared[0] != ours:
                at_left += 1  # shared, but not the one whose turn it is
                continue
            at_left += ours in done
        elif ours is not None and ours not in right:
            yield _Step(ours, is_live=True, at=at_left)
            at_left += 1
            continue
        elif ours is not None:
            at_left += ours in done
        if theirs is None:
            continue
        yield _Step(theirs)
        done.add(theirs)
        at_right += 1
        if shared and shared[0] == theirs:
            shared.popleft()


def _first_of(elements: list[Element], items: list[Json]) -> dict[Element, Json]:
    """Index items; what stands there twice is merged with nothing (duplicates become null)."""
    index: dict[Element, Json] = {}
    for element, item in zip(elements, items, strict=True):
        index[element] = None if element in index else item
    return index
