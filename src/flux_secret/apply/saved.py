"""A live object's JSON → a document that can be kept in git and applied again.

What only a live object has is left out, as `kubectl` and Flux v1 leave it out; so are the labels
and annotations by which we and Flux v1 know our own, since a manifest that carries another's mark
is never collected (facts: flux-v1 §2.5).

`fluxctl save` keeps `apiVersion`, `kind`, `metadata` and `spec` of what it is given and drops the
rest (cmd/fluxctl/save_cmd.go). So only kinds are given that consist of these: a ConfigMap would
come out empty, and applied again it would empty the live one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from flux_secret.apply.payload import LAST_APPLIED, PART_OF
from flux_secret.model.flux_v1 import CHECKSUM, MARK
from flux_secret.model.names import ObjectKey
from flux_secret.model.workload import is_workload
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import mapping, text_map

_NAMESPACE: Final = ("", "Namespace")
_DROPPED: Final = frozenset(
    {
        CHECKSUM,
        LAST_APPLIED,
        MARK,
        PART_OF,
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "kubernetes.io/change-cause",
        "kubernetes.io/metadata.name",
    }
)
_ESCAPED: Final = re.compile(  # what a YAML 1.1 reader refuses, or takes for the end of a line
    "[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def may_be_saved(key: ObjectKey) -> bool:
    """Whether it is one of those that Flux v1 exports: a Namespace or a workload."""
    return is_workload(key) or (key.group, key.kind) == _NAMESPACE


def place(key: ObjectKey) -> tuple[str, bool, str, str]:
    """Sort by this: each Namespace before what is in it."""
    return key.namespace or key.name, bool(key.namespace), key.kind, key.name


def document(tree: Mapping[str, Json]) -> bytes:
    """Give the object as a YAML document; JSON is YAML, and what fluxctl prints is its own."""
    metadata = mapping(tree, "metadata")
    kept: dict[str, Json] = {
        name: metadata[name] for name in ("name", "namespace") if name in metadata
    }
    for place in ("labels", "annotations"):
        pairs = text_map(metadata, place)
        if left := {name: value for name, value in pairs.items() if name not in _DROPPED}:
            kept[place] = left
    body: dict[str, Json] = {
        "apiVersion": tree.get("apiVersion"),
        "kind": tree.get("kind"),
        "metadata": kept,
    }
    if tree.get("kind") != "Namespace":  # its spec is a finalizer that the API server sets
        body["spec"] = _clean(tree.get("spec"))
    written = json.dumps(body, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return b"---\n" + _ESCAPED.sub(_by_number, written).encode() + b"\n"


def _clean(value: Json) -> Json:
    """Leave out what only templates of live objects have: a null timestamp, a claim's status."""
    if isinstance(value, Mapping):
        return {
            name: [_claim(one) for one in part]
            if name == "volumeClaimTemplates" and isinstance(part, Sequence)
            else _clean(part)
            for name, part in value.items()
            if not (name == "creationTimestamp" and part is None)
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_clean(one) for one in value]
    return value


def _claim(template: Json) -> Json:
    cleaned = _clean(template)
    if isinstance(cleaned, Mapping):
        return {name: part for name, part in cleaned.items() if name != "status"}
    return cleaned


def _by_number(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 -- YAML 1.1 §5.7
