"""What the client accepts → the object as it is, its metadata alone, or a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from flux_secret.embedded.tables.table import Column, partial, table
from flux_secret.embedded.tree import Tree, child, mappings

_GROUP: Final = "meta.k8s.io"
_AS: Final = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}
Columns: TypeAlias = Sequence[Column]


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written."""

    kind: str = ""
    """`Table`, `PartialObjectMetadata`, or `""` for the object itself."""
    include: str = "Metadata"
    """Of a table's rows: `None`, `Metadata`, `Object`."""

    @classmethod
    def read(cls, accept: str, include: str = "") -> Form:
        """Take the first media type of `Accept` that is known."""
        for one in accept.split(","):
            media, *parameters = (part.strip() for part in one.split(";"))
            found = dict(part.split("=", 1) for part in parameters if "=" in part)
            if media not in {"application/json", "application/*", "*/*", ""}:
                continue
            if "as" not in found:
                return cls()
            if found["as"] in _AS and found.get("g") == _GROUP and found.get("v") == "v1":
                return cls(found["as"].removesuffix("List"), include or "Metadata")
        return cls()

    def one(self, tree: Tree, columns: Columns) -> Tree:
        """Write an object."""
        if tree.get("kind") == "Status" or not self.kind:
            return tree
        if self.kind == "Table":
            version = {"resourceVersion": child(tree, "metadata").get("resourceVersion", "")}
            return table(columns, [tree], version, self.include)
        return partial(tree)

    def many(self, tree: Tree, columns: Columns) -> Tree:
        """Write a list."""
        if not self.kind:
            return tree
        found = list(mappings(tree, "items"))
        if self.kind == "Table":
            return table(columns, found, tree["metadata"], self.include)
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": tree["metadata"],
            "items": [partial(item) for item in found],
        }

    def event(self, type_: str, tree: Tree, columns: Columns, *, first: bool) -> Tree:
        """Write one event of a watch; a table's columns are named in the first one only."""
        if type_ == "ERROR":
            return {"type": type_, "object": tree}
        if type_ == "BOOKMARK" and self.kind == "Table":
            return {"type": type_, "object": table((), [], child(tree, "metadata"), "None")}
        written = self.one(tree, columns)
        if self.kind == "Table" and not first:
            written["columnDefinitions"] = []
        return {"type": type_, "object": written}
