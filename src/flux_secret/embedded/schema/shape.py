"""`kinds.json`'s notation → shapes: the types of built-in objects as Go declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from flux_secret.embedded.tree import Json, Tree


@dataclass(frozen=True, slots=True)
class ScalarShape:
    """One value; `code` as in the notation."""

    code: str


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list."""

    item: Shape
    keys: tuple[str, ...] | None = None
    """What items are merged by in server-side apply: () a set, None not at all."""
    patch_key: str | None = None
    """What a strategic merge patch finds items by: `""` the value itself, None not at all."""


@dataclass(frozen=True, slots=True)
class MapShape:
    """A map from any text."""

    value: Shape
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct."""

    shape: Shape
    pointer: bool = False
    omit_empty: bool = False
    omit_zero: bool = False
    retain_keys: bool = False
    default: Json = None
    numbers: tuple[int, ...] = ()
    """Its place in protobuf, first those of the embedded structs that it stands in."""


@dataclass(frozen=True, slots=True)
class StructShape:
    """A Go struct."""

    name: str
    fields: Mapping[str, Field]
    atomic: bool = False


@dataclass(frozen=True)
class StructRef:
    """A struct by name; structs may contain themselves."""

    find: Callable[[str], StructShape]
    name: str
    atomic: bool = False
    """Whether this use of it is one value although the struct is not."""

    @cached_property
    def struct(self) -> StructShape:
        """The struct."""
        return self.find(self.name)


Shape: TypeAlias = "ScalarShape | ListShape | MapShape | StructRef"


class Shapes:
    """All structs of `kinds.json`, read when they are first asked for."""

    def __init__(self, notation: Mapping[str, Tree]) -> None:
        self._notation = notation
        self._structs: dict[str, StructShape] = {}

    def struct(self, name: str) -> StructShape:
        """Give a struct by name."""
        if name not in self._structs:
            tree = self._notation[name]
            fields = {key: self._field(entry) for key, entry in tree["f"].items()}
            self._structs[name] = StructShape(name, fields, atomic=bool(tree.get("a")))
        return self._structs[name]

    def _field(self, entry: list[Json]) -> Field:
        notation, flags, numbers, *default = entry
        return Field(
            shape=self._shape(notation),
            pointer="p" in flags,
            omit_empty="o" in flags,
            omit_zero="z" in flags,
            retain_keys="r" in flags,
            numbers=tuple(numbers),
            default=default[0] if default else None,
        )

    def _shape(self, notation: Json) -> Shape:
        if isinstance(notation, str):
            if notation.startswith("#"):
                name = notation.lstrip("#!")
                return StructRef(self.struct, name, atomic=notation.startswith("#!"))
            return ScalarShape(notation)
        if "l" in notation:
            keys = tuple(notation["k"]) if "k" in notation else None
            return ListShape(self._shape(notation["l"]), keys, notation.get("p"))
        return MapShape(self._shape(notation["m"]), atomic=bool(notation.get("a")))
