"""An object that a write asks for → the object that is stored, or what is wrong with it.

registry/rest/create.go BeforeCreate and update.go BeforeUpdate, and what registry/store.go does
around them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.embedded.merge.managers import without_managed
from flux_secret.embedded.options import WriteOptions
from flux_secret.embedded.rules import problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.status import (
    already_exists,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from flux_secret.embedded.store import Resource, Store, key_of
from flux_secret.embedded.tree import Tree, copied, equal, items

OPTIMISTIC_LOCK: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)
NAMESPACES: Final = ("", "namespaces")
_KEPT: Final = ("generation", "creationTimestamp", "deletionTimestamp")
_NEVER_NEW: Final = (
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


@dataclass(frozen=True, slots=True)
class Committer:
    """Stores objects of one kind."""

    store: Store
    kind: Kind
    rule: Rule
    now: Callable[[], str]
    subresource: str = ""

    @property
    def resource(self) -> Resource:
        """Where its objects are kept."""
        return self.kind.group, self.kind.plural

    def admit(self, namespace: str, name: str) -> None:
        """NamespaceLifecycle: nothing is created where there is no namespace, or one that ends."""
        if not namespace:
            return
        found = self.store.find(NAMESPACES, ("", namespace))
        if found is None:
            kind = Kind("", "v1", "Namespace", "namespaces", "namespace", namespaced=False)
            raise not_found(kind, namespace)
        if "deletionTimestamp" in found["metadata"]:
            why = f"unable to create new content in namespace {namespace} because it is being "
            raise forbidden(self.kind, name, why + "terminated")

    def create(self, tree: Tree, options: WriteOptions) -> Tree:
        """Store a new object; raise `StatusError`."""
        metadata, key = tree["metadata"], key_of(tree)
        for name in _NEVER_NEW:
            metadata.pop(name, None)
        metadata["creationTimestamp"] = self.now()
        metadata["uid"] = str(uuid.uuid4())
        self.rule.prepare_create(tree)
        causes = self.rule.create_causes(tree)
        if causes:
            raise invalid(self.kind, key[1], causes)
        if self.store.find(self.resource, key) is not None:
            raise already_exists(self.kind, key[1])
        self.rule.allocate(tree)
        if options.dry_run:
            self.rule.release(tree)
            return _ordered(tree)
        return self.store.put(self.resource, key, _ordered(tree))

    def replace(self, tree: Tree, live: Tree, options: WriteOptions) -> Tree:
        """Store a changed object; raise `StatusError`.

        An object that was only waiting for its last finalizer to go is gone afterwards.
        """
        key = key_of(live)
        self._check_version(tree, live)
        self._keep_system_fields(tree["metadata"], live["metadata"])
        if self.subresource == "status":
            self.rule.prepare_status(tree, live)
        else:
            self.rule.prepare_update(tree, live)
        causes = self.rule.update_causes(tree, live)
        if causes:
            raise invalid(self.kind, key[1], causes)
        _keep_times(tree, live)
        tree = _ordered(tree)
        if options.dry_run or equal(tree, {**live, "apiVersion": self.kind.api_version}):
            return tree
        if self._is_finished(tree):
            self.store.drop(self.resource, key)
            return tree
        return self.store.put(self.resource, key, tree)

    def _is_finished(self, tree: Tree) -> bool:
        metadata = tree["metadata"]
        is_waiting = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        return is_waiting and self.resource != NAMESPACES

    def _check_version(self, tree: Tree, live: Tree) -> None:
        version, name = tree["metadata"].get("resourceVersion", ""), key_of(live)[1]
        if not version and not self.rule.updates_unconditionally:
            why = "must be specified for an update"
            causes = [problem.invalid("metadata.resourceVersion", 0, why)]
            # the real one names the resource where it should name the kind (store.go)
            raise invalid(replace(self.kind, kind=self.kind.plural), name, causes)
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(self.kind, name, OPTIMISTIC_LOCK)

    @staticmethod
    def _keep_system_fields(metadata: Tree, before: Tree) -> None:
        metadata["resourceVersion"] = before["resourceVersion"]
        for name in _KEPT:
            metadata.pop(name, None)
            if name in before:
                metadata[name] = before[name]
        metadata.setdefault("uid", before["uid"])
        if "deletionGracePeriodSeconds" in before:
            metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])


def _keep_times(tree: Tree, live: Tree) -> None:
    """Keep the times of managedFields when nothing else changed (fieldmanager/equality.go)."""
    new, old = items(tree, "metadata", "managedFields"), items(live, "metadata", "managedFields")
    if len(new) != len(old) or not new:
        return
    timeless = [[{**one, "time": ""} for one in entries] for entries in (new, old)]
    if not equal(*timeless):
        return
    left = {**without_managed(tree), "apiVersion": "", "kind": ""}
    right = {**without_managed(live), "apiVersion": "", "kind": ""}
    if equal(left, right):
        tree["metadata"]["managedFields"] = copied(old)


def _ordered(tree: Tree) -> Tree:
    """Write the envelope first, as people expect to see it."""
    first = ("apiVersion", "kind", "metadata")
    return {name: tree[name] for name in (*first, *sorted(tree)) if name in tree}
