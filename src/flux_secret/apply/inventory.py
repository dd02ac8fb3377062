"""What a target owns in the cluster ⇄ a ConfigMap, which is an ApplySet parent (KEP-3659).

The list in it decides about ownership; the ApplySet's labels and annotations are followed so that
`kubectl` and people see the same set, and nothing depends on them.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret import __version__
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.manifest import HOLDS_NOTHING, Holds
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import encoded, items, mapping, text, text_map

SCHEMA: Final = 1
LABEL: Final = "flux-secret.io/inventory"
"""On every inventory of ours; its value is the schema."""
HOLDER: Final = "flux-secret.io/delivered-by"
"""Which delivery of which agent wrote objects last: new for each (ADR 0021)."""
ID_LABEL: Final = "applyset.kubernetes.io/id"
_UNREADABLE: Final = re.compile(r"[^a-z0-9]+")
_PLAIN: Final = "inventory.json"
_PACKED: Final = "inventory.json.gz"
KIB: Final = 1024
MAX_PLAIN: Final = 256 * KIB  # bytes; larger lists are packed
MAX_PACKED: Final = 700 * KIB  # bytes; base64 of it fits in a ConfigMap of 1 MiB
MAX_UNPACKED: Final = 32 * KIB * KIB  # bytes; what a damaged or hostile one may unpack to


@dataclass(frozen=True, slots=True, order=True)
class TargetId:
    """Which target: source without credentials, branch, path; an App's has its name, too."""

    source: str
    branch: str
    path: str
    app: str = ""
    """`NAMESPACE/NAME`."""

    @classmethod
    def of(cls, target: Target) -> TargetId:
        """Give a target's."""
        source = target.source
        if target.app:  # where it is delivered from may change, and it is the same App
            return cls("", "", "", target.app)
        return cls(str(source.url), source.branch, target.path)

    def is_home(self, key: ObjectKey) -> bool:
        """Whether an object is the Namespace that the App itself lies in: it was there before."""
        home = self.app.partition("/")[0]
        return bool(home) and key == ObjectKey("", "Namespace", "", home)

    @property
    def inventory_name(self) -> str:
        """The ConfigMap's name: readable, and the same for ever."""
        parts = (self.source, self.branch, self.path, *([self.app] if self.app else []))
        digest = hashlib.sha256("\0".join(parts).encode())
        readable = self.app or self.path
        short = _UNREADABLE.sub("-", readable.lower()).strip("-")[-40:].strip("-")
        return f"flux-secret-{short or 'root'}-{digest.hexdigest()[:10]}"

    def __str__(self) -> str:
        if self.app:
            return f"App {self.app}"
        return f"{self.path or '/'} of {self.source} ({self.branch})"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object; without `uid` it is an intent: written ahead, perhaps never created."""

    key: ObjectKey
    uid: str = ""
    adopted: bool = False
    """Whether it was there before us and was taken over openly."""
    digest: str = ""
    """Keyed digest of what was applied."""
    fields: str = ""
    """Digest of our own managedFields entry after that."""
    values: Mapping[str, str] | None = None
    """Keyed digest of each value of a Secret; None where they are not known."""
    holds: Holds = HOLDS_NOTHING
    """Names of the entries that the values of a Secret come from."""
    leaving: str | None = None
    """The account in whose name its App is about to remove it, `""` for our own; None: it stays."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A target's list, as it was read or is to be written."""

    target: TargetId
    namespace: str
    entries: Mapping[ObjectKey, Entry] = field(default_factory=dict)
    revision: str = ""
    """What was delivered when the list last changed."""
    uid: str = ""
    resource_version: str = ""
    """Empty when there is no ConfigMap yet."""
    holder: str = ""
    """The delivery that wrote objects last."""

    @property
    def applyset(self) -> str:
        """The ApplySet's id: KEP-3659's `applyset-<base64url(sha256(name.ns.kind.group))>-v1`."""
        parts = f"{self.target.inventory_name}.{self.namespace}.ConfigMap."  # its group is empty
        digest = base64.urlsafe_b64encode(hashlib.sha256(parts.encode()).digest())
        return f"applyset-{digest.decode().rstrip('=')}-v1"

    def to_body(self) -> bytes:
        """Give the ConfigMap's JSON; raise `ConfigurationError` when the list is too long."""
        kinds = {f"{k.kind}.{k.group}" if k.group else k.kind for k in self.entries}
        namespaces = {key.namespace for key in self.entries} - {self.namespace, ""}
        metadata: dict[str, Json] = {
            "name": self.target.inventory_name,
            "namespace": self.namespace,
            "labels": {ID_LABEL: self.applyset, LABEL: f"v{SCHEMA}"},
            "annotations": {
                "applyset.kubernetes.io/tooling": f"flux-secret/v{__version__}",
                "applyset.kubernetes.io/contains-group-kinds": ",".join(sorted(kinds)),
                "applyset.kubernetes.io/additional-namespaces": ",".join(sorted(namespaces)),
            },
        }
        if self.holder:
            metadata["annotations"] = {**mapping(metadata, "annotations"), HOLDER: self.holder}
        if self.resource_version:
            metadata |= {"uid": self.uid, "resourceVersion": self.resource_version}
        listed = encoded(self._tree())
        content: dict[str, Json] = {"data": {_PLAIN: listed.decode()}}
        if len(listed) > MAX_PLAIN:
            packed = gzip.compress(listed, mtime=0)
            if len(packed) > MAX_PACKED:
                raise ConfigurationError(
                    f"the target {self.target} has {len(self.entries)} objects, more than one "
                    "inventory can list",
                    remedy="split it: give several --git-path",
                )
            content = {"binaryData": {_PACKED: base64.b64encode(packed).decode()}}
        return encoded({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content})

    def _tree(self) -> Json:
        return {
            "schema": SCHEMA,
            "target": {
                "source": self.target.source,
                "branch": self.target.branch,
                "path": self.target.path,
                **({"app": self.target.app} if self.target.app else {}),
            },
            "revision": self.revision,
            "objects": [
                {
                    "group": key.group,
                    "kind": key.kind,
                    "namespace": key.namespace,
                    "name": key.name,
                    "uid": entry.uid,
                    "adopted": entry.adopted,
                    "digest": entry.digest,
                    "fields": entry.fields,
                    **({} if entry.values is None else {"values": dict(entry.values)}),
                    **({"entries": [*entry.holds.entries]} if entry.holds.entries else {}),
                    **({"perhaps": [*entry.holds.perhaps]} if entry.holds.perhaps else {}),
                    **({} if entry.leaving is None else {"leaving": entry.leaving}),
                }
                for key, entry in sorted(self.entries.items())
            ],
        }


