"""The shape of a type, as merging needs it: scalars, lists (atomic, set, map) and maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Final, TypeAlias

from flux_secret.embedded.tree import ABSENT, Json, is_number


class Scalar(Enum):
    """What a single value may be."""

    TEXT = "string"
    NUMBER = "numeric"
    BOOLEAN = "boolean"
    ANY = "untyped"


@dataclass(frozen=True, slots=True)
class ListType:
    """A list: one value (atomic), or items found by their keys, or by themselves (a set)."""

    element: Type
    associative: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A named field of a map."""

    type: Type
    default: Json = None


@dataclass(frozen=True, slots=True)
class MapType:
    """A struct (`members`), a map of anything (`element`), or both; atomic ones are one value."""

    members: Mapping[str, Member] = field(default_factory=dict)
    element: Type | None = None
    """What fields without a name of their own are; None when there may be none."""
    atomic: bool = False

    def type_of(self, name: str) -> Type | None:
        """Give the type of that field; None when it is not declared."""
        member = self.members.get(name)
        return member.type if member else self.element


@dataclass(frozen=True, slots=True)
class Atom:
    """A type, spelled out; several alternatives where the schema says nothing."""

    scalar: Scalar | None = None
    list: ListType | None = None
    map: MapType | None = None

    @property
    def atom(self) -> Atom:
        """Itself; a `Ref` looks it up."""
        return self

    def for_value(self, value: Json) -> Atom:
        """Narrow the alternatives to what the value is (`deduceAtom`)."""
        if value is ABSENT or value is None:
            return self
        if isinstance(value, list):
            return Atom(list=self.list) if self.list else self
        if isinstance(value, dict):
            return Atom(map=self.map) if self.map else self
        return Atom(scalar=self.scalar) if self.scalar else self


@dataclass(frozen=True)
class Ref:
    """A type by name, looked up when it is first used: types may contain themselves."""

    find: Callable[[str], Type]
    name: str
    atomic: bool | None = None
    """Overrides what the named map type says of itself."""

    @cached_property
    def atom(self) -> Atom:
        """The named type."""
        found = self.find(self.name).atom
        if self.atomic is None or found.map is None:
            return found
        return replace(found, map=replace(found.map, atomic=self.atomic))


Type: TypeAlias = "Atom | Ref"


def _anything(*, atomic: bool) -> Atom:
    def find(_name: str) -> Type:
        return whole

    inner: Type = Ref(find, "anything")
    untouched = UNTYPED_ATOMIC if not atomic else inner
    whole = Atom(
        scalar=Scalar.ANY,
        list=ListType(untouched),
        map=MapType(element=inner, atomic=atomic),
    )
    return whole


# kube-openapi schemaconv/smd.go: untypedDef, deducedDef
UNTYPED_ATOMIC: Final = _anything(atomic=True)
"""Anything, as one value (RawExtension)."""
DEDUCED: Final = _anything(atomic=False)
"""Anything; maps are merged field by field (x-kubernetes-preserve-unknown-fields)."""


def scalar_problem(scalar: Scalar, value: Json) -> str:
    """Say why the value is none of that kind; empty when it is (`validateScalar`)."""
    if value is ABSENT or value is None:
        return ""
    match scalar:
        case Scalar.NUMBER:
            return "" if is_number(value) else f"expected numeric (int or float), got {_go(value)}"
        case Scalar.TEXT:
            return "" if isinstance(value, str) else f"expected string, got {_shown(value)}"
        case Scalar.BOOLEAN:
            return "" if isinstance(value, bool) else f"expected boolean, got {_shown(value)}"
        case Scalar.ANY:
            structured = isinstance(value, dict | list)
            return f"expected any scalar, got {_shown(value)}" if structured else ""


def _go(value: Json) -> str:
    names = {bool: "bool", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), "interface {}")


def _shown(value: Json) -> str:
    """Name the value's type only: a Secret's value must not come back in an error."""
    if is_number(value):
        return f"&value.valueUnstructured{{Value:{value}}}"
    return f"&value.valueUnstructured{{Value:{_go(value)}}}"
