"""BundleItem → the bytes that are applied: cleaned, labelled, a Secret's values encoded last.

What only a live object has is left out (status, uid, resourceVersion, managedFields, timestamps),
and kubectl's `last-applied-configuration`, which holds every value of a Secret in clear.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from flux_secret.errors import BugError
from flux_secret.model.manifest import BundleItem, Value
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import MASK, Plaintext
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import encoded, mapping

PART_OF: Final = "applyset.kubernetes.io/part-of"
"""KEP-3659's member label; its value is the id of our inventory."""
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_OF_LIVE_OBJECTS: Final = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "selfLink", "namespace", "name"}
)


def body_of(item: BundleItem, key: ObjectKey, applyset: str) -> Mapping[str, Json]:
    """Give the object to apply, without a Secret's `data`; `key` has its namespace."""
    body = _clean(item.manifest.body)
    body.pop("status", None)
    metadata = {
        name: value
        for name, value in mapping(body, "metadata").items()
        if name not in _OF_LIVE_OBJECTS
    }
    metadata["name"] = key.name
    if key.namespace:
        metadata["namespace"] = key.namespace
    annotations = {
        name: value
        for name, value in mapping(metadata, "annotations").items()
        if name != LAST_APPLIED
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    metadata["labels"] = {**mapping(metadata, "labels"), PART_OF: applyset}
    return {
        **body,
        "apiVersion": item.manifest.api_version,
        "kind": key.kind,
        "metadata": metadata,
    }


def masked(body: Mapping[str, Json], values: Mapping[str, Plaintext]) -> Mapping[str, Json]:
    """Give the object's shape, with `***` for each value of a Secret."""
    return {**body, "data": dict.fromkeys(values, MASK)} if values else body


def to_bytes(
    body: Mapping[str, Json],
    values: Mapping[str, Plaintext],
    uid: str | None = None,
    version: str = "",
) -> Plaintext:
    """Give the JSON to send.

    `uid` makes the API server refuse another object of that name, `version` another version of it.
    """
    if uid is not None:
        named = {"uid": uid} | ({"resourceVersion": version} if version else {})
        body = {**body, "metadata": {**mapping(body, "metadata"), **named}}
    if values:
        data = {name: base64.b64encode(value.reveal()).decode() for name, value in values.items()}
        body = {**body, "data": data}
    return Plaintext(encoded(body))


def _clean(value: Mapping[str, Value]) -> dict[str, Json]:
    return {
        name: _json(item)
        for name, item in value.items()
        if not (name == "creationTimestamp" and item is None)  # generators print it (walkthrough)
    }


def _json(value: Value) -> Json:
    if isinstance(value, Plaintext):
        raise BugError("a secret's value stands outside a Secret's data")
    if isinstance(value, Mapping):
        return _clean(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(item) for item in value]
    return value
