"""A CustomResourceDefinition's schema → how its objects are merged, pruned and filled in.

The schema is the structural OpenAPI v3 of `spec.versions[].schema.openAPIV3Schema`
(apiextensions-apiserver pkg/apiserver/schema, kube-openapi schemaconv).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flux_secret.embedded.merge.schema import (
    DEDUCED,
    Atom,
    ListType,
    MapType,
    Member,
    Scalar,
    Type,
)
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.tree import Json, Tree, child, copied

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_SCALARS: Final = {
    "string": Scalar.TEXT,
    "integer": Scalar.NUMBER,
    "number": Scalar.NUMBER,
    "boolean": Scalar.BOOLEAN,
}
_ENVELOPE: Final = ("apiVersion", "kind", "metadata")


def merge_type(schema: Tree) -> Type:
    """Give the merge type of the objects."""
    found = _type(schema, preserve=False).atom
    members: dict[str, Member] = {}
    element: Type | None = DEDUCED
    if found.map is not None:
        members, element = dict(found.map.members), found.map.element
    text = Atom(scalar=Scalar.TEXT)
    envelope = {
        "apiVersion": Member(text),
        "kind": Member(text),
        "metadata": Member(built_in().merge_types.struct("meta.v1.ObjectMeta")),
    }
    return Atom(map=MapType(members=members | envelope, element=element))


def _type(schema: Tree, *, preserve: bool) -> Type:
    preserve = preserve or schema.get(PRESERVE) is True
    kind = schema.get("type")
    if kind == "object":
        return Atom(map=_map(schema, preserve=preserve))
    if kind == "array":
        return Atom(list=_list(schema, preserve=preserve))
    if kind in _SCALARS:
        odd = kind == "string" and schema.get("format", "") not in ("", "byte")
        return Atom(scalar=Scalar.ANY if odd else _SCALARS[kind])
    # no type: x-kubernetes-int-or-string, or anything at all
    any_list = ListType(DEDUCED) if "items" not in schema else _list(schema, preserve=preserve)
    return Atom(scalar=Scalar.ANY, list=any_list, map=_map(schema, preserve=preserve))


def _map(schema: Tree, *, preserve: bool) -> MapType:
    properties = child(schema, "properties")
    members = {
        name: Member(_type(one, preserve=preserve), one.get("default"))
        for name, one in properties.items()
    }
    more = schema.get("additionalProperties")
    element: Type | None = None
    if isinstance(more, dict):
        element = _type(more, preserve=preserve)
    elif more is True or (more is None and (preserve or not properties)):
        element = DEDUCED
    return MapType(members, element, atomic=schema.get("x-kubernetes-map-type") == "atomic")


def _list(schema: Tree, *, preserve: bool) -> ListType:
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind == "map" else ()
    item = schema.get("items")
    element = _type(item, preserve=preserve) if isinstance(item, dict) else DEDUCED
    return ListType(element, kind in {"set", "map"}, keys)


def pruned(value: Json, schema: Mapping[str, Json], path: str, unknown: list[str]) -> Json:
    """Give the value without what its schema does not have; name that in `unknown`."""
    if isinstance(value, dict):
        return _pruned_map(value, schema, path, unknown)
    if isinstance(value, list):
        item = schema.get("items")
        if not isinstance(item, dict):
            return value
        numbered = enumerate(value)
        return [pruned(one, item, f"{path}[{index}]", unknown) for index, one in numbered]
    return value


def _pruned_map(value: Tree, schema: Mapping[str, Json], path: str, unknown: list[str]) -> Tree:
    properties, more = child(schema, "properties"), schema.get("additionalProperties")
    preserve = schema.get(PRESERVE) is True or more is True
    kept: Tree = {}
    for name, one in value.items():
        where = f"{path}.{name}" if path else name
        if not path and name in _ENVELOPE:
            kept[name] = one
        elif name in properties:
            kept[name] = pruned(one, properties[name], where, unknown)
        elif isinstance(more, dict):
            kept[name] = pruned(one, more, where, unknown)
        elif preserve:
            kept[name] = one
        else:
            unknown.append(where)
    return kept


def drop_nulls(value: Json, schema: Mapping[str, Json] | None) -> None:
    """Drop the nulls that are not allowed and have no default (defaulting/prunenulls.go)."""
    if isinstance(value, dict):
        for name in list(value):
            inner = _of_field(name, schema)
            is_dropped = value[name] is None and inner is not None and not _may_be_null(inner)
            if is_dropped and inner is not None and inner.get("default") is None:
                del value[name]
            else:
                drop_nulls(value[name], inner)
    elif isinstance(value, list):
        item = schema.get("items") if schema else None
        for one in value:
            drop_nulls(one, item if isinstance(item, dict) else None)


def _of_field(name: str, schema: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    if schema is None:
        return None
    more = schema.get("additionalProperties")
    found = child(schema, "properties").get(name, more)
    return found if isinstance(found, dict) else None


def _may_be_null(schema: Mapping[str, Json]) -> bool:
    return schema.get("nullable") is True


def fill_in(value: Json, schema: Mapping[str, Json]) -> None:
    """Fill in a schema's defaults; a null that is not allowed counts as left out."""
    if isinstance(value, dict):
        for name, one in child(schema, "properties").items():
            if "default" in one and (name not in value or _is_wrong_null(value[name], one)):
                value[name] = copied(one["default"])
        for name in value:
            inner = _of_field(name, schema)
            if inner is not None:
                value[name] = _filled_in(value[name], inner)
    elif isinstance(value, list) and isinstance(item := schema.get("items"), dict):
        value[:] = [_filled_in(one, item) for one in value]


def _filled_in(value: Json, schema: Mapping[str, Json]) -> Json:
    if _is_wrong_null(value, schema):
        value = copied(schema.get("default"))
    fill_in(value, schema)
    return value


def _is_wrong_null(value: Json, schema: Mapping[str, Json]) -> bool:
    return value is None and not _may_be_null(schema)
