"""Bundle + what is served → objects with their full names, or why one cannot have one.

1. A kind's scope is known from discovery, or from a CustomResourceDefinition of the same bundle.
2. A namespaced object without a namespace gets the target's; a cluster-scoped one loses its own.
3. Two manifests that are one object after that are an error of the whole bundle.
4. A kind that nobody knows has no scope: the object is left out, as by Flux v1 (facts: flux-v1
   §1.7), counts as wanted under every name it may have, and is looked for again at the next try.
5. A kind of another version, or of an API that does not answer, fails alone (design decision 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.apply.payload import body_of
from flux_secret.errors import FluxSecretError, RejectedError, UnknownKindError
from flux_secret.model.duplicate import within_target
from flux_secret.model.manifest import HOLDS_NOTHING, Bundle, BundleItem, Holds, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import Json, Kinds, ServedKind, crd_kinds

CRD_GROUP: Final = "apiextensions.k8s.io"
CRD_KIND: Final = "CustomResourceDefinition"
_PATH_SEGMENT: Final = re.compile(r"(?!\.{1,2}\Z)[^/%\x00-\x20\x7f]{1,253}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object as it is to be."""

    key: ObjectKey
    kind: ServedKind
    body: Mapping[str, Json]
    """Without a Secret's `data`."""
    values: Mapping[str, Plaintext]
    origin: str
    holds: Holds = HOLDS_NOTHING
    """Which entries the values of a Secret come from."""
    awaited: bool = False
    """Whether the kind is served only once a CRD of the same bundle is established."""

    @property
    def is_crd(self) -> bool:
        """Whether it makes other kinds possible."""
        return (self.key.group, self.key.kind) == (CRD_GROUP, CRD_KIND)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why nobody knows whether an object lies in a namespace."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An object that cannot have a full name, or no place to go to."""

    key: ObjectKey
    error: FluxSecretError
    origin: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The bundle, each object with its full name."""

    wanted: tuple[Wanted, ...]
    failed: tuple[Unplaced, ...]
    left_out: tuple[tuple[ObjectKey, LeftOut], ...]
    """Objects whose scope is not known, and why."""

    origins: Mapping[ObjectKey, Origin]
    """Every object the target wants, also those that cannot be applied now, and who says so.

    One whose kind is unknown, and so its scope, counts under every name it may have.
    """


def place(bundle: Bundle, kinds: Kinds, default_namespace: str, applyset: str) -> Placed:
    """Name every object fully; raise `ManifestError` when two are the same."""
    coming = [
        kind
        for item in bundle.items
        if (item.key.group, item.key.kind) == (CRD_GROUP, CRD_KIND)
        for kind in crd_kinds(body_of(item, item.key, applyset))
    ]
    wanted: dict[ObjectKey, Wanted] = {}
    failed: list[Unplaced] = []
    left_out: list[tuple[ObjectKey, LeftOut]] = []
    origins: dict[ObjectKey, Origin] = {}
    for item in bundle.items:
        found = _kind(item, kinds, coming, default_namespace)
        origin = str(item.manifest.origin)
        if isinstance(found, FluxSecretError | LeftOut):
            if isinstance(found, LeftOut):
                left_out.append((item.key, found))
            else:
                failed.append(Unplaced(item.key, found, origin))
            spaces = (item.key.namespace, item.key.namespace or default_namespace, "")
            named = (replace(item.key, namespace=namespace) for namespace in spaces)
            origins |= dict.fromkeys(named, item.manifest.origin)
            continue
        kind, awaited = found
        namespace = (item.key.namespace or default_namespace) if kind.namespaced else ""
        key = replace(item.key, namespace=namespace)
        if key in wanted:
            raise within_target(key, origins[key], item.manifest.origin)
        origins[key], body = item.manifest.origin, body_of(item, key, applyset)
        wanted[key] = Wanted(key, kind, body, item.secret_data, origin, item.holds, awaited=awaited)
    return Placed(tuple(wanted.values()), tuple(failed), tuple(left_out), origins)


def _kind(
    item: BundleItem, kinds: Kinds, coming: Iterable[ServedKind], default_namespace: str
) -> tuple[ServedKind, bool] | FluxSecretError | LeftOut:
    key, api_version = item.key, item.manifest.api_version
    named = (
        key.name,
        key.namespace or default_namespace,
        key.kind,
        api_version.replace("/", "", 1),
    )
    if not all(part.isprintable() and _PATH_SEGMENT.fullmatch(part) for part in named):
        return RejectedError(
            f"{key.long!r} is no name of an object",
            remedy="use letters, digits, '-' and '.'",
        )
    version = api_version.rpartition("/")[2]
    if served := kinds.find(key.group, version, key.kind):
        return served, False
    for kind in coming:
        if (kind.group, kind.version, kind.kind) == (key.group, version, key.kind):
            return kind, True
    if (key.group, version) in kinds.failing:
        return UnknownKindError(
            f"{key.long}: the API {api_version} is registered but does not answer now",
            remedy=f"see why: kubectl describe apiservice {version}.{key.group}",
        )
    reason = f"the API server serves no {key.kind} of {api_version}"
    other = kinds.any_version(key.group, key.kind)
    if other is None:
        return LeftOut(f"{reason} ({item.manifest.origin})")
    return UnknownKindError(
        f"{key.long}: {reason}", remedy=f"it serves {other.api_version}: change apiVersion"
    )
