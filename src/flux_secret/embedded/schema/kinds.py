"""Which kinds are served, built in ones and those of CustomResourceDefinitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from flux_secret.embedded.schema.merging import MergeTypes
from flux_secret.embedded.schema.shape import Shapes, StructShape
from flux_secret.embedded.tree import Tree

ALL_VERBS: Final = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version, as discovery names it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    struct: str = ""
    """The struct of a built-in kind; `""` for a custom resource."""
    list_kind: str = ""

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As messages name it: `secrets`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> str:
        """As messages name it: `Secret`, `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def listed(self) -> str:
        """The kind of a list of it."""
        return self.list_kind or f"{self.kind}List"

    @property
    def is_custom(self) -> bool:
        """Whether a CustomResourceDefinition defines it."""
        return not self.struct


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """The kinds that are served before any CustomResourceDefinition is."""

    version: str
    """Of the Kubernetes that they were taken from."""
    kinds: tuple[Kind, ...]
    shapes: Shapes
    merge_types: MergeTypes

    def struct(self, kind: Kind) -> StructShape:
        """Give the struct of a built-in kind."""
        return self.shapes.struct(kind.struct)


@cache
def built_in() -> BuiltIn:
    """Read `kinds.json`, once."""
    text = resources.files("flux_secret.embedded.schema").joinpath("kinds.json").read_text("utf-8")
    tree = json.loads(text)
    shapes = Shapes(tree["types"])
    kinds = tuple(_kind(entry) for entry in tree["kinds"])
    return BuiltIn(tree["version"], kinds, shapes, MergeTypes(shapes))


def _kind(entry: Tree) -> Kind:
    return Kind(
        group=entry["group"],
        version=entry["version"],
        kind=entry["kind"],
        plural=entry["plural"],
        singular=entry["singular"],
        namespaced=entry["namespaced"],
        short=tuple(entry["short"]),
        categories=tuple(entry["categories"]),
        verbs=tuple(entry["verbs"]),
        subresources=tuple(entry["subresources"]),
        struct=entry["type"],
    )
