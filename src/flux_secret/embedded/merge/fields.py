"""Sets of field paths, and their form in `metadata.managedFields` (FieldsV1).

A path element is the very text that FieldsV1 uses as a key: `f:name` a field, `k:{…}` a list item
by its keys, `v:…` an item of a set by its value. Equal elements are equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flux_secret.embedded.merge.schema import Type
from flux_secret.embedded.tree import Json, Tree

Element: TypeAlias = str
Path: TypeAlias = tuple[Element, ...]

_ORDER: Final = "fkvi"  # fieldpath/element.go Compare: field names, keys, values, indices


def by_name(name: str) -> Element:
    """Give the element of a field."""
    return f"f:{name}"


def by_keys(keys: Mapping[str, Json]) -> Element:
    """Give the element of a list's item that has these keys."""
    return f"k:{_compact(dict(sorted(keys.items())))}"


def by_value(value: Json) -> Element:
    """Give the element of a set's item."""
    return f"v:{_compact(value)}"


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def shown(path: Path) -> str:
    """Write a path as conflicts name it: `.spec.ports[port=80,protocol="TCP"].name`."""
    return "".join(_shown(element) for element in path)


def _shown(element: Element) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        keys = json.loads(rest)
        return "[" + ",".join(f"{name}={_compact(value)}" for name, value in keys.items()) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def _sort_key(element: Element) -> tuple[int, str]:
    return _ORDER.index(element[0]), element[2:]


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A set of paths: the elements that are in it here, and what is in it further down."""

    members: frozenset[Element] = frozenset()
    children: Mapping[Element, FieldSet] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.members) or any(self.children.values())

    @classmethod
    def of(cls, paths: Iterable[Path]) -> FieldSet:
        """Make a set of these paths; an empty path is in no set."""
        here: set[Element] = set()
        below: dict[Element, list[Path]] = {}
        for path in paths:
            if len(path) == 1:
                here.add(path[0])
            elif path:
                below.setdefault(path[0], []).append(path[1:])
        return cls(frozenset(here), {head: cls.of(tails) for head, tails in below.items()})

    def __or__(self, other: FieldSet) -> FieldSet:
        children = dict(self.children)
        for element, there in other.children.items():
            here = children.get(element)
            children[element] = there if here is None else here | there
        return FieldSet(self.members | other.members, children)

    def __and__(self, other: FieldSet) -> FieldSet:
        both = {
            element: here & other.children[element]
            for element, here in self.children.items()
            if element in other.children
        }
        return FieldSet(self.members & other.members, _filled(both))

    def __sub__(self, other: FieldSet) -> FieldSet:
        left = {
            element: here - other.children[element] if element in other.children else here
            for element, here in self.children.items()
        }
        return FieldSet(self.members - other.members, _filled(left))

    def without_below(self, other: FieldSet) -> FieldSet:
        """Give what is neither in `other` nor below one of its members."""
        left = {
            element: here.without_below(other.children[element])
            if element in other.children
            else here
            for element, here in self.children.items()
            if element not in other.members
        }
        return FieldSet(self.members - other.members, _filled(left))

    def under(self, element: Element) -> FieldSet:
        """Give what is below that element."""
        return self.children.get(element, EMPTY)

    def paths(self, prefix: Path = ()) -> Iterator[Path]:
        """Give every path, in the order that conflicts are listed in."""
        for element in sorted(self.members, key=_sort_key):
            yield (*prefix, element)
        for element in sorted(self.children, key=_sort_key):
            yield from self.children[element].paths((*prefix, element))

    def with_named_fields(self, type_: Type | None) -> FieldSet:
        """Add the struct fields on the way to its paths (`EnsureNamedFieldsAreMembers`)."""
        atom = type_.atom if type_ else None
        members = set(self.members)
        children: dict[Element, FieldSet] = {}
        for element, below in self.children.items():
            inner: Type | None = None
            if element.startswith("f:") and atom and atom.map:
                inner = atom.map.type_of(element[2:])
                if element[2:] in atom.map.members:
                    members.add(element)
            elif element.startswith("k:") and atom and atom.list:
                inner = atom.list.element
            children[element] = below.with_named_fields(inner)
        return FieldSet(frozenset(members), children)

    def encode(self) -> Tree:
        """Write FieldsV1."""
        return _encoded(self, is_member=False)

    @classmethod
    def decode(cls, tree: Json) -> FieldSet:
        """Read FieldsV1; raise `ValueError` when it is none."""
        if not isinstance(tree, dict):
            raise ValueError("fieldsV1 must be an object")  # noqa: TRY004 - one error for bad bytes
        members: set[Element] = set()
        children: dict[Element, FieldSet] = {}
        for key, below in tree.items():
            if key == ".":
                continue
            element = _canonical(key)
            inner = cls.decode(below)
            if not below or "." in below:
                members.add(element)
            if inner:
                children[element] = inner
        return cls(frozenset(members), children)


EMPTY: Final = FieldSet()


def _encoded(fields: FieldSet, *, is_member: bool) -> Tree:
    tree: Tree = {".": {}} if is_member else {}
    for element in sorted(fields.members | fields.children.keys(), key=_sort_key):
        below, is_own = fields.under(element), element in fields.members
        if below:
            tree[element] = _encoded(below, is_member=is_own)
        elif is_own:
            tree[element] = {}
    return tree


def _filled(children: Mapping[Element, FieldSet]) -> dict[Element, FieldSet]:
    return {element: below for element, below in children.items() if below}


def _canonical(key: str) -> Element:
    kind, colon, rest = key[:1], key[1:2], key[2:]
    if colon != ":" or kind not in _ORDER:
        raise ValueError(f"unknown path element {key!r}")
    if kind == "f":
        return key
    value = json.loads(rest)
    if kind == "k":
        if not isinstance(value, dict):
            raise ValueError(f"unknown path element {key!r}")
        return by_keys(value)
    return by_value(value) if kind == "v" else f"i:{int(value)}"
