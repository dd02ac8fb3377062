"""The kinds of ours, and what is read of their objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from flux_secret.model.app import AppName
from flux_secret.outside.kubernetes import Json, ServedKind
from flux_secret.outside.kubernetes.body import mapping, text

Tree: TypeAlias = Mapping[str, Json]

GROUP: Final = "flux-secret.io"
VERSION: Final = "v1alpha1"
APPS: Final = ServedKind(GROUP, VERSION, "App", "apps", namespaced=True)
STORES: Final = ServedKind(GROUP, VERSION, "Store", "stores", namespaced=True)
SECRETS: Final = ServedKind(GROUP, VERSION, "StoreSecret", "storesecrets", namespaced=True)
DEFINITIONS: Final = ServedKind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
    namespaced=False,
)  # fmt: skip
FINALIZER: Final = "flux-secret.io/finalizer"
REQUESTED: Final = ("reconcile.fluxcd.io/requestedAt", "flux-secret.io/requestedAt")
"""Annotations that ask for a sync: Flux v2's own, which its users type, and ours."""
STATUS_MANAGER: Final = "flux-secret-status"
"""Field manager of what an agent says of an object."""


def name_of(tree: Tree) -> AppName:
    """Give an object's name."""
    return AppName(text(tree, "metadata", "namespace"), text(tree, "metadata", "name"))


_SECRET: Final = "storesecret/"  # noqa: S105 -- no object's name has a slash


def secret_name(namespace: str, name: str) -> AppName:
    """Give a StoreSecret's name among Apps; an App may have the same name as a StoreSecret."""
    return AppName(namespace, f"{_SECRET}{name}")


def short(name: AppName) -> str:
    """Give the object's own name."""
    return name.name.removeprefix(_SECRET)


def served(name: AppName) -> ServedKind:
    """Give the kind of the object that an App is."""
    return SECRETS if name.name.startswith(_SECRET) else APPS


def generation_of(tree: Tree) -> int:
    """Give how often its `spec` was changed."""
    found = mapping(tree, "metadata").get("generation")
    return found if isinstance(found, int) else 0


def is_leaving(tree: Tree) -> bool:
    """Whether somebody has deleted it, and it waits for its finalizers."""
    return bool(text(tree, "metadata", "deletionTimestamp"))


def finalizers(tree: Tree) -> tuple[str, ...]:
    """Give its finalizers."""
    listed = mapping(tree, "metadata").get("finalizers")
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def requested(tree: Tree) -> str:
    """Give what a person wrote to ask for a sync; empty where nobody did."""
    annotations = mapping(mapping(tree, "metadata"), "annotations")
    said = [text(annotations, name) for name in REQUESTED]
    return "/".join(filter(None, said))


def handled(tree: Tree) -> str:
    """Give what was done last of what was asked for."""
    return text(tree, "status", "lastHandledReconcileAt")
