"""A tree → the same tree after Go decoded it into its structs and wrote it out again.

That is how the API server stores built-in objects: unknown fields are gone, empty fields with
`omitempty` are gone, structs are always there, bytes and quantities are in their canonical form.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from flux_secret.embedded.codec.quantity import canonical
from flux_secret.embedded.schema.shape import (
    Field,
    ListShape,
    MapShape,
    ScalarShape,
    Shape,
    StructRef,
    StructShape,
)
from flux_secret.embedded.tree import ABSENT, Json, Tree, copied, is_number

_ZERO: Final[Mapping[str, Json]] = {"s": "", "y": "", "n": 0, "f": 0, "b": False, "i": 0, "q": "0"}
_GO_NAMES: Final = {"s": "string", "y": "[]uint8", "n": "int32", "f": "float64", "b": "bool"}
_WHOLE: Final = ("x", "j")


_INDEX: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: the struct that has the field, and the path to it."""

    owner: str
    path: str

    def at(self, index: str) -> _Place:
        return _Place(self.owner, self.path + index)


class DecodeError(ValueError):
    """A value that does not fit its Go type."""


class Decoder:
    """Decodes one object; `unknown` names the fields that no struct has."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, tree: Json, shape: StructShape, path: str = "") -> Tree:
        """Give the struct as Go writes it."""
        if tree is None:
            tree = {}
        if not isinstance(tree, dict):
            owner = shape.name.rpartition(".")[2]
            raise _mismatch(tree, owner, _Place(owner, path))
        self.unknown += [_join(path, name) for name in tree if name not in shape.fields]
        owner = shape.name.rpartition(".")[2]
        decoded = {
            name: self._field(tree.get(name), field, _Place(owner, _join(path, name)))
            for name, field in shape.fields.items()
        }
        return {name: value for name, value in decoded.items() if value is not ABSENT}

    def _field(self, value: Json, field: Field, place: _Place) -> Json:
        if value is None and field.pointer:
            return ABSENT if field.omit_empty else None
        decoded = self._value(value, field.shape, place)
        if field.pointer or not (field.omit_empty or field.omit_zero):
            return decoded
        if isinstance(field.shape, StructRef):  # omitempty says nothing of a struct
            return ABSENT if field.omit_zero and not decoded else decoded
        if isinstance(field.shape, ScalarShape) and field.shape.code in "tT":
            return ABSENT if field.omit_zero and decoded is None else decoded
        return ABSENT if _is_empty(decoded, field.shape) else decoded

    def _value(self, value: Json, shape: Shape, place: _Place) -> Json:
        match shape:
            case ScalarShape(code=code):
                return _scalar(value, code, place)
            case ListShape(item=item):
                if value is not None and not isinstance(value, list):
                    raise _mismatch(value, "[]", place)
                # an empty list is stored as none: protobuf knows no difference
                numbered = enumerate(value or [])
                decoded = [
                    self._value(one, item, place.at(f"[{index}]")) for index, one in numbered
                ]
                return decoded or None
            case MapShape(value=inner):
                if value is not None and not isinstance(value, dict):
                    raise _mismatch(value, "map", place)
                pairs: Iterable[tuple[str, Json]] = (value or {}).items()
                return {key: self._value(one, inner, place) for key, one in pairs}
            case StructRef(struct=struct):
                return self.struct(value, struct, place.path)


def _scalar(value: Json, code: str, place: _Place) -> Json:
    if code in _WHOLE:
        return copied(value)
    if value is None:
        return _ZERO.get(code)
    if code == "y":
        return _bytes(value, place)
    if code in "tT":
        return _time(value, place, micro=code == "T")
    if code == "q":
        return _quantity(value, place)
    fits = {
        "s": isinstance(value, str),
        "n": isinstance(value, int) and not isinstance(value, bool),
        "f": is_number(value),
        "b": isinstance(value, bool),
        "i": isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)),
    }
    if not fits[code]:
        raise _mismatch(value, _GO_NAMES.get(code, "intstr.IntOrString"), place)
    return value


def _bytes(value: Json, place: _Place) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, "[]uint8", place)
    text = value.replace("\n", "").replace("\r", "")  # Go's decoder skips line ends
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"illegal base64 data at input byte {_illegal(text)}") from error
    return base64.b64encode(decoded).decode()


def _illegal(text: str) -> int:
    """Find where Go's decoder stops."""
    alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    bare = text.rstrip("=")
    bad = next((index for index, char in enumerate(bare) if char not in alphabet), None)
    return bad if bad is not None else len(text) // 4 * 4


def _time(value: Json, place: _Place, *, micro: bool) -> str:
    try:
        parsed = datetime.fromisoformat(value)
        utc = parsed.astimezone(UTC)
    except (ValueError, TypeError) as error:
        raise DecodeError(f"parsing time at {place.path}: not in RFC 3339 format") from error
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _quantity(value: Json, place: _Place) -> str:
    if isinstance(value, dict | list | bool):
        raise _mismatch(value, "resource.Quantity", place)
    try:
        return canonical(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise DecodeError(str(error)) from error


def _is_empty(value: Json, shape: Shape) -> bool:
    if isinstance(shape, ScalarShape) and shape.code in "iq":
        return False  # structs of their own: omitempty says nothing of them
    return value in (None, "", 0, False) or value in ({}, [])


def _mismatch(value: Json, go_type: str, place: _Place) -> DecodeError:
    """Name what was found by its type alone: the value may be a Secret's."""
    found = {bool: "bool", str: "string", list: "array", dict: "object", type(None): "null"}
    name = found.get(type(value), "number")
    field = f"{place.owner}.{_INDEX.sub('', place.path)}"
    return DecodeError(
        f"json: cannot unmarshal {name} into Go struct field {field} of type {go_type}"
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
