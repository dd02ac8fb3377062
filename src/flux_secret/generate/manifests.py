"""YAML stream → Manifests: one object a document, lists opened, secret values wrapped.

1. A document is a mapping with `apiVersion`, `kind` and `metadata.name`, or a list of such.
2. Scalars mean what kubectl makes of them, except where text is meant (`_is_text`).
3. In a core `Secret` the values under `data` and `stringData` are `Plaintext` from here on.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import yaml

from flux_secret.errors import ManifestError
from flux_secret.generate import scalars
from flux_secret.generate.yamltree import MAX_DEPTH, MAX_NODES, STRING, documents, line_of
from flux_secret.model.manifest import Manifest, Origin, Value
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext

MAX_OBJECTS: Final = 20_000  # of one stream
_TAG: Final = "tag:yaml.org,2002:"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,253}\Z")  # Flux's ids, facts: flux-v1 §1.5
_SECRET_VALUES: Final = frozenset({("data",), ("stringData",)})
_OWN_GROUPS: Final = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})


def parse(text: bytes, source: str) -> Iterator[Manifest]:
    """Give the objects of a stream; raise `ManifestError` naming source, document and line."""
    count = 0
    for number, node in documents(text, source):
        for manifest in _objects(node, Origin(source, number, line_of(node))):
            count += 1
            if count > MAX_OBJECTS:
                raise ManifestError(f"{source}: more than {MAX_OBJECTS} objects")
            yield manifest


def without_duplicates(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Refuse two definitions of one object, in Flux v1's words; the API group counts."""
    seen: dict[ObjectKey, Origin] = {}
    kept = []
    for manifest in manifests:
        before = seen.setdefault(manifest.key, manifest.origin)
        if before is not manifest.origin:
            key = manifest.key
            flux_id = f"{key.namespace or '<cluster>'}:{key.kind.lower()}/{key.name}"
            raise ManifestError(
                f"duplicate definition of '{flux_id}' (in {before} and {manifest.origin})",
                remedy="keep one of the two",
            )
        kept.append(manifest)
    return tuple(kept)


def _objects(node: yaml.Node, origin: Origin) -> Iterator[Manifest]:
    if not isinstance(node, yaml.MappingNode):
        raise ManifestError(
            f"{origin} is {'a list' if isinstance(node, yaml.SequenceNode) else 'text'}, "
            "not a Kubernetes object",
            remedy="a generator's standard output holds manifests only; send messages to stderr",
        )
    fields = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind, api_version = _text(fields.get("kind")), _text(fields.get("apiVersion"))
    if not kind:
        raise ManifestError(
            f"{origin} has no kind", remedy="every object says apiVersion, kind and metadata.name"
        )
    group = api_version.rpartition("/")[0]
    items = fields.get("items")
    if isinstance(items, yaml.SequenceNode) and _is_list(kind, group):
        for item in items.value:
            yield from _objects(item, Origin(origin.source, origin.document, line_of(item)))
        return
    yield _manifest(node, kind, api_version, origin)


def _is_list(kind: str, group: str) -> bool:
    """Whether this is a real list: not every kind that ends in "List" is (facts: flux-v1 §1.5)."""
    return kind == "List" or (kind.endswith("List") and _is_built_in(group))


def _is_built_in(group: str) -> bool:
    return group in _OWN_GROUPS or group.endswith(".k8s.io")


def _manifest(node: yaml.MappingNode, kind: str, api_version: str, origin: Origin) -> Manifest:
    group = api_version.rpartition("/")[0]
    body = _Builder(kind, group, origin).mapping(node, ())
    metadata = body.get("metadata")
    if not api_version or not isinstance(metadata, Mapping):
        raise ManifestError(
            f"{kind} in {origin} has no {'metadata' if api_version else 'apiVersion'}",
            remedy="every object says apiVersion, kind and metadata.name",
        )
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not _NAME.match(name):
        raise ManifestError(
            f"{kind} in {origin} has no usable metadata.name",
            remedy="give it a name; generateName is not for GitOps: each delivery would make one",
        )
    if not isinstance(namespace, str) or (namespace and not _NAME.match(namespace)):
        raise ManifestError(f"{kind} {name} in {origin} has an unusable metadata.namespace")
    return Manifest(ObjectKey(group, kind, namespace, name), api_version, body, origin)


