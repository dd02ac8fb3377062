"""Shapes → the types that merging works on (kube-openapi schemaconv)."""

from __future__ import annotations

from typing import Final

from flux_secret.embedded.merge.schema import (
    DEDUCED,
    UNTYPED_ATOMIC,
    Atom,
    ListType,
    MapType,
    Member,
    Ref,
    Scalar,
    Type,
)
from flux_secret.embedded.schema.shape import (
    ListShape,
    MapShape,
    ScalarShape,
    Shape,
    Shapes,
    StructRef,
)

_SCALARS: Final = {
    "s": Scalar.TEXT,
    "y": Scalar.TEXT,
    "n": Scalar.NUMBER,
    "f": Scalar.NUMBER,
    "b": Scalar.BOOLEAN,
    "t": Scalar.ANY,
    "T": Scalar.ANY,
    "q": Scalar.ANY,
    "i": Scalar.ANY,
}


class MergeTypes:
    """The merge types of all structs, each made once."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._made: dict[str, Type] = {}

    def struct(self, name: str) -> Type:
        """Give the merge type of a struct."""
        if name not in self._made:
            shape = self._shapes.struct(name)
            members = {
                key: Member(self._type(field.shape), field.default)
                for key, field in shape.fields.items()
            }
            self._made[name] = Atom(map=MapType(members=members, atomic=shape.atomic))
        return self._made[name]

    def _type(self, shape: Shape) -> Type:
        match shape:
            case ScalarShape(code="x"):
                return UNTYPED_ATOMIC
            case ScalarShape(code="j"):
                return DEDUCED
            case ScalarShape(code=code):
                return Atom(scalar=_SCALARS[code])
            case ListShape(item=item, keys=keys):
                associative = keys is not None
                return Atom(list=ListType(self._type(item), associative, keys or ()))
            case MapShape(value=value, atomic=atomic):
                return Atom(map=MapType(element=self._type(value), atomic=atomic))
            case StructRef(name=name, atomic=atomic):
                return Ref(self.struct, name, atomic=True if atomic else None)
