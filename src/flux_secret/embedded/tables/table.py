"""Objects → a `Table` (meta.k8s.io/v1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flux_secret.embedded.tables.duration import since
from flux_secret.embedded.tree import Json, Tree, child, text

Cell: TypeAlias = Callable[[Tree], Json]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it shows of an object, and whether only `-o wide` shows it."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False
    description: str = ""
    format: str = ""


def name_cell(tree: Tree) -> str:
    """Give the object's name."""
    return text(tree, "metadata", "name")


def age_cell(tree: Tree) -> str:
    """Give how old the object is."""
    return since(text(tree, "metadata", "creationTimestamp"))


NAME = Column("Name", name_cell, format="name", description="Name must be unique in a namespace.")
AGE = Column("Age", age_cell, description="When the object was created.")


def table(columns: Sequence[Column], trees: Sequence[Tree], metadata: Tree, include: str) -> Tree:
    """Give the table; `include` says what of each object stands in its row."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": int(column.wide),
            }
            for column in columns
        ],
        "rows": [_row(columns, tree, include) for tree in trees],
    }


def _row(columns: Sequence[Column], tree: Tree, include: str) -> Tree:
    row: Tree = {"cells": [column.cell(tree) for column in columns]}
    if include == "Object":
        row["object"] = tree
    elif include != "None":
        row["object"] = partial(tree)
    return row


def partial(tree: Tree) -> Tree:
    """Give the object's `PartialObjectMetadata`."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": child(tree, "metadata"),
    }
