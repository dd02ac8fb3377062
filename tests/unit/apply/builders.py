"""Short ways to make what the apply room works on."""

from __future__ import annotations

from collections.abc import Mapping

from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.payload import PART_OF
from flux_secret.model.manifest import BundleItem, Manifest, Origin, Value
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import FIELD_MANAGER, Json, LiveObject, ManagedEntry, ServedKind

TARGET = TargetId("ssh://git@example.org/ops", "main", "demo/overlay/dev")
CONFIG_MAPS = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
NAMESPACES = ServedKind("", "v1", "Namespace", "namespaces", namespaced=False)
SECRETS = ServedKind("", "v1", "Secret", "secrets", namespaced=True)
DEPLOYMENTS = ServedKind("apps", "v1", "Deployment", "deployments", namespaced=True)
ORIGIN = Origin("demo.yaml")
C = ObjectKey("", "ConfigMap", "demo", "c")


def item(
    kind: str,
    name: str,
    namespace: str = "",
    api_version: str = "v1",
    values: Mapping[str, bytes] | None = None,
    **body: Value,
) -> BundleItem:
    key = ObjectKey(api_version.rpartition("/")[0], kind, namespace, name)
    tree: dict[str, Value] = {"apiVersion": api_version, "kind": kind, **body}
    tree.setdefault("metadata", {"name": name})
    secret = {name: Plaintext(value) for name, value in (values or {}).items()}
    return BundleItem(Manifest(key, api_version, tree, ORIGIN), secret)


def entry(
    fields: Mapping[str, Json], manager: str = FIELD_MANAGER, subresource: str = ""
) -> ManagedEntry:
    operation = "Apply" if manager == FIELD_MANAGER else "Update"
    return ManagedEntry(manager, operation, subresource, "v1", fields)


def live(*managed: ManagedEntry, uid: str = "uid-1", **details: object) -> LiveObject:
    labels = details.get("labels", {PART_OF: Inventory(TARGET, "flux").applyset})
    annotations = details.get("annotations", {})
    assert isinstance(labels, dict)
    assert isinstance(annotations, dict)
    return LiveObject(
        "c", "demo", uid, "7", labels, annotations, managed, bool(details.get("is_going"))
    )


def inventory(*entries: Entry) -> Inventory:
    return Inventory(TARGET, "flux", {one.key: one for one in entries})
