"""CustomResourceDefinition: its own rules, and the kinds that it defines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.rules import problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, copied, equal, items, mappings, text

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_NAMES: Final = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


class DefinitionRule(Rule):
    """Definitions of kinds."""

    has_generation = True
    updates_unconditionally = False

    def default(self, tree: Tree) -> None:
        """apiextensions/v1/defaults.go."""
        spec = tree.setdefault("spec", {})
        names = spec.setdefault("names", {})
        if text(names, "kind"):
            if not names.get("singular"):
                names["singular"] = names["kind"].lower()
            if not names.get("listKind"):
                names["listKind"] = names["kind"] + "List"
        spec.setdefault("conversion", {}).setdefault("strategy", "None")

    def prepare_create(self, tree: Tree) -> None:
        """Nothing is accepted yet."""
        super().prepare_create(tree)
        versions = mappings(tree, "spec", "versions")
        stored = [text(one, "name") for one in versions if one.get("storage")]
        names = {"kind": "", "plural": ""}
        tree["status"] = {"conditions": None, "acceptedNames": names, "storedVersions": stored}

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Remember every version that was stored."""
        super().prepare_update(new, old)
        stored = list(items(old, "status", "storedVersions"))
        for one in mappings(new, "spec", "versions"):
            if one.get("storage") and text(one, "name") not in stored:
                stored.append(text(one, "name"))
        new.setdefault("status", {})["storedVersions"] = stored

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check its name, and that its versions have schemas, one of them stored."""
        spec = child(tree, "spec")
        name, plural, group = (
            text(tree, "metadata", "name"), text(spec, "names", "plural"), text(spec, "group"),
        )  # fmt: skip
        if name != f"{plural}.{group}":
            why = 'must be spec.names.plural+"."+spec.group'
            yield problem.invalid("metadata.name", name, why)
        if not group:
            yield problem.required("spec.group")
        if text(spec, "scope") not in {"Cluster", "Namespaced"}:
            yield problem.unsupported("spec.scope", spec.get("scope"), ["Cluster", "Namespaced"])
        for field in ("plural", "kind"):
            if not text(spec, "names", field):
                yield problem.required(f"spec.names.{field}")
        versions = list(mappings(spec, "versions"))
        if sum(one.get("storage") is True for one in versions) != 1:
            why = "must have exactly one version marked as storage version"
            yield problem.invalid("spec.versions", [text(v, "name") for v in versions], why)
        for index, one in enumerate(versions):
            if not child(one, "schema", "openAPIV3Schema"):
                where = f"spec.versions[{index}].schema.openAPIV3Schema"
                yield problem.required(where, "schemas are required")

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change group, kind, plural and scope."""
        yield from self.problems(new)
        for path in (("group",), ("scope",), ("names", "kind"), ("names", "plural")):
            after, before = text(new, "spec", *path), text(old, "spec", *path)
            if not equal(after, before):
                yield problem.invalid(".".join(("spec", *path)), after, "field is immutable")


def established(tree: Tree, now: str) -> Tree:
    """Give the status of a definition whose names are accepted."""

    def condition(kind: str, reason: str, message: str) -> Tree:
        return {
            "type": kind,
            "status": "True",
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }

    names = child(tree, "spec", "names")
    return {
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition(
                "Established", "InitialNamesAccepted", "the initial names have been accepted"
            ),
        ],
        "acceptedNames": {name: copied(names[name]) for name in _NAMES if names.get(name)},
        "storedVersions": copied(items(tree, "status", "storedVersions")),
    }


def kinds_of(tree: Tree) -> Iterator[tuple[Kind, Tree]]:
    """Give the kinds that a definition serves, and their schemas."""
    spec, names = child(tree, "spec"), child(tree, "spec", "names")
    for version in mappings(spec, "versions"):
        if version.get("served") is not True:
            continue
        kind = Kind(
            group=text(spec, "group"),
            version=text(version, "name"),
            kind=text(names, "kind"),
            plural=text(names, "plural"),
            singular=text(names, "singular"),
            namespaced=text(spec, "scope") == "Namespaced",
            short=tuple(items(names, "shortNames")),
            categories=tuple(items(names, "categories")),
            subresources=("status",) if "status" in child(version, "subresources") else (),
            list_kind=text(names, "listKind"),
        )
        yield kind, child(version, "schema", "openAPIV3Schema")


def printed(tree: Tree, version: str) -> list[Tree]:
    """Give the `additionalPrinterColumns` of a version."""
    for one in mappings(tree, "spec", "versions"):
        if text(one, "name") == version:
            return list(mappings(one, "additionalPrinterColumns"))
    return []
