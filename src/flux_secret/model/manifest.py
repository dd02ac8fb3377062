"""Manifests and bundles: what generation gave, before and after values are filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext

Value: TypeAlias = (
    "bool | int | float | str | Plaintext | Sequence[Value] | Mapping[str, Value] | None"
)
"""A YAML value; in a `Secret`, the scalars under `data` and `stringData` are `Plaintext`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a manifest came from: file or command, document in its stream, first line."""

    source: str
    """`demo/base/service.yaml`, or `demo/overlay/dev/.flux.yaml: ./secrets.yaml.sh`."""
    document: int = 1
    """Counts from 1."""
    line: int | None = None
    """First line of the document in its source, counted from 1; None when unknown."""
    config: str = ""
    """`demo/overlay/../.flux.yaml`, as Flux v1 names who generated it; empty for a file."""

    def __str__(self) -> str:
        where = f"{self.source}, document {self.document}"
        return where if self.line is None else f"{where}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as the repository wants it."""

    key: ObjectKey
    api_version: str
    """`v1`, `apps/v1`: as the manifest says it; its group is `key.group`."""
    body: Mapping[str, Value]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Manifests:
    """What generation gave for one target, in the order of the stream."""

    items: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class Holds:
    """Which entries of stores a Secret holds values of; names, never a value."""

    entries: tuple[str, ...] = ()
    """Those whose value was seen in it, sorted."""
    perhaps: tuple[str, ...] = ()
    """Those that were read for the same target and seen in no Secret, sorted; `*` for more."""


HOLDS_NOTHING: Final = Holds()


@dataclass(frozen=True, slots=True)
class BundleItem:
    """A manifest ready to be applied: no reference left, for a Secret every value as bytes."""

    manifest: Manifest
    secret_data: Mapping[str, Plaintext] = field(default_factory=dict)
    """For `kind: Secret`: key → bytes (not base64), with `stringData` folded in; else empty.

    `manifest.body` of a Secret has neither `data` nor `stringData` any more.
    """
    holds: Holds = HOLDS_NOTHING
    """Where a Secret's values come from."""

    @property
    def key(self) -> ObjectKey:
        """The object's name."""
        return self.manifest.key


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything one target wants in the cluster, values filled in."""

    items: tuple[BundleItem, ...]
