"""Delete requests: preconditions, finalizers, and what goes with what is deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flux_secret.embedded.catalog import Catalog, Served
from flux_secret.embedded.committing import NAMESPACES
from flux_secret.embedded.definitions import RESOURCE as DEFINITIONS
from flux_secret.embedded.rules.definition import CLEANUP
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.status import StatusError, conflict, not_found
from flux_secret.embedded.store import Key, Resource, Store
from flux_secret.embedded.tree import Tree, child, mappings, text


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes objects of any kind."""

    store: Store
    catalog: Catalog
    now: Callable[[], str]
    after: Callable[[Served, Tree], None]
    """Called with what is gone."""

    def delete(self, served: Served, key: Key, options: Tree, *, dry_run: bool) -> Tree:
        """Delete one; give the answer's object. Raises `StatusError` 404, 409."""
        kind = served.kind
        resource = (kind.group, kind.plural)
        live = self.store.find(resource, key)
        if live is None:
            raise not_found(kind, key[1])
        self._check(served, live, child(options, "preconditions"))
        policy = options.get("propagationPolicy")
        is_namespace = resource == NAMESPACES
        if resource == DEFINITIONS and not dry_run and self._delete_instances(live):
            _add_finalizer(live, CLEANUP)
        if child(live, "metadata").get("finalizers") or is_namespace:
            marked = self._mark(served, key, live, dry_run=dry_run)
            if not dry_run and served.rule.protection:
                self._unprotect(served, key)
            return marked
        if dry_run:
            return _success(served, live)
        gone = self.store.drop(resource, key)
        self.finish(served, gone, orphan=policy == "Orphan")
        return _success(served, gone)

    @staticmethod
    def _check(served: Served, live: Tree, wanted: Tree) -> None:
        name, metadata = text(live, "metadata", "name"), live["metadata"]
        named = replace(served.kind, plural=served.kind.kind)  # the real one names the kind here
        uid, version = wanted.get("uid"), wanted.get("resourceVersion")
        if uid and uid != metadata["uid"]:
            why = f"the UID in the precondition ({uid}) does not match the UID in record "
            why += f"({metadata['uid']}). The object might have been deleted and then recreated"
            raise conflict(named, name, why)
        if version and version != metadata["resourceVersion"]:
            why = f"the ResourceVersion in the precondition ({version}) does not match the "
            why += f"ResourceVersion in record ({metadata['resourceVersion']}). The object might "
            raise conflict(named, name, why + "have been modified")

    def _mark(self, served: Served, key: Key, live: Tree, *, dry_run: bool) -> Tree:
        """Set the deletionTimestamp; whoever owns the finalizers does the rest."""
        metadata = live["metadata"]
        resource = (served.kind.group, served.kind.plural)
        if "deletionTimestamp" not in metadata:
            metadata["deletionTimestamp"] = self.now()
            metadata["deletionGracePeriodSeconds"] = 0
            if resource == NAMESPACES:
                metadata.pop("deletionGracePeriodSeconds")
                live["status"] = {**child(live, "status"), "phase": "Terminating"}
            if not dry_run:
                live = self.store.put(resource, key, live)
        elif resource == NAMESPACES:
            raise conflict(
                served.kind,
                key[1],
                "The system is ensuring all content is removed from this namespace.  Upon "
                "completion, this namespace will automatically be purged by the system.",
            )
        if not dry_run and resource == NAMESPACES:
            self.empty_namespace(served, key[1])
        return {**live, "apiVersion": served.kind.api_version}

    def _unprotect(self, served: Served, key: Key) -> None:
        """Take the protection away (the work of the protection controllers): nothing uses it."""
        resource = (served.kind.group, served.kind.plural)
        live = self.store.find(resource, key)
        if live is None:
            return
        found = live["metadata"].get("finalizers") or []
        left = [one for one in found if one != served.rule.protection]
        live["metadata"]["finalizers"] = left
        if left:
            self.store.put(resource, key, live)
        else:
            self.finish(served, self.store.drop(resource, key))

    def empty_namespace(self, served: Served, name: str) -> None:
        """Delete what is in a namespace, then the namespace (the namespace controller's work)."""
        left = False
        for other in self._each_resource():
            if not other.kind.namespaced:
                continue
            resource = (other.kind.group, other.kind.plural)
            for key, tree in list(self.store.all(resource, name)):
                # another's end may have taken it along, for it comes back to this namespace
                is_there = self.store.find(resource, key) is not None
                if is_there and "deletionTimestamp" not in tree["metadata"]:
                    self.delete(other, key, {}, dry_run=False)
                left = left or self.store.find(resource, key) is not None
        namespace = self.store.find(NAMESPACES, ("", name))
        if left or namespace is None or namespace["metadata"].get("finalizers"):
            return
        self.finish(served, self.store.drop(NAMESPACES, ("", name)))

    def finish(self, served: Served, gone: Tree, *, orphan: bool = False) -> None:
        """Do what follows when an object is gone: dependents go (the collector's work)."""
        self.after(served, gone)
        uid = gone["metadata"]["uid"]
        namespace = text(gone, "metadata", "namespace")
        if not orphan:
            for other in self._each_resource():
                resource = (other.kind.group, other.kind.plural)
                for key, tree in list(self.store.all(resource)):
                    owners = [
                        text(one, "uid") for one in mappings(tree, "metadata", "ownerReferences")
                    ]
                    if owners == [uid]:
                        self._delete_dependent(other, key)
        if namespace:
            self._continue_namespace(namespace)
        if served.kind.is_custom:
            self._continue_definition(served.kind)

    def _delete_instances(self, definition: Tree) -> bool:
        """Delete the custom resources of a definition; say whether some are left."""
        served = self.catalog.any_version(*_defined(definition))
        if served is None:
            return False
        for key, tree in list(self.store.all(_defined(definition))):
            if "deletionTimestamp" not in tree["metadata"]:
                self.delete(served, key, {}, dry_run=False)
        return any(self.store.all(_defined(definition)))

    def _continue_definition(self, kind: Kind) -> None:
        """Let a definition go whose last custom resource is gone."""
        resource, key = (kind.group, kind.plural), ("", f"{kind.plural}.{kind.group}")
        live, served = self.store.find(DEFINITIONS, key), self.catalog.any_version(*DEFINITIONS)
        is_waiting = live is not None and "deletionTimestamp" in live["metadata"]
        if live is None or served is None or not is_waiting or any(self.store.all(resource)):
            return
        left = [one for one in live["metadata"].get("finalizers") or () if one != CLEANUP]
        if left:
            live["metadata"]["finalizers"] = left
            self.store.put(DEFINITIONS, key, live)
        else:
            self.finish(served, self.store.drop(DEFINITIONS, key))

    def _delete_dependent(self, served: Served, key: Key) -> None:
        try:
            self.delete(served, key, {}, dry_run=False)
        except StatusError:
            return  # it went with something else in between

    def _continue_namespace(self, name: str) -> None:
        live = self.store.find(NAMESPACES, ("", name))
        served = self.catalog.any_version(*NAMESPACES)
        if live is not None and served and "deletionTimestamp" in live["metadata"]:
            self.empty_namespace(served, name)

    def _each_resource(self) -> list[Served]:
        return list({(one.kind.group, one.kind.plural): one for one in self.catalog}.values())


def _defined(definition: Tree) -> Resource:
    return text(definition, "spec", "group"), text(definition, "spec", "names", "plural")


def _add_finalizer(tree: Tree, finalizer: str) -> None:
    found = tree["metadata"].setdefault("finalizers", [])
    if finalizer not in found:
        found.append(finalizer)


def _success(served: Served, gone: Tree) -> Tree:
    kind = served.kind
    if served.rule.answers_deleted:
        return {**gone, "apiVersion": kind.api_version}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": gone["metadata"]["name"],
            **({"group": kind.group} if kind.group else {}),
            "kind": kind.plural,
            "uid": gone["metadata"]["uid"],
        },
    }
