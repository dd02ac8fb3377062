"""JSON trees as the API speaks them, and the few questions everything here asks of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, TypeGuard

Json: TypeAlias = Any
"""A JSON value. A recursive union would need a cast at every step down a tree."""
Tree: TypeAlias = dict[str, Any]
"""A JSON object."""


class Absent:
    """The type of `ABSENT`: no value at all, which is not `null`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


def is_number(value: Json) -> TypeGuard[int | float]:
    """Whether it is a JSON number; Python's `True` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Json, right: Json) -> bool:
    """Compare as JSON does: `1` equals `1.0`, but not `true`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if is_number(left) and is_number(right):
        return left == right
    return type(left) is type(right) and bool(left == right)


def copied(value: Json) -> Json:
    """Copy a tree; several times quicker than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def child(tree: Json, *path: str) -> Tree:
    """Give the mapping at that path; an empty one where there is none."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def items(tree: Json, *path: str) -> list[Json]:
    """Give the list at that path; an empty one where there is none."""
    found = child(tree, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def text(tree: Json, *path: str) -> str:
    """Give the text at that path; an empty one where there is none."""
    found = child(tree, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def text_map(tree: Json, *path: str) -> dict[str, str]:
    """Give the mapping of texts at that path, without what is no text."""
    return {key: value for key, value in child(tree, *path).items() if isinstance(value, str)}


def mappings(tree: Json, *path: str) -> Iterator[Tree]:
    """Give the mappings in the list at that path."""
    return (item for item in items(tree, *path) if isinstance(item, dict))
