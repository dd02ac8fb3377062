"""The catalog → discovery documents, aggregated (apidiscovery.k8s.io/v2) and legacy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from flux_secret.embedded.catalog import Catalog
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.tree import Tree

_SUBRESOURCE_VERBS: Final = ["get", "patch", "update"]
_SCALE: Final = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


class Discovery:
    """Writes the documents of what is served now; `broken` groups do not answer."""

    def __init__(self, catalog: Catalog, broken: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._broken = broken

    def kinds(self) -> list[Kind]:
        """Give every kind, sorted by group and version as they are written."""
        every = [served.kind for served in self._catalog]
        return sorted(every, key=lambda kind: (kind.group, kind.version, kind.plural))

    def group_versions(self) -> list[tuple[str, str]]:
        """Give every group and version that answers."""
        return sorted({(kind.group, kind.version) for kind in self.kinds()})

    def aggregated(self, *, core: bool) -> Tree:
        """Give an `APIGroupDiscoveryList`: of the core group, or of all others."""
        groups = [
            _aggregated_group(group, list(kinds))
            for group, kinds in groupby(self.kinds(), key=lambda kind: kind.group)
            if (not group) is core
        ]
        if not core:
            groups += [_stale(name) for name in self._broken]
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": groups,
        }

    def groups(self) -> Tree:
        """Give the `APIGroupList`."""
        versions: dict[str, list[str]] = {}
        for group, version in self.group_versions():
            if group:
                versions.setdefault(group, []).append(version)
        for name in self._broken:
            group, _, version = name.partition("/")
            versions.setdefault(group, []).append(version)
        listed = [self._group(group, found) for group, found in versions.items()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}

    def group(self, name: str) -> Tree | None:
        """Give one `APIGroup`."""
        found = [version for group, version in self.group_versions() if group == name and name]
        return (
            {"kind": "APIGroup", "apiVersion": "v1", **self._group(name, found)} if found else None
        )

    @staticmethod
    def _group(name: str, versions: list[str]) -> Tree:
        listed = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
        return {"name": name, "versions": listed, "preferredVersion": listed[0]}

    def resources(self, group: str, version: str) -> Tree | None:
        """Give the `APIResourceList` of a group and version."""
        found = [kind for kind in self.kinds() if (kind.group, kind.version) == (group, version)]
        if not found:
            return None
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": found[0].api_version,
            "resources": [entry for kind in found for entry in _legacy(kind)],
        }


def core_versions() -> Tree:
    """Give the `APIVersions` of `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
    }


def _aggregated_group(name: str, kinds: list[Kind]) -> Tree:
    versions = groupby(kinds, key=lambda kind: kind.version)
    return {
        "metadata": {"name": name, "creationTimestamp": None}
        if name
        else {"creationTimestamp": None},
        "versions": [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated(kind) for kind in listed],
            }
            for version, listed in versions
        ],
    }


def _stale(name: str) -> Tree:
    group, _, version = name.partition("/")
    return {
        "metadata": {"name": group, "creationTimestamp": None},
        "versions": [{"version": version, "freshness": "Stale"}],
    }


def _aggregated(kind: Kind) -> Tree:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    tree: Tree = {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        tree["shortNames"] = list(kind.short)
    if kind.categories:
        tree["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": one,
            "responseKind": _SCALE if one == "scale" else response,
            "verbs": _SUBRESOURCE_VERBS,
        }
        for one in kind.subresources
    ]
    return tree | ({"subresources": subresources} if subresources else {})


def _legacy(kind: Kind) -> Iterable[Tree]:
    yield {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        **({"shortNames": list(kind.short)} if kind.short else {}),
        **({"categories": list(kind.categories)} if kind.categories else {}),
    }
    for one in kind.subresources:
        yield {
            "name": f"{kind.plural}/{one}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **(_SCALE if one == "scale" else {"kind": kind.kind}),
            "verbs": _SUBRESOURCE_VERBS,
        }
