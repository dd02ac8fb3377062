"""The rules of Namespace, Secret, ConfigMap and the other plain kinds of core/v1."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.merge.fields import EMPTY, FieldSet
from flux_secret.embedded.rules import names, problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, equal, mappings, text

MOST_DATA_BYTES: Final = 1024 * 1024
NAME_LABEL: Final = "kubernetes.io/metadata.name"
_NEEDED_KEYS: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_BASIC_AUTH: Final = "kubernetes.io/basic-auth"
_ACCOUNT_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type's name
_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
_IMMUTABLE: Final = "field is immutable when `immutable` is set"


class NamespaceRule(Rule):
    """Namespaces are active at once and keep the finalizer that empties them."""

    updates_unconditionally = True

    def name_problems(self, name: str) -> list[str]:
        """Ask for an RFC 1123 label: namespaces are part of DNS names."""
        return names.label(name)

    def default(self, tree: Tree) -> None:
        """Label it with its name."""
        name = text(tree, "metadata", "name")
        if name and NAME_LABEL not in child(tree, "metadata", "labels"):
            labels = tree["metadata"].setdefault("labels", {})
            labels[NAME_LABEL] = name

    def prepare_create(self, tree: Tree) -> None:
        """Activate it."""
        tree["status"] = {"phase": "Active"}
        finalizers = child(tree, "spec").get("finalizers") or []
        if "kubernetes" not in finalizers:
            tree["spec"] = {**child(tree, "spec"), "finalizers": [*finalizers, "kubernetes"]}

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Keep the finalizers: they change through `/finalize` only."""
        super().prepare_update(new, old)
        new["spec"] = old.get("spec", {})

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check that the label says its name."""
        name = text(tree, "metadata", "name")
        found = text(tree, "metadata", "labels", NAME_LABEL)
        if name and found != name:
            field = f"metadata.labels[{NAME_LABEL}]"
            yield problem.invalid(field, found, f"must be {name}")


class _DataRule(Rule):
    """What Secret and ConfigMap share."""

    data_fields: tuple[str, ...] = ("data",)

    @property
    def ignored(self) -> FieldSet:
        """Everything can be owned."""
        return EMPTY

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Find keys that are none, keys that stand twice, too much data."""
        size, seen = 0, set[str]()
        for field in self.data_fields:
            for key, value in child(tree, field).items():
                where = f"{field}[{key}]"
                yield from (problem.invalid(where, key, why) for why in names.config_key(key))
                if key in seen:
                    yield problem.invalid(where, key, "duplicate of key present in data")
                seen.add(key)
                size += self._size(field, value)
        if size > MOST_DATA_BYTES:
            yield problem.too_long(self._sized, MOST_DATA_BYTES)

    _sized = "data"

    def _size(self, field: str, value: str) -> int:
        del field
        return len(value.encode())

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change immutable data."""
        if old.get("immutable"):
            if not new.get("immutable"):
                yield problem.forbidden("immutable", _IMMUTABLE)
            for field in self.data_fields:
                if not equal(child(new, field), child(old, field)):
                    yield problem.forbidden(field, _IMMUTABLE)
        yield from self.problems(new)


class ConfigMapRule(_DataRule):
    """ConfigMaps hold text and bytes."""

    data_fields = ("data", "binaryData")
    _sized = "[]"  # as the real one names the whole

    def _size(self, field: str, value: str) -> int:
        return len(base64.b64decode(value)) if field == "binaryData" else len(value.encode())


class SecretRule(_DataRule):
    """Secrets hold bytes; `stringData` is a way to write them."""

    def default(self, tree: Tree) -> None:
        """Opaque unless it says something else."""
        tree.setdefault("type", "Opaque")

    def fold(self, tree: Tree) -> None:
        """`stringData` into `data` (Convert_v1_Secret_To_core_Secret)."""
        written = tree.pop("stringData", None)
        if written:
            data = tree.setdefault("data", {})
            for key, value in written.items():
                data[key] = base64.b64encode(value.encode()).decode()

    def _size(self, field: str, value: str) -> int:
        del field
        return len(base64.b64decode(value))

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check for what its type asks for."""
        yield from super().problems(tree)
        kind, data = text(tree, "type"), child(tree, "data")
        for key in _NEEDED_KEYS.get(kind, ()):
            if key not in data:
                yield problem.required(f"data[{key}]")
        if kind == _BASIC_AUTH and not {"username", "password"} & data.keys():
            yield problem.required("data[username]")
            yield problem.required("data[password]")
        if kind == _ACCOUNT_TOKEN and not text(tree, "metadata", "annotations", _ACCOUNT_NAME):
            yield problem.required(f"metadata.annotations[{_ACCOUNT_NAME}]")

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change its type."""
        if new.get("type") != old.get("type"):
            yield problem.invalid("type", new.get("type"), "field is immutable")
        yield from super().update_problems(new, old)


class EventRule(Rule):
    """Events are no objects that people keep."""

    creates_on_update = True


class EndpointsRule(Rule):
    """Ports are TCP unless they say something else."""

    creates_on_update = True

    def default(self, tree: Tree) -> None:
        """TCP."""
        for subset in tree.get("subsets") or []:
            for port in subset.get("ports") or []:
                port.setdefault("protocol", "TCP")


class ClaimRule(Rule):
    """PersistentVolumeClaims wait for a volume, which none brings here."""

    answers_deleted = True
    protection = "kubernetes.io/pvc-protection"

    def default(self, tree: Tree) -> None:
        """Pending, a file system."""
        tree.setdefault("status", {}).setdefault("phase", "Pending")
        tree.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")

    def prepare_create(self, tree: Tree) -> None:
        """Leave it pending, and protected (admission StorageObjectInUseProtection)."""
        tree["status"] = {"phase": "Pending"}
        finalizers = tree["metadata"].setdefault("finalizers", [])
        if self.protection not in finalizers:
            finalizers.append(self.protection)


class VolumeRule(ClaimRule):
    """PersistentVolumes wait for their controller."""

    protection = "kubernetes.io/pv-protection"

    def default(self, tree: Tree) -> None:
        """Pending, a file system, retained."""
        super().default(tree)
        tree["spec"].setdefault("persistentVolumeReclaimPolicy", "Retain")


class LimitRangeRule(Rule):
    """Limits that were left out follow from those that were not."""

    creates_on_update = True

    def default(self, tree: Tree) -> None:
        """core/v1/defaults.go SetDefaults_LimitRangeItem."""
        for limit in mappings(tree, "spec", "limits"):
            if limit.get("type") != "Container":
                continue
            default = {**child(limit, "max"), **child(limit, "default")}
            request = {**child(limit, "min"), **default, **child(limit, "defaultRequest")}
            if default:
                limit["default"] = default
            if request:
                limit["defaultRequest"] = request


class UpsertRule(Rule):
    """Kinds that a PUT may create (AllowCreateOnUpdate)."""

    creates_on_update = True


class PathNamedRule(UpsertRule):
    """RBAC: names are anything that can stand in a URL."""

    def name_problems(self, name: str) -> list[str]:
        """Ask for a segment of a path."""
        return names.path_segment(name)


class BindingRule(PathNamedRule):
    """RoleBindings and ClusterRoleBindings."""

    def default(self, tree: Tree) -> None:
        """Name the API groups (rbac/v1/defaults.go)."""
        rbac = "rbac.authorization.k8s.io"
        role = child(tree, "roleRef")
        if role and not role.get("apiGroup"):
            role["apiGroup"] = rbac
        for subject in tree.get("subjects") or []:
            if subject.get("kind") in {"User", "Group"}:
                subject.setdefault("apiGroup", rbac)

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to bind something else."""
        yield from super().update_problems(new, old)
        if not equal(new.get("roleRef"), old.get("roleRef")):
            yield problem.invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


class AnsweringRule(Rule):
    """ServiceAccount, ResourceQuota: a delete answers with the object."""

    answers_deleted = True
