"""A request's body → the object, the patch or the options that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flux_secret.embedded.codec import protobuf
from flux_secret.embedded.codec.body import Duplicates, read_json, read_object, read_yaml
from flux_secret.embedded.schema.shape import StructShape
from flux_secret.embedded.status import StatusError, bad_request, unsupported_media_type
from flux_secret.embedded.tree import Tree

_OBJECTS: Final = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)


def sent(
    untrusted: bytes, content_type: str, shape: StructShape | None, duplicates: Duplicates
) -> Tree:
    """Read an object; `shape` is that of a built-in kind. Raises `StatusError` 400, 415."""
    if content_type == protobuf.MEDIA_TYPE and shape is not None:
        try:
            return protobuf.read(untrusted, shape)
        except protobuf.ProtobufError as error:
            raise bad_request(f"error decoding protobuf: {error}") from error
    if content_type not in ("", *_OBJECTS):
        raise unsupported_media_type(_OBJECTS)
    return read_object(untrusted, duplicates)


def applied(untrusted: bytes, duplicates: Duplicates) -> Tree:
    """Read the configuration of a server-side apply; raise `StatusError` 400."""
    try:
        tree = read_json(untrusted, duplicates)
    except StatusError:
        duplicates.clear()
        tree = read_yaml(untrusted, duplicates)
    if not isinstance(tree, dict):
        raise bad_request("error decoding YAML: it is no object")
    return tree


def delete_options(untrusted: bytes, query: Mapping[str, str]) -> Tree:
    """Read DeleteOptions, from the body and from the query; raise `StatusError` 400."""
    body = read_object(untrusted) if untrusted.strip() else {}
    policy = query.get("propagationPolicy")
    return body | ({"propagationPolicy": policy} if policy else {})
