"""YAML stream → Manifests: one object a document, lists opened, secret values wrapped.

1. A document is a mapping with `apiVersion`, `kind` and `metadata.name`, or a list of such.
2. Scalars mean what kubectl makes of them, except where text is meant (`values.py`).
3. What sops has encrypted is no object.
4. In a core `Secret` the values under `data` and `stringData` are `Plaintext` from here on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import yaml

from flux_secret.errors import ManifestError
from flux_secret.generate import sops
from flux_secret.generate.values import Budget, Builder, is_built_in
from flux_secret.generate.yamltree import documents, is_null, line_of
from flux_secret.model.duplicate import within_target
from flux_secret.model.manifest import Manifest, Origin
from flux_secret.model.names import ObjectKey

MAX_OBJECTS: Final = 20_000  # of one stream
MAX_NESTED_LISTS: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,253}\Z")  # Flux's ids, facts: flux-v1 §1.5
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\Z")
_API_VERSION: Final = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[a-z0-9]{1,63}\Z")
_WHOLE: Final = "every object says apiVersion, kind and metadata.name"


def parse(text: bytes, source: str, config: str = "") -> Iterator[Manifest]:
    """Give the objects of a stream; raise `ManifestError` naming source, document and line.

    `config` is what names the `.flux.yaml` of a generated stream.
    """
    budget = Budget()
    count = 0
    for number, node in documents(text, source):
        origin = Origin(source, number, line_of(node), config)
        for manifest in _objects(node, origin, budget, 0):
            count += 1
            if count > MAX_OBJECTS:
                raise ManifestError(
                    f"{source}: more than {MAX_OBJECTS} objects",
                    remedy="make several targets of it",
                )
            yield manifest


def without_duplicates(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Refuse two definitions of one object, in Flux v1's words; the API group counts."""
    seen: dict[ObjectKey, Origin] = {}
    kept = []
    for manifest in manifests:
        first = seen.setdefault(manifest.key, manifest.origin)
        if first is not manifest.origin:
            raise within_target(manifest.key, first, manifest.origin)
        kept.append(manifest)
    return tuple(kept)


def _objects(node: yaml.Node, origin: Origin, budget: Budget, depth: int) -> Iterator[Manifest]:
    if not isinstance(node, yaml.MappingNode):
        raise ManifestError(
            f"{origin} is {'a list' if isinstance(node, yaml.SequenceNode) else 'text'}, "
            "not a Kubernetes object",
            remedy="a generator's standard output holds manifests only; send messages to stderr",
        )
    sops.refuse(node, origin)
    fields = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind, api_version = _text(fields.get("kind")), _text(fields.get("apiVersion"))
    if not _KIND.match(kind):
        # not shown: it may be a value that went astray
        problem = "a kind that is none" if kind else "no kind"
        raise ManifestError(f"{origin} has {problem}", remedy=_WHOLE)
    if not _API_VERSION.match(api_version):
        problem = "an apiVersion that is none" if api_version else "no apiVersion"
        raise ManifestError(f"{kind} in {origin} has {problem}", remedy=_WHOLE)
    items = fields.get("items")
    if _is_list(kind, api_version, items):
        if depth == MAX_NESTED_LISTS:
            raise ManifestError(
                f"{origin} holds lists in lists, more than {MAX_NESTED_LISTS} deep",
                remedy="write the objects one after the other, with --- between them",
            )
        for item in _items(items, origin):
            yield from _objects(item, replace(origin, line=line_of(item)), budget, depth + 1)
        return
    yield _manifest(Builder(kind, _group(api_version), origin, budget), node, kind, api_version)


def _items(items: yaml.Node | None, origin: Origin) -> list[yaml.Node]:
    """Give what a list holds; one without items, or with null, holds nothing."""
    if isinstance(items, yaml.SequenceNode):
        return list(items.value)
    if items is None or is_null(items):
        return []
    raise ManifestError(
        f"{origin} is a List whose items are no list", remedy="write them as a list"
    )


def _is_list(kind: str, api_version: str, items: yaml.Node | None) -> bool:
    """Whether this is a real list: not every kind that ends in "List" is (facts: flux-v1 §1.5)."""
    if kind == "List" and api_version == "v1":
        return True
    is_sequence = isinstance(items, yaml.SequenceNode)
    return is_sequence and kind.endswith("List") and is_built_in(_group(api_version))


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _manifest(builder: Builder, node: yaml.MappingNode, kind: str, api_version: str) -> Manifest:
    origin = builder.origin
    body = builder.mapping(node)
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping):
        raise ManifestError(f"{kind} in {origin} has no metadata", remedy=_WHOLE)
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    if not isinstance(name, str) or not _NAME.match(name):
        raise ManifestError(
            f"{kind} in {origin} has no usable metadata.name",
            remedy="give it a name; generateName is not for GitOps: each delivery would make one",
        )
    if not isinstance(namespace, str) or (namespace and not _NAME.match(namespace)):
        raise ManifestError(
            f"{kind} {name} in {origin} has an unusable metadata.namespace",
            remedy="quote it if it is a number, or leave it out",
        )
    return Manifest(
        ObjectKey(_group(api_version), kind, namespace, name), api_version, body, origin
    )


def _text(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
