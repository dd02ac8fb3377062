"""GET /api, /apis → which kinds the API server serves, and which groups do not answer now.

Aggregated discovery (two requests) where there is any; else one request a group and version.
One aggregated API that fails (an APIService without a backend) fails only its own kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flux_secret.outside.kubernetes.body import Json, items, mapping, text, texts

AGGREGATED: Final = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)


@dataclass(frozen=True, slots=True)
class ServedKind:
    """One kind in one version, and where its objects live."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    listable: bool = True

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """RBAC's and kubectl's word: `secrets`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """Give the address of the object, or of the list when there is no name."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


@dataclass(frozen=True, slots=True)
class Kinds:
    """What is served, in the API server's order of preference, and what does not answer."""

    served: tuple[ServedKind, ...] = ()
    failing: frozenset[tuple[str, str]] = frozenset()
    """(group, version) whose API does not answer now."""

    def find(self, group: str, version: str, kind: str) -> ServedKind | None:
        """Give exactly that kind, or None."""
        for served in self.served:
            if (served.group, served.version, served.kind) == (group, version, kind):
                return served
        return None

    def any_version(self, group: str, kind: str) -> ServedKind | None:
        """Give the preferred version of that kind, or None."""
        for served in self.served:
            if (served.group, served.kind) == (group, kind):
                return served
        return None

    def listable(self) -> list[ServedKind]:
        """Give every kind whose objects can be listed, in its preferred version only."""
        found: dict[tuple[str, str], ServedKind] = {}
        for served in self.served:
            if served.listable:
                found.setdefault((served.group, served.kind), served)
        return list(found.values())

    def is_failing(self, group: str) -> bool:
        """Whether some version of the group does not answer."""
        return any(failing == group for failing, _ in self.failing)


def from_aggregated(trees: Iterable[Json]) -> Kinds:
    """Read `APIGroupDiscoveryList`s; versions marked `Stale` do not answer."""
    served: list[ServedKind] = []
    failing: set[tuple[str, str]] = set()
    for tree in trees:
        for group in items(tree, "items"):
            name = text(group, "metadata", "name")
            for version in items(group, "versions"):
                number = text(version, "version")
                if text(version, "freshness") == "Stale":
                    failing.add((name, number))
                served.extend(_aggregated_kinds(name, number, version))
    return Kinds(tuple(served), frozenset(failing))


def _aggregated_kinds(group: str, version: str, tree: Json) -> Iterator[ServedKind]:
    for resource in items(tree, "resources"):
        kind = text(resource, "responseKind", "kind")
        plural = text(resource, "resource")
        verbs = texts(resource, "verbs")
        if kind and plural and _is_object(verbs):
            namespaced = text(resource, "scope") == "Namespaced"
            yield ServedKind(group, version, kind, plural, namespaced, "list" in verbs)


def group_versions(groups: Json) -> Iterator[tuple[str, str]]:
    """Read an `APIGroupList`: (group, version), each group's preferred version first."""
    for group in items(groups, "groups"):
        name = text(group, "name")
        preferred = text(group, "preferredVersion", "version")
        versions = [text(version, "version") for version in items(group, "versions")]
        for version in sorted(versions, key=lambda number: number != preferred):
            yield name, version


def from_resource_list(group: str, version: str, tree: Json) -> Iterator[ServedKind]:
    """Read an `APIResourceList` of legacy discovery."""
    for resource in items(tree, "resources"):
        plural, kind = text(resource, "name"), text(resource, "kind")
        verbs = texts(resource, "verbs")
        if kind and "/" not in plural and _is_object(verbs):
            namespaced = resource.get("namespaced") is True
            yield ServedKind(group, version, kind, plural, namespaced, "list" in verbs)


def is_aggregated(tree: Mapping[str, Json]) -> bool:
    """Whether the answer is the aggregated form, which old API servers do not have."""
    return text(tree, "kind") == "APIGroupDiscoveryList"


def crd_kinds(tree: Json) -> Iterator[ServedKind]:
    """Read the kinds that a CustomResourceDefinition's manifest will serve."""
    group, names = text(tree, "spec", "group"), mapping(tree, "spec", "names")
    namespaced = text(tree, "spec", "scope") == "Namespaced"
    for version in items(tree, "spec", "versions"):
        if version.get("served") is True:
            yield ServedKind(
                group, text(version, "name"), text(names, "kind"), text(names, "plural"), namespaced
            )


def _is_object(verbs: tuple[str, ...]) -> bool:
    """Whether objects of it are kept: `TokenReview` and its like can only be created."""
    return "get" in verbs
