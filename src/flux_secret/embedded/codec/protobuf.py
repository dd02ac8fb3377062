"""`application/vnd.kubernetes.protobuf` → a tree: how kubectl's typed commands send objects.

`kubectl create secret`, `create namespace` and their like send protobuf and know no other way.
The envelope is apimachinery runtime.Unknown after four magic bytes; the fields' numbers come from
the Go types (`schema/kinds.json`).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from flux_secret.embedded.schema.shape import (
    Field,
    ListShape,
    MapShape,
    ScalarShape,
    Shape,
    StructRef,
    StructShape,
)
from flux_secret.embedded.tree import Json, Tree

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"
_SIGNED: Final = 1 << 63
_MOST_VARINT: Final = 10  # bytes
_Value: TypeAlias = "int | bytes"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ProtobufError(ValueError):
    """Bytes that are no protobuf of the kind that is expected."""


def read(untrusted: bytes, shape: StructShape) -> Tree:
    """Read an object of a kind; raise `ProtobufError`."""
    if not untrusted.startswith(MAGIC):
        raise ProtobufError("it does not begin as Kubernetes' protobuf does")
    envelope = dict(_fields(untrusted[len(MAGIC) :]))
    named = dict(_fields(_bytes(envelope.get(1, b""))))
    kind = {"apiVersion": _text(named.get(1, b"")), "kind": _text(named.get(2, b""))}
    return {**kind, **_struct(_bytes(envelope.get(2, b"")), shape)}


def _fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    """Give (number, value) of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:  # noqa: PLR2004 - protobuf's wire types: 0 varint, 1 64 bit, 2 bytes, 5 32 bit
            size, at = _varint(data, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ProtobufError(f"wire type {wire} is not used here")
        if at + size > len(data):
            raise ProtobufError("it ends in the middle of a field")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_MOST_VARINT):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return value, at + index + 1
    raise ProtobufError("it ends in the middle of a number")


def _struct(data: bytes, shape: StructShape) -> Tree:
    found: dict[tuple[int, ...], list[_Value]] = {}
    _collect(data, (), {field.numbers for field in shape.fields.values()}, found)
    tree: Tree = {}
    for name, field in shape.fields.items():
        if field.numbers and field.numbers in found:
            tree[name] = _field(found[field.numbers], field)
    return tree


def _collect(
    data: bytes,
    outer: tuple[int, ...],
    known: set[tuple[int, ...]],
    found: dict[tuple[int, ...], list[_Value]],
) -> None:
    """Gather a message's fields; embedded structs are messages in it."""
    for number, value in _fields(data):
        place = (*outer, number)
        if place in known:
            found.setdefault(place, []).append(value)
        elif any(one[: len(place)] == place for one in known):
            _collect(_bytes(value), place, known, found)


def _field(values: list[_Value], field: Field) -> Json:
    match field.shape:
        case ListShape(item=item):
            return [_value(value, item) for value in values]
        case MapShape(value=inner):
            return dict(_entry(_bytes(value), inner) for value in values)
        case shape:
            return _value(values[-1], shape)


def _entry(data: bytes, inner: Shape) -> tuple[str, Json]:
    pair = dict(_fields(data))
    return _text(pair.get(1, b"")), _value(pair.get(2, b""), inner)


def _value(value: _Value, shape: Shape) -> Json:
    match shape:
        case StructRef(struct=found):
            return _struct(_bytes(value), found)
        case ScalarShape(code=code):
            return _scalar(value, code)
        case _:
            raise ProtobufError("lists and maps are never items themselves")


def _scalar(value: _Value, code: str) -> Json:
    if code not in _READERS:
        raise ProtobufError("a raw value inside an object is not supported")
    return _READERS[code](value)


def _double(value: _Value) -> float:
    try:
        number: float = struct.unpack("<d", _bytes(value))[0]
    except struct.error as error:
        raise ProtobufError("a number of eight bytes was expected") from error
    return number


def _quantity(value: _Value) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b"")) or "0"


def _int_or_text(value: _Value) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))


def _time(value: _Value) -> str | None:
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None
    moment = timedelta(
        seconds=_signed(parts.get(1, 0)), microseconds=_signed(parts.get(2, 0)) // 1000
    )
    try:
        return (_EPOCH + moment).isoformat()
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _signed(value: _Value) -> int:
    if not isinstance(value, int):
        raise ProtobufError("a number was expected")
    return value - 2 * _SIGNED if value >= _SIGNED else value


def _bytes(value: _Value) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("bytes were expected")
    return value


def _text(value: _Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("a text is no UTF-8") from error


def _base64(value: _Value) -> str:
    return base64.b64encode(_bytes(value)).decode()


_READERS: Final[dict[str, Callable[[_Value], Json]]] = {
    "s": _text,
    "n": _signed,
    "b": bool,
    "y": _base64,
    "f": _double,
    "t": _time,
    "T": _time,
    "q": _quantity,
    "i": _int_or_text,
}