def _text(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


class _Builder:
    """Turns the nodes of one object into values."""

    def __init__(self, kind: str, group: str, origin: Origin) -> None:
        self._is_secret = kind == "Secret" and group == ""
        self._is_config = kind == "ConfigMap" and group == ""
        self._is_built_in = _is_built_in(group)
        self._origin = origin
        self._nodes = 0

    def mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Value]:
        """Build a mapping; keys are always strings, and stand once."""
        built: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key is not a single value")
            key = key_node.value
            if key == "<<" and not key_node.style:
                merged = {**self._merged(value_node, path), **merged}
                continue
            if key in built:
                raise self._error(key_node, f"the key {self._name(path, key)} stands twice")
            built[key] = self._value(value_node, (*path, key))
        return {**merged, **built}

    def _name(self, path: tuple[str, ...], key: str) -> str:
        """Name a key, unless it may be a value that went astray."""
        return repr(".".join((*path, key))) if re.fullmatch(r"[\w./-]{1,63}", key) else "here"

    def _merged(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, Value]:
        """Expand `<<` (YAML 1.1 merge keys); the first of several wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Value] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(node, "`<<` merges something that is no mapping")
            merged = {**self.mapping(source, path), **merged}
        return merged

    def _value(self, node: yaml.Node, path: tuple[str, ...]) -> Value:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise self._error(node, f"more than {MAX_NODES} values or {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, "[]")) for item in node.value]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        raise self._error(node, "a value is neither a mapping, a list nor a scalar")

    def _scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> Value:
        secret = self._is_secret and path[:-1] in _SECRET_VALUES
        plain = not node.style and node.tag == STRING
        if plain and scalars.is_null(node.value):
            return None
        if secret:
            return Plaintext(self._tagged_text(node).encode())
        if plain and not self._is_text(path):
            try:
                return scalars.plain(node.value)
            except ValueError:
                raise self._error(node, "a number is infinite or none") from None
        return self._tagged(node)

    def _is_text(self, path: tuple[str, ...]) -> bool:
        """Whether the API wants text here, so that `on` or `0400` keeps its letters."""
        if self._is_config and path[:-1] == ("data",):
            return True
        if path[-3:-1] in {("metadata", "labels"), ("metadata", "annotations")}:
            return self._is_built_in or len(path) == 3  # noqa: PLR2004 -- the object's own metadata
        return self._is_built_in and path[-3:] == ("env", "[]", "value")

    def _tagged_text(self, node: yaml.ScalarNode) -> str:
        value = self._tagged(node)
        return value if isinstance(value, str) else str(node.value)

    def _tagged(self, node: yaml.ScalarNode) -> bool | int | float | str | None:
        """Give a quoted scalar, or one with a tag of its own (`!!str`, `!!binary`, …)."""
        match node.tag.removeprefix(_TAG):
            case "str":
                return str(node.value)
            case "int" | "float" | "bool" | "null":
                return scalars.plain(str(node.value))
            case "binary":
                try:
                    return base64.b64decode(node.value, validate=False).decode()
                except (binascii.Error, UnicodeDecodeError):
                    raise self._error(node, "a !!binary value is not base64 of text") from None
            case _:
                raise self._error(node, "a value has a tag that Kubernetes does not know")

    def _error(self, node: yaml.Node, problem: str) -> ManifestError:
        origin = self._origin
        return ManifestError(
            f"{origin.source}: document {origin.document}, line {line_of(node)}: {problem}",
            remedy="mend that line",
        )
