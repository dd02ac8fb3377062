"""A custom resource's value + schema → what is wrong with it (kube-openapi validation).

Types, required fields, enums, patterns and limits are checked, and that keyed lists and sets have
no duplicates; `x-kubernetes-validations` (CEL), `oneOf` and their like are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from flux_secret.embedded.rules import problem
from flux_secret.embedded.schema.custom import INT_OR_STRING
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Json, Tree, child, equal, is_number

_TYPES: Final[dict[str, Callable[[Json], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: is_number(value) and float(value).is_integer(),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def problems(value: Json, schema: Tree, path: str) -> Iterator[Cause]:
    """Say what is wrong with a value."""
    if value is None and schema.get("nullable") is True:
        return
    kind = schema.get("type")
    if schema.get(INT_OR_STRING) is True:
        if not _TYPES["integer"](value) and not isinstance(value, str):
            yield _wrong_type(path, value, "integer,string")
        return
    if isinstance(kind, str) and not _TYPES[kind](value):
        yield _wrong_type(path, value, kind)
        return
    yield from _enum(value, schema, path)
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif is_number(value):
        yield from _number(value, schema, path)
    elif isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)


def _wrong_type(path: str, value: Json, wanted: str) -> Cause:
    names = {bool: "boolean", str: "string", dict: "object", list: "array", type(None): "null"}
    found = names.get(type(value), "integer" if isinstance(value, int) else "number")
    why = f'{path} in body must be of type {wanted}: "{found}"'
    return problem.wrong_type(path, found, why)


def _enum(value: Json, schema: Tree, path: str) -> Iterator[Cause]:
    allowed = schema.get("enum")
    if isinstance(allowed, list) and not any(equal(value, one) for one in allowed):
        yield problem.unsupported(path, value, [str(one) for one in allowed])


def _text(value: str, schema: Tree, path: str) -> Iterator[Cause]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not re.search(pattern, value):
        yield problem.invalid(path, value, f"{path} in body should match '{pattern}'")
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(value) < least:
        why = f"{path} in body should be at least {least} chars long"
        yield problem.invalid(path, value, why)
    if isinstance(most, int) and len(value) > most:
        yield problem.too_long(path, most)


def _number(value: float, schema: Tree, path: str) -> Iterator[Cause]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if is_number(least) and value < least:
        why = f"{path} in body should be greater than or equal to {least}"
        yield problem.invalid(path, value, why)
    if is_number(most) and value > most:
        why = f"{path} in body should be less than or equal to {most}"
        yield problem.invalid(path, value, why)


def _object(value: Tree, schema: Tree, path: str) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield problem.required(_join(path, name))
    properties, more = child(schema, "properties"), schema.get("additionalProperties")
    for name, one in value.items():
        inner = properties.get(name, more)
        if isinstance(inner, dict) and (path or name != "metadata"):
            yield from problems(one, inner, _join(path, name))


def _list(value: list[Json], schema: Tree, path: str) -> Iterator[Cause]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if isinstance(least, int) and len(value) < least:
        why = f"{path} in body should have at least {least} items"
        yield problem.invalid(path, len(value), why)
    if isinstance(most, int) and len(value) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items",
                    path)  # fmt: skip
    item = schema.get("items")
    if isinstance(item, dict):
        for index, one in enumerate(value):
            yield from problems(one, item, f"{path}[{index}]")


def duplicates(value: Json, schema: Tree, path: str) -> Iterator[Cause]:
    """Say which items of keyed lists and sets stand twice (schema/listtype/validation.go)."""
    if isinstance(value, dict):
        properties, more = child(schema, "properties"), schema.get("additionalProperties")
        for name, one in value.items():
            inner = properties.get(name, more)
            if isinstance(inner, dict):
                yield from duplicates(one, inner, _join(path, name))
    elif isinstance(value, list):
        yield from _in_list(value, schema, path)
        item = schema.get("items")
        for index, one in enumerate(value if isinstance(item, dict) else ()):
            yield from duplicates(one, schema["items"], f"{path}[{index}]")


def _in_list(value: list[Json], schema: Tree, path: str) -> Iterator[Cause]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if kind not in {"set", "map"}:
        return
    seen: list[Json] = []
    for index, one in enumerate(value):
        found = one
        if kind == "map" and isinstance(one, dict):
            found = {key: one[key] for key in keys or () if key in one}
        if any(equal(found, other) for other in seen):
            yield problem.duplicate(f"{path}[{index}]", found)
        seen.append(found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
