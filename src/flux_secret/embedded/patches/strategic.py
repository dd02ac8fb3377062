"""Strategic merge patch: lists merged by the keys that their types name.

After apimachinery util/strategicpatch/patch.go with the API server's options (directives are
merged, nulls without a counterpart are dropped). Understood are `$patch: replace|delete`,
`$deleteFromPrimitiveList/…`, `$setElementOrder/…` and `$retainKeys`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from flux_secret.embedded.patches.pointer import PatchError
from flux_secret.embedded.schema.shape import (
    ListShape,
    MapShape,
    Shape,
    StructRef,
    StructShape,
)
from flux_secret.embedded.tree import ABSENT, Json, Tree, copied, equal

_PATCH: Final = "$patch"
_DELETE_ITEMS: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"
_RETAIN: Final = "$retainKeys"
_Items: TypeAlias = list[Json]
_Of: TypeAlias = "StructShape | MapShape | None"


def strategic_patch(live: Tree, patch: Json, struct: StructShape) -> Tree:
    """Give the patched object; raise `PatchError`."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is an object")
    return _map(live, patch, struct)


def _map(live: Json, patch: Tree, of: _Of) -> Tree:
    match patch.get(_PATCH):
        case "replace":
            return {name: copied(value) for name, value in patch.items() if name != _PATCH}
        case "delete":
            return {}
    merged = dict(live) if isinstance(live, dict) else {}
    if _RETAIN in patch:
        _listed(patch[_RETAIN], _RETAIN)
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    ordered = {name.removeprefix(_ORDER) for name in patch if name.startswith(_ORDER)}
    for name in ordered:
        _set(merged, name, _in_order(merged, patch, name, _shape(of, name)))
    for name, value in patch.items():
        if name.startswith(_DELETE_ITEMS):
            field = name.removeprefix(_DELETE_ITEMS)
            if isinstance(merged.get(field), list):
                _listed(value, name)
                merged[field] = [one for one in merged[field] if not _has(value, one)]
        elif not name.startswith("$") and name not in ordered:
            _set(merged, name, _value(merged.get(name, ABSENT), value, _shape(of, name)))
    return merged


def _set(merged: Tree, name: str, value: Json) -> None:
    if value is ABSENT:
        merged.pop(name, None)
    else:
        merged[name] = value


def _shape(of: _Of, name: str) -> Shape | None:
    if isinstance(of, StructShape):
        field = of.fields.get(name)
        return field.shape if field else None
    return of.value if of else None


def _value(live: Json, patch: Json, shape: Shape | None) -> Json:
    if patch is None:
        return ABSENT
    if isinstance(patch, dict) and isinstance(live, dict):
        return _map(live, patch, _inner(shape))
    if isinstance(patch, list) and isinstance(live, list):
        key = shape.patch_key if isinstance(shape, ListShape) else None
        return copied(patch) if key is None else _list(live, patch, shape, key)
    return _without_directives(patch)


def _inner(shape: Shape | None) -> _Of:
    if isinstance(shape, StructRef):
        return shape.struct
    return shape if isinstance(shape, MapShape) else None


def _without_directives(patch: Json) -> Json:
    """Give the value of a patch where there is nothing to merge it into."""
    if isinstance(patch, dict):
        if patch.get(_PATCH) == "delete":
            return ABSENT
        named = ((name, _without_directives(value)) for name, value in patch.items()
                 if not name.startswith("$") and value is not None)  # fmt: skip
        return {name: value for name, value in named if value is not ABSENT}
    if isinstance(patch, list):
        kept = (_without_directives(one) for one in patch)
        return [one for one in kept if one is not ABSENT]
    return patch


def _in_order(merged: Tree, patch: Tree, name: str, shape: Shape | None) -> Json:
    """Merge a list, and bring it into the order that the patch names."""
    key = shape.patch_key if isinstance(shape, ListShape) else None
    live, added = merged.get(name, ABSENT), patch.get(name, ABSENT)
    order = _listed(patch[f"{_ORDER}{name}"], f"{_ORDER}{name}")
    if live is ABSENT and added is ABSENT:
        return ABSENT
    removed = _listed(patch.get(f"{_DELETE_ITEMS}{name}", []), f"{_DELETE_ITEMS}{name}")
    if isinstance(live, list):
        live = [one for one in live if not _has(removed, one)]
    whole = live if added is ABSENT else _value(live, added, shape)
    if not isinstance(whole, list):
        return whole
    return _normal(whole, order, live if isinstance(live, list) else [], key or "")


def _listed(value: Json, name: str) -> _Items:
    if not isinstance(value, list):
        raise PatchError(f"{name} is a list")
    return value


def _list(live: _Items, patch: _Items, shape: Shape | None, key: str) -> _Items:
    if not key:
        if any(isinstance(one, dict) for one in patch):
            raise PatchError("cannot merge lists without merge key")
        whole = [*live, *patch]
        merged = [one for index, one in enumerate(whole) if not _has(whole[:index], one)]
        return _normal(merged, patch, live, "")
    struct = shape.item.struct if isinstance(shape, ListShape) and isinstance(
        shape.item, StructRef) else None  # fmt: skip
    plain = [one for one in patch if not (isinstance(one, dict) and _PATCH in one)]
    if any(isinstance(one, dict) and one.get(_PATCH) == "replace" for one in patch):
        return [copied(one) for one in plain]
    for one in patch:
        if isinstance(one, dict) and one.get(_PATCH) == "delete":
            live = [old for old in live if not _same(old, one, key)]
    merged = list(live)
    for one in plain:
        if not isinstance(one, dict) or key not in one:
            raise PatchError(f"map: {{}} does not contain declared merge key: {key}")
        found = next((at for at, old in enumerate(merged) if _same(old, one, key)), None)
        if found is None:
            merged.append(_without_directives(one))
        else:
            merged[found] = _map(merged[found], one, struct)
    return _normal(merged, plain, live, key)


def _same(left: Json, right: Json, key: str) -> bool:
    if not key:
        return equal(left, right)
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return False
    return key in left and equal(left[key], right.get(key))


def _normal(merged: _Items, order: _Items, original: _Items, key: str) -> _Items:
    """Put what the order names into that order; the rest keeps its place before what followed it.

    normalizeElementOrder and mergeSortedSlice.
    """
    named = sorted(
        (one for one in merged if _index(order, one, key) >= 0),
        key=lambda one: _index(order, one, key),
    )
    others = sorted(
        (one for one in merged if _index(order, one, key) < 0),
        key=lambda one: _index(original, one, key),
    )
    result: _Items = []
    while named or others:
        if not named or (others and _precedes(others[0], named[0], original, key)):
            result.append(others.pop(0))
        else:
            result.append(named.pop(0))
    return result


def _precedes(left: Json, right: Json, original: _Items, key: str) -> bool:
    at_left, at_right = _index(original, left, key), _index(original, right, key)
    return 0 <= at_left < at_right


def _index(values: _Items, wanted: Json, key: str) -> int:
    return next((at for at, one in enumerate(values) if _same(one, wanted, key)), -1)


def _has(values: Json, wanted: Json) -> bool:
    return isinstance(values, list) and any(equal(one, wanted) for one in values)
