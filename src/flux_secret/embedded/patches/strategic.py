"""Strategic merge patch: lists merged by the keys that their types name (util/strategicpatch).

Understood are `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/…`,
`$setElementOrder/…` and `$retainKeys`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from flux_secret.embedded.patches.merge import merge_patch
from flux_secret.embedded.patches.pointer import PatchError
from flux_secret.embedded.schema.shape import (
    ListShape,
    MapShape,
    Shape,
    StructRef,
    StructShape,
)
from flux_secret.embedded.tree import Json, Tree, copied, equal

_PATCH: Final = "$patch"
_DELETE_ITEMS: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"
_RETAIN: Final = "$retainKeys"
_Items: TypeAlias = list[Json]


def strategic_patch(live: Tree, patch: Json, struct: StructShape) -> Tree:
    """Give the patched object; raise `PatchError`."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is an object")
    return _struct(live, patch, struct)


def _struct(live: Json, patch: Tree, struct: StructShape | None) -> Tree:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {name: copied(value) for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    merged = dict(live) if isinstance(live, dict) else {}
    if _RETAIN in patch:
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith(_DELETE_ITEMS):
            field = name.removeprefix(_DELETE_ITEMS)
            kept = [one for one in merged.get(field) or [] if not _has(value, one)]
            merged[field] = kept
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        field = struct.fields.get(name) if struct else None
        if value is None:
            merged.pop(name, None)
        else:
            order = patch.get(f"{_ORDER}{name}")
            merged[name] = _value(merged.get(name), value, field.shape if field else None, order)
    for name, order in patch.items():
        field_name = name.removeprefix(_ORDER)
        if name.startswith(_ORDER) and field_name not in patch and field_name in merged:
            field = struct.fields.get(field_name) if struct else None
            if field and isinstance(field.shape, ListShape):
                merged[field_name] = _ordered(merged[field_name], order, field.shape.patch_key)
    return merged


def _value(live: Json, patch: Json, shape: Shape | None, order: Json) -> Json:
    match shape:
        case StructRef(struct=struct) if isinstance(patch, dict):
            return _struct(live, patch, struct)
        case MapShape(value=inner) if isinstance(patch, dict):
            return _map(live, patch, inner)
        case ListShape(patch_key=str() as key) if isinstance(patch, list):
            merged = _list(live if isinstance(live, list) else [], patch, shape)
            return _ordered(merged, order, key) if isinstance(order, list) else merged
        case None if isinstance(patch, dict):
            return merge_patch(live, patch)
        case _:
            return copied(patch)


def _map(live: Json, patch: Tree, inner: Shape) -> Tree:
    if patch.get(_PATCH) == "replace":
        return {name: copied(value) for name, value in patch.items() if name != _PATCH}
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _value(merged.get(name), value, inner, None)
    return merged


def _list(live: _Items, patch: _Items, shape: ListShape) -> _Items:
    if any(isinstance(one, dict) and one.get(_PATCH) == "replace" for one in patch):
        return [copied(one) for one in patch
                if not (isinstance(one, dict) and _PATCH in one)]  # fmt: skip
    if not shape.patch_key:
        return [*live, *(copied(one) for one in patch if not _has(live, one))]
    key, merged = shape.patch_key, list(live)
    struct = shape.item.struct if isinstance(shape.item, StructRef) else None
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise PatchError(f"map: {{}} does not contain declared merge key: {key}")
        found = next(
            (i for i, old in enumerate(merged)
             if isinstance(old, dict) and equal(old.get(key), one[key])), None,
        )  # fmt: skip
        if one.get(_PATCH) == "delete":
            merged = [old for old in merged if not equal(old.get(key), one[key])]
        elif found is None:
            merged.append(_struct({}, one, struct))
        else:
            merged[found] = _struct(merged[found], one, struct)
    return merged


def _ordered(merged: _Items, order: _Items, key: str | None) -> _Items:
    """Bring what the order names into that order; what it does not name keeps its place."""

    def place(one: Json) -> int | None:
        for index, wanted in enumerate(order):
            same = equal(one.get(key), wanted.get(key)) if key else equal(one, wanted)
            if same:
                return index
        return None

    places = [(place(one), one) for one in merged]
    named = [one for at, one in sorted(
        ((at, one) for at, one in places if at is not None), key=lambda pair: pair[0])]  # fmt: skip
    result: _Items = []
    waiting = iter(named)
    for at, one in places:
        result.append(one if at is None else next(waiting))
    return result


def _has(values: Json, wanted: Json) -> bool:
    return isinstance(values, list) and any(equal(one, wanted) for one in values)
