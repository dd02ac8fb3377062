"""JSON of an object → what flux-secret wants to know of it: metadata, never a value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from flux_secret.outside.kubernetes.body import Json, items, mapping, text, text_map


@dataclass(frozen=True, slots=True)
class ManagedEntry:
    """One entry of `metadata.managedFields`: who owns which fields."""

    manager: str
    operation: str
    """`Apply` or `Update`."""
    subresource: str
    api_version: str
    fields: Mapping[str, Json]
    """FieldsV1: `{"f:spec": {"f:replicas": {}}}`."""
    time: str = ""
    """When it last changed, as the API server wrote it."""

    def to_json(self) -> Json:
        """Give the entry as it stands in an object."""
        entry: dict[str, Json] = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields,
        }
        if self.time:
            entry["time"] = self.time
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry

    @property
    def digest(self) -> str:
        """The same for equal fields; field names are no secret, so no key is needed."""
        canonical = json.dumps([self.api_version, self.fields], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class LiveObject:
    """The metadata of an object that exists."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    managed: tuple[ManagedEntry, ...]
    is_going: bool = False
    """Whether it has a deletionTimestamp."""
    is_owned: bool = False
    """Whether another object owns it, as a ReplicaSet owns its pods."""
    created: str = ""
    """When it was made, as the API server wrote it: RFC 3339 in UTC, whole seconds."""

    @classmethod
    def parse(cls, tree: Json) -> LiveObject:
        """Read an object, or the `PartialObjectMetadata` of one."""
        meta = mapping(tree, "metadata")
        return cls(
            name=text(meta, "name"),
            namespace=text(meta, "namespace"),
            uid=text(meta, "uid"),
            resource_version=text(meta, "resourceVersion"),
            labels=text_map(meta, "labels"),
            annotations=text_map(meta, "annotations"),
            managed=tuple(
                ManagedEntry(
                    manager=text(entry, "manager"),
                    operation=text(entry, "operation"),
                    subresource=text(entry, "subresource"),
                    api_version=text(entry, "apiVersion"),
                    fields=mapping(entry, "fieldsV1"),
                    time=text(entry, "time"),
                )
                for entry in items(meta, "managedFields")
            ),
            is_going="deletionTimestamp" in meta,
            is_owned=any(items(meta, "ownerReferences")),
            created=text(meta, "creationTimestamp"),
        )

    def applied_by(self, manager: str) -> ManagedEntry | None:
        """Give the entry of a server-side applier; None when it owns nothing here."""
        for entry in self.managed:
            if entry.manager == manager and entry.operation == "Apply" and not entry.subresource:
                return entry
        return None