def read_inventory(config_map: Json) -> Inventory:
    """Parse a ConfigMap; raise `IntegrityError` when it is not what we wrote."""
    metadata = ("metadata",)
    name, namespace = text(config_map, *metadata, "name"), text(config_map, *metadata, "namespace")
    tree = _unpacked(config_map)
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        raise _damaged(namespace, name, "its list cannot be read")
    target = TargetId(*(text(tree, "target", part) for part in ("source", "branch", "path", "app")))
    if target.inventory_name != name:
        raise _damaged(namespace, name, "it is a copy: its name is another target's")
    listed = tree.get("objects")
    entries = list(_entries(tree))
    if not isinstance(listed, list) or len(listed) != len({entry.key for entry in entries}):
        raise _damaged(namespace, name, "an object in its list has no name, or stands twice")
    return Inventory(
        target,
        namespace,
        {entry.key: entry for entry in entries},
        text(tree, "revision"),
        text(config_map, *metadata, "uid"),
        text(config_map, *metadata, "resourceVersion"),
        text(config_map, *metadata, "annotations", HOLDER),
    )


def _entries(tree: Json) -> Iterable[Entry]:
    for item in items(tree, "objects"):
        names = (text(item, part) for part in ("group", "kind", "namespace", "name"))
        key = ObjectKey(*names)
        if key.kind and key.name:
            yield Entry(
                key,
                text(item, "uid"),
                item.get("adopted") is True,
                text(item, "digest"),
                text(item, "fields"),
                text_map(item, "values") if "values" in item else None,
                Holds(_names(item, "entries"), _names(item, "perhaps")),
                text(item, "leaving") if "leaving" in item else None,
            )


def _names(item: Mapping[str, Json], field: str) -> tuple[str, ...]:
    found = item.get(field)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _unpacked(config_map: Json) -> Json:
    plain = text(config_map, "data", _PLAIN)
    packed = text(config_map, "binaryData", _PACKED)
    try:
        untrusted = plain.encode()
        if packed and not plain:
            inflate = zlib.decompressobj(wbits=31)  # gzip's own header
            untrusted = inflate.decompress(base64.b64decode(packed, validate=True), MAX_UNPACKED)
            if not inflate.eof:
                return None
        tree: Json = json.loads(untrusted)
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        return None
    return tree


def _damaged(namespace: str, name: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"the inventory configmap/{name} in {namespace} is damaged: {why}",
        remedy="nothing is written or pruned for its target; restore it from a backup, or delete "
        "it and deliver once with --adopt-existing",
    )
